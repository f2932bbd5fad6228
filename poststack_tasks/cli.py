"""The command `poststack tasks`: which jobs were given up, and another try for them, or none."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TextIO

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


_SHORTEST_PREFIX: Final = 6
"""Characters of an id that may stand for all of it."""
_READER_GONE: Final = 128 + 13
"""The exit status when nobody reads the output any more: what a shell says of who is ended by SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    It is 0; 1 when jobs were left out; 2 for what is to be put right; 141 when nobody reads the output any more.
    """
    options = _parser().parse_args(arguments)
    terminal = _Terminal()
    status = _run(options, terminal)
    return _READER_GONE if terminal.reader_gone else status


class _Terminal:
    """Where is printed to. Whoever reads may go, as `head` does, and what is to be done is done nevertheless."""

    def __init__(self) -> None:
        self.reader_gone = False

    def out(self, text: str) -> None:
        """Print a result."""
        self._print(text, sys.stdout)

    def err(self, text: str) -> None:
        """Print what is wrong."""
        self._print(text, sys.stderr)

    def _print(self, text: str, stream: TextIO) -> None:
        try:
            print(text, file=stream, flush=True)
        except BrokenPipeError:
            self.reader_gone = True
            # What is left in the buffer goes where it disturbs nobody, also when Python ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _run(options: argparse.Namespace, terminal: _Terminal) -> int:
    actions = {"failed": _list, "retry": _retry, "drop": _drop}
    try:
        _check(options)
        with closing(_source(options)) as jobs:
            return actions[options.action](options, jobs, terminal)
    except _UsageError as error:
        terminal.err(f"poststack: {error}")
        return 2
    except Exception as error:
        if not (_is_of_broker(error) or isinstance(error, OSError)):
            raise
        terminal.err(f"poststack: The broker does not answer: {type(error).__name__}: {error}")
        return 2


def _is_of_broker(error: Exception) -> bool:
    # Which packages there are is not known here.
    return type(error).__module__.partition(".")[0] in {"redis", "kombu", "amqp"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="poststack tasks", description=_DESCRIPTION)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    failed = actions.add_parser("failed", help="list jobs that were given up", description=_DESCRIPTION)
    failed.add_argument("--json", action="store_true", help="print one JSON list")
    failed.add_argument("-v", "--verbose", action="store_true", help="also what the API said of each")
    retry = actions.add_parser(
        "retry",
        help="try them again, under the same ids and keys",
        description="Put jobs that were given up back into their queues, under the same ids and idempotency keys, so "
        "that what the API had accepted is not sent twice.",
    )
    retry.add_argument(
        "--force",
        action="store_true",
        help="also jobs that are older than 13 days. The API may have forgotten their keys: what it had accepted then "
        "is sent twice",
    )
    drop = actions.add_parser(
        "drop",
        help="delete them: they are never sent",
        description="Delete jobs that were given up. Nothing is asked, and nobody has their e-mails afterwards.",
    )
    drop.add_argument("--yes", action="store_true", help="with --all: yes, all of them")
    for action in (retry, drop):
        action.add_argument(
            "ids", nargs="*", metavar="ID", help="which jobs, as `failed` shows them; the first 6 characters or more do"
        )
        action.add_argument("--all", action="store_true", help="all of them")
    for action in (failed, retry, drop):
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
    if not name.partition(":")[0]:
        raise _UsageError("--celery: say MODULE:APP.")
    try:
        found: Any = import_module("celery.app.utils").find_app(name)
    except (ImportError, AttributeError):
        raise _UsageError(f"--celery: {_missing(name)}") from None
    if not hasattr(found, "connection_for_write"):
        raise _UsageError(f"--celery: {name} is no Celery application.")
    return found


def _missing(name: str) -> str:
    """Return what there is not: Celery looks for a module of the whole name in the end, and tells of that."""
    module, _, attribute = name.partition(":")
    try:
        import_module(module)
    except ImportError as missing:
        if missing.name and f"{module}.".startswith(f"{missing.name}."):
            return f"there is no module {missing.name}."
        return f"the module {module} cannot be imported: {missing}"
    except AttributeError as wrong:
        return f"the module {module} cannot be imported: {wrong}"
    if attribute:
        return f"the module {module} has no {attribute}."
    return f"the module {module} has no application, called `app` or `celery`."


def _check(options: argparse.Namespace) -> None:
    if options.action == "failed":
        return
    if options.all and options.ids:
        raise _UsageError("Say which jobs: their ids, or --all, not both.")
    if not options.all and not options.ids:
        raise _UsageError("Say which jobs: their ids, or --all.")
    if options.action == "drop" and options.all and not options.yes:
        raise _UsageError("Nobody has the e-mails afterwards: to drop all of them, say --all --yes.")


def _found(options: argparse.Namespace, jobs: FailedJobs) -> list[FailedJob]:
    return [job for job in jobs.all() if not options.queue or job.queue in options.queue]


def _none(options: argparse.Namespace) -> str:
    # A name with a typing error has no job either.
    queues = f" of the queue{'s' * (len(options.queue) > 1)} {', '.join(options.queue)}" if options.queue else ""
    return f"No job{queues} was given up."


def _list(options: argparse.Namespace, jobs: FailedJobs, terminal: _Terminal) -> int:
    found = _found(options, jobs)
    if options.json:
        terminal.out(json.dumps([asdict(job) for job in found], indent=2))
        return 0
    if not found:
        terminal.out(_none(options))
        return 0
    head = ("ID", "FUNCTION", "QUEUE", "GIVEN UP", "ATTEMPTS", "STATUS", "CODE", "REASON")
    rows = [head, *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    terminal.out(lines[0])
    for job, line in zip(found, lines[1:], strict=True):
        terminal.out(f"{line}\n    {job.message}" if options.verbose and job.message else line)
    return 0


def _row(job: FailedJob) -> tuple[str, ...]:
    return (
        job.id,
        job.function,
        job.queue,
        _moment(job.failed_at),
        _text(job.attempts),
        _text(job.status or None),
        _text(job.code),
        job.reason,
    )


def _retry(options: argparse.Namespace, jobs: FailedJobs, terminal: _Terminal) -> int:
    return _each(options, jobs, terminal, "to be tried again", lambda job: _retried(options, jobs, job))


def _drop(options: argparse.Namespace, jobs: FailedJobs, terminal: _Terminal) -> int:
    return _each(options, jobs, terminal, "dropped", lambda job: None if jobs.drop(job) else _TOO_LATE)


_TOO_LATE: Final = "somebody else was quicker."


def _each(
    options: argparse.Namespace,
    jobs: FailedJobs,
    terminal: _Terminal,
    done: str,
    act: Callable[[FailedJob], str | None],
) -> int:
    """Do it with each job that was chosen; `act` returns why it has not."""
    found = _found(options, jobs)
    if options.all and not found:
        terminal.out(_none(options))
        return 0
    chosen, missing = (found, []) if options.all else _chosen(options.ids, found)
    for job_id in missing:
        terminal.err(f"{job_id}: there is no such job among those given up.")
    left = len(missing)
    for job in chosen:
        if (why := act(job)) is not None:
            terminal.err(f"{job.id}: {why}")
            left += 1
    terminal.out(f"{len(chosen) + len(missing) - left} {done}, {left} not.")
    return 1 if left else 0


def _chosen(ids: Sequence[str], found: Sequence[FailedJob]) -> tuple[list[FailedJob], list[str]]:
    """Return the jobs of these ids or beginnings of ids, each once, and those that no job has."""
    chosen: dict[str, FailedJob] = {}
    missing: dict[str, None] = {}
    for given in ids:
        fitting = [job for job in found if job.id == given]
        if not fitting and len(given) >= _SHORTEST_PREFIX:
            fitting = [job for job in found if job.id.startswith(given)]
        if len(fitting) > 1:
            raise _UsageError(f"{given}: the ids of {len(fitting)} jobs begin so. Give more of it; nothing was done.")
        if fitting:
            chosen[fitting[0].id] = fitting[0]
        else:
            missing[given] = None
    return list(chosen.values()), list(missing)


def _retried(options: argparse.Namespace, jobs: FailedJobs, job: FailedJob) -> str | None:
    now = time.time()
    if job.is_expired(now):
        return f"it has expired ({_moment(job.expires_at)}), and would only be given up again."
    old = job.is_old(now)
    if old and not options.force:
        return (
            "older than 13 days, or of unknown age. The API may have forgotten its key, and would send again what it "
            "had accepted. Look for the e-mail first; --force tries it nevertheless."
        )
    try:
        return None if jobs.retry(job, enqueued_at=now if old else None) else _TOO_LATE
    except LookupError as error:
        return str(error.args[0])


def _moment(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _text(value: object) -> str:
    return "" if value is None else str(value)
