"""The command `poststack tasks`: which jobs were given up, and another try for them."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any

from poststack_tasks.failed import FailedJob

if TYPE_CHECKING:
    from poststack_tasks.failed import FailedJobs

__all__ = ["main"]

_DESCRIPTION = """\
Jobs that were given up: the API refused the e-mail, or it could not be reached for too long. Queues keep them, RQ among
its failed jobs, Celery in the queue poststack.given_up. Addresses and texts are not shown.
"""


class _UsageError(Exception):
    """What the user has to put right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0; 1 when jobs were left out; 2 for what is to be put right."""
    options = _parser().parse_args(arguments)
    try:
        with closing(_source(options)) as jobs:
            return _list(options, jobs) if options.action == "failed" else _retry(options, jobs)
    except _UsageError as error:
        print(f"poststack: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if not (_is_of_broker(error) or isinstance(error, OSError)):
            raise
        print(f"poststack: The broker does not answer: {type(error).__name__}: {error}", file=sys.stderr)
        return 2


def _is_of_broker(error: Exception) -> bool:
    # Which packages there are is not known here.
    return type(error).__module__.partition(".")[0] in {"redis", "kombu", "amqp"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="poststack tasks", description=_DESCRIPTION)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    failed = actions.add_parser("failed", help="list jobs that were given up", description=_DESCRIPTION)
    failed.add_argument("--json", action="store_true", help="print one JSON list")
    retry = actions.add_parser(
        "retry",
        help="try them again, under the same ids and keys",
        description="Put jobs that were given up back into their queues, under the same ids and idempotency keys, so "
        "that what the API had accepted is not sent twice.",
    )
    retry.add_argument("ids", nargs="*", metavar="ID", help="which jobs, as `failed` shows them")
    retry.add_argument("--all", action="store_true", help="all of them")
    retry.add_argument(
        "--force",
        action="store_true",
        help="also jobs that are older than 13 days. The API may have forgotten their keys: what it had accepted then "
        "is sent twice",
    )
    for action in (failed, retry):
        where = action.add_mutually_exclusive_group(required=True)
        where.add_argument("--celery", metavar="MODULE:APP", help="the Celery application, as for celery --app")
        where.add_argument("--rq", metavar="URL", help="the Redis of RQ, such as redis://127.0.0.1:6379/0")
        action.add_argument(
            "--queue", action="append", default=[], metavar="NAME", help="only of this queue (may be repeated)"
        )
    return parser


def _source(options: argparse.Namespace) -> FailedJobs:
    try:
        if options.rq is not None:
            source: FailedJobs = import_module("poststack_tasks.rq.failed").RqFailedJobs(options.rq, options.queue)
            return source
        celery_jobs: Any = import_module("poststack_tasks.celery.failed").CeleryFailedJobs
    except ImportError as error:
        extra = "rq" if options.rq is not None else "celery"
        raise _UsageError(f'This needs {error.name}: pip install "poststack[{extra}]"') from None
    except ValueError as error:
        raise _UsageError(f"--rq: {error}") from None
    made: FailedJobs = celery_jobs(_application(options.celery))
    return made


def _application(name: str) -> Any:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return import_module("celery.app.utils").find_app(name)
    except (ImportError, AttributeError) as error:
        raise _UsageError(f"--celery: there is no application {name}: {error}") from None


def _found(options: argparse.Namespace, jobs: FailedJobs) -> list[FailedJob]:
    return [job for job in jobs.all() if not options.queue or job.queue in options.queue]


def _list(options: argparse.Namespace, jobs: FailedJobs) -> int:
    found = _found(options, jobs)
    if options.json:
        print(json.dumps([asdict(job) for job in found], indent=2))
        return 0
    if not found:
        print("No job was given up.")
        return 0
    rows = [("ID", "FUNCTION", "QUEUE", "GIVEN UP", "ATTEMPTS", "STATUS", "CODE", "REASON")]
    rows += [
        (
            job.id,
            job.function,
            job.queue,
            _moment(job.failed_at),
            _text(job.attempts),
            _text(job.status or None),
            _text(job.code),
            job.reason,
        )
        for job in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _retry(options: argparse.Namespace, jobs: FailedJobs) -> int:
    if options.all == bool(options.ids):
        raise _UsageError("Say which jobs: their ids, or --all.")
    found = _found(options, jobs)
    chosen = found if options.all else [job for job in found if job.id in options.ids]
    missing = set(options.ids) - {job.id for job in chosen}
    for job_id in sorted(missing):
        print(f"{job_id}: there is no such job among those given up.", file=sys.stderr)
    retried, left = 0, len(missing)
    for job in chosen:
        if _retried(options, jobs, job):
            retried += 1
        else:
            left += 1
    print(f"{retried} to be tried again, {left} not.")
    return 1 if left else 0


def _retried(options: argparse.Namespace, jobs: FailedJobs, job: FailedJob) -> bool:
    now = time.time()
    old = job.is_old(now)
    if old and not options.force:
        print(
            f"{job.id}: older than 13 days, or of unknown age. The API may have forgotten its key, and would send "
            "again what it had accepted. Look for the e-mail first; --force tries it nevertheless.",
            file=sys.stderr,
        )
        return False
    try:
        there = jobs.retry(job, enqueued_at=now if old else None)
    except LookupError as error:
        print(f"{job.id}: {error.args[0]}", file=sys.stderr)
        return False
    if not there:
        print(f"{job.id}: somebody else was quicker.", file=sys.stderr)
    return there


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _text(value: object) -> str:
    return "" if value is None else str(value)
