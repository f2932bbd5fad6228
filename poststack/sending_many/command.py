"""The command `poststack send-many`: puts its parts together, and says what is to be said."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from poststack._config import DEFAULT_BASE_URL
from poststack.sending_many import summary
from poststack.sending_many.content import completed, defaults_from, digests, problem_with
from poststack.sending_many.dry_run import dry_run
from poststack.sending_many.interrupts import Interrupts
from poststack.sending_many.journal import Checkpoint, Journal
from poststack.sending_many.options import parser
from poststack.sending_many.outcomes import End, Totals
from poststack.sending_many.outputs import check_apart, check_writable, make_way
from poststack.sending_many.placeholders import check_filled
from poststack.sending_many.planning import Given, anew, is_reported_elsewhere, kind_of_key, planned, resumed
from poststack.sending_many.progress import progress_for
from poststack.sending_many.report import Report
from poststack.sending_many.rows import InputError
from poststack.sending_many.sending import Pace, Sending
from poststack.sending_many.source import Source
from poststack.sending_many.speech import say, tell

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from poststack import PostStack
    from poststack.sending_many.journal import Plan
    from poststack.sending_many.progress import Progress

__all__ = ["main"]

_LOOKED_AT: Final = 1_000
"""Rows at the beginning, among which one has to be an e-mail."""


_AT_ONCE: Final = "poststack: Ended at once. To go on, give the same command again."


def main(arguments: Sequence[str]) -> int:
    """Run the command and return the exit status, which its help explains."""
    options = parser().parse_args(arguments)
    try:
        with closing(Source(options.file, options.format, options.delimiter)) as source:
            defaults = defaults_from(options)
            if source.table is not None and not options.allow_unfilled:
                check_filled(defaults, source.table.columns)
            if options.dry_run:
                return dry_run(source, defaults, progress_for(source.size, is_quiet=options.quiet), say)
            return _begin(options, source, defaults)
    except InputError as error:
        return _complain(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}. Put that right, and give the same command again.")
    except KeyboardInterrupt:
        tell(_AT_ONCE)
        return 130


def _begin(options: argparse.Namespace, source: Source, defaults: Mapping[str, Any]) -> int:
    key = _api_key(options)
    base_url = (options.base_url or os.environ.get("POSTSTACK_BASE_URL") or DEFAULT_BASE_URL).strip().rstrip("/")
    if source.is_standard_input and (options.key_prefix is None or options.report is None):
        raise InputError(
            "Standard input cannot be read again, so that there is no journal: give --key-prefix, under which the same "
            "input can be sent again and nothing is sent twice, and --report, the file for what fails."
        )
    if source.is_standard_input and (options.restart or options.journal):
        raise InputError("There is no journal of standard input, nothing to go on with and nothing to forget.")
    facts = {**digests(defaults), "--base-url": base_url, "the key": kind_of_key(key), "--format": source.kind}
    if source.table is not None:
        facts["--delimiter"] = source.table.delimiter
    given = Given(facts, options.key_prefix, Path(options.report or f"{source.path}.failed.jsonl"))
    path = None if source.is_standard_input else Path(options.journal or f"{source.path}.poststack-journal")
    check_apart(None if source.is_standard_input else source.path, path, given.report)
    with ExitStack() as held:
        client = held.enter_context(_client(options, key, base_url))
        if path is None:
            check_writable(given.report)
            make_way(given.report, is_of_run_before=False)
            return _send(options, source, defaults, client, planned(source, given, None), None, given.report)
        _look_at(source, defaults)
        journal = held.enter_context(closing(Journal.open(path)))
        now = time.time()
        again = None if options.restart else anew(journal, source, given, now)
        if again is not None:
            tell(again.why)
        elif journal.plan is not None and not options.restart:
            known = resumed(journal, source, given, now, is_old_fine=options.even_if_old)
            if known is not None and known.is_finished:
                return _already_sent(source, known, given.report)
            # Not before the journal is locked: another process would write to this report.
            check_writable(given.report)
            if is_reported_elsewhere(journal.plan, given, path):
                make_way(given.report, is_of_run_before=False)
                journal.report_to(planned(source, given, path).report)
            return _send(options, source, defaults, client, journal.plan, journal, given.report)
        plan = planned(source, given, path, again.key_prefix if again else None)
        check_writable(given.report)
        make_way(given.report, is_of_run_before=journal.plan is not None and journal.plan.report == plan.report)
        journal.begin(plan)
        return _send(options, source, defaults, client, plan, journal, given.report)


def _send(
    options: argparse.Namespace,
    source: Source,
    defaults: Mapping[str, Any],
    client: PostStack,
    plan: Plan,
    journal: Journal | None,
    report_path: Path,
) -> int:
    known = (journal.checkpoint if journal else None) or Checkpoint(source.start, 0, Totals(), 0.0)
    before = known.totals.done
    with ExitStack() as held:
        report = held.enter_context(closing(Report(report_path, known.report_size)))
        progress = held.enter_context(closing(progress_for(source.size, is_quiet=options.quiet)))
        if known.place.row:
            progress.say(f"Going on after line {known.place.line:,}: {before:,} rows are done.")
        if report.is_lost:
            progress.say(f"The report {report_path} is gone; what fails from here on is in a new one.")
        interrupts = held.enter_context(
            Interrupts(
                lambda: progress.say("Waiting for the calls under way. Ctrl-C once more ends at once."),
                lambda: _end_at_once(progress),
            )
        )
        sending = Sending(
            client,
            source.rows(known.place),
            key_prefix=plan.key_prefix,
            defaults=defaults,
            pace=Pace(options.concurrency, options.retry_for, options.keep_going),
            report=report,
            journal=journal,
            progress=progress,
            interrupts=interrupts,
            known=known,
        )
        end = sending.run()
    if journal is None and end is End.DONE and not sending.totals.done:
        raise InputError("Standard input has no e-mails in it. Nothing was sent.")
    totals, place = sending.totals, sending.place
    say(summary.counts(totals))
    for line in summary.reasons(totals.reasons):
        say(line)
    if totals.done > before:
        say(summary.pace(totals.done - before, sending.seconds))
    for line in summary.next_steps(totals, report_path, is_done=end is End.DONE):
        say(line)
    if source.has_changed:
        tell(f"WARNING: {source.name} was written to while it was sent. Rows may be missing or cut.")
    if said := summary.ending(end, sending.ended_by, place.line, is_resumable=journal is not None):
        tell(f"poststack: {said}")
    if end is End.INTERRUPTED:
        return interrupts.status
    return 2 if end is not End.DONE else 1 if totals.failed else 0


def _end_at_once(progress: Progress) -> None:
    progress.close()
    tell(_AT_ONCE)


def _already_sent(source: Source, known: Checkpoint, report: Path) -> int:
    say(summary.already_sent(source.name, known.totals))
    if report.exists():
        for line in summary.next_steps(known.totals, report, is_done=True):
            say(line)
    return 1 if known.totals.failed else 0


def _look_at(source: Source, defaults: Mapping[str, Any]) -> None:
    """Raise `InputError` when there is nothing in the beginning that can be sent: that is no matter of single rows."""
    first, count = "", 0
    for row in islice(source.rows(source.start), _LOOKED_AT):
        email = None if row.payload is None else completed(row.payload, defaults, "key")
        problem = row.problem if email is None else problem_with(email)
        if problem is None:
            return
        first, count = first or f"Line {row.line:,}: {problem}", count + 1
    if not count:
        raise InputError(f"{source.name} has no e-mails in it. Nothing was sent.")
    all_of_them = "No row" if count < _LOOKED_AT else f"None of the first {count:,} rows"
    raise InputError(f"{all_of_them} of {source.name} can be sent, and nothing was. {first}")


def _api_key(options: argparse.Namespace) -> str:
    if options.api_key_file is None:
        key = os.environ.get("POSTSTACK_API_KEY", "")
    else:
        try:
            key = Path(options.api_key_file).read_text("utf-8-sig")
        except UnicodeDecodeError:
            key = ""
        except OSError as error:
            raise InputError(f"--api-key-file {options.api_key_file}: {error.strerror}.") from None
    key = key.strip()
    if not key:
        raise InputError("There is no API key. Set POSTSTACK_API_KEY, or name a file that it is in: --api-key-file.")
    return key


def _client(options: argparse.Namespace, key: str, base_url: str) -> PostStack:
    from poststack import PostStack

    try:
        return PostStack(key, base_url, rate_limit=options.rate_limit)
    except ValueError as error:
        raise InputError(str(error)) from None


def _complain(problem: str) -> int:
    tell(f"poststack: {problem}")
    return 2
