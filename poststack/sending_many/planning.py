"""Whether a run begins, goes on where another one ended, or must not: what the journal says against what is given."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from poststack.sending_many.journal import Checkpoint, Plan
from poststack.sending_many.rows import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poststack.sending_many.journal import Journal
    from poststack.sending_many.source import Source

__all__ = ["Given", "anew", "is_reported_elsewhere", "kind_of_key", "planned", "resumed"]

_BASE_URL: Final = "--base-url"
_KEY_PREFIX: Final = "--key-prefix"
_KEY: Final = "the key"
_OTHER_KEY: Final = "another key"
_KEY_KINDS: Final = {"sk_test_": "a test key", "sk_live_": "a live key"}
_DAY: Final = 24 * 3600
_LONGEST_KEPT: Final = 13 * _DAY
"""Seconds. The API keeps keys for 14 days at least (poststack-api §5)."""
_SENDS_AGAIN: Final = (
    "send EVERYTHING AGAIN, also to those who got it already, but for rows with keys of their own: --restart"
)


class Given(NamedTuple):
    """What the user gives that has to stay the same."""

    options: Mapping[str, str]
    """What changes the e-mails or to whom they are given: digests, and texts that are no secret."""
    key_prefix: str | None
    report: Path


def kind_of_key(api_key: str) -> str:
    """Return what a key is for. What was sent with one kind is not sent with the other."""
    return next((kind for start, kind in _KEY_KINDS.items() if api_key.startswith(start)), _OTHER_KEY)


class Anew(NamedTuple):
    """Why a run begins anew unasked."""

    why: str
    key_prefix: str | None
    """That of the run before, under which nothing it may have sent is sent again."""


def planned(source: Source, given: Given, journal: Path | None, key_prefix: str | None = None) -> Plan:
    """Return the plan of a run that begins, with this prefix when none is given."""
    options = dict(given.options)
    if given.key_prefix is not None:
        options[_KEY_PREFIX] = given.key_prefix
    return Plan(
        given.key_prefix or key_prefix or f"send-many-{secrets.token_hex(8)}",
        source.size or 0,
        source.sha256 if journal else "",
        options,
        round(time.time()),
        _relative(given.report, journal) if journal else "",
    )


def anew(journal: Journal, source: Source, given: Given, now: float) -> Anew | None:
    """Return why a run begins anew although there is a journal, `None` when it goes on or asks first.

    It does when nothing can be sent twice by it: rows of a file that was changed have keys of their own, or nothing
    was accepted so far. `now` is in seconds since 1970.
    """
    plan, known = journal.plan, journal.checkpoint
    if plan is None or known is None:
        return None
    if _is_changed(plan, source):
        if not known.is_finished or not _has_keys_of_its_own(source):
            return None
        return Anew(
            f"{source.name} was sent to its end, and has been changed since. Its rows have keys of their own, under "
            "which none is sent twice: all of it is sent.",
            None,
        )
    changed = _changed_options(plan, given)
    totals = known.totals
    if not changed or totals.sent or totals.replayed or totals.unknown or _may_double(plan, known, now):
        return None
    # Calls under way may have been accepted after all. Under the same keys they are not sent again, with whatever
    # options; under other keys they would be.
    if _KEY_PREFIX in changed and not known.is_settled:
        return None
    return Anew(
        f"Nothing of {source.name} was sent so far. It begins anew, as these differ: {', '.join(changed)}.",
        plan.key_prefix,
    )


def resumed(journal: Journal, source: Source, given: Given, now: float, *, is_old_fine: bool) -> Checkpoint | None:
    """Return how far the run in the journal came, `None` when nothing is known of it.

    Raises `InputError` when the file, the options or the report are not those of that run, or when it is so long ago
    that the API may have forgotten its keys. `now` is in seconds since 1970.
    """
    plan, known = journal.plan, journal.checkpoint
    assert plan is not None  # noqa: S101  # for type checkers
    name = source.name
    if _is_changed(plan, source):
        raise InputError(_changed_file(name, known))
    if changed := _changed_options(plan, given):
        raise InputError(
            f"{name} was begun with other options; {_progress(known)} These differ: {', '.join(changed)}. You can\n"
            "  - go on with those it was begun with: give them as they were;\n"
            f"  - {_SENDS_AGAIN}."
        )
    # As long as nothing is in it, another report is as good.
    if known is not None and known.report_size and is_reported_elsewhere(plan, given, journal.path):
        raise InputError(
            f"The report of {name} was begun as {journal.path.parent / plan.report}. Give --report as it was then."
        )
    if not is_old_fine and _may_double(plan, known, now):
        raise InputError(
            f"{name} was last sent more than {_LONGEST_KEPT // _DAY} days ago, and ended while calls were under way. "
            "The API may have forgotten the keys of e-mails that were under way: those after line "
            f"{known.place.line if known else 0:,}. Look for them there. --even-if-old goes on nevertheless."
        )
    return known


def is_reported_elsewhere(plan: Plan, given: Given, journal: Path) -> bool:
    """Return whether another report is given than that of the run in the journal."""
    return plan.report != _relative(given.report, journal)


def _is_changed(plan: Plan, source: Source) -> bool:
    return plan.size != source.size or plan.sha256 != source.sha256


def _has_keys_of_its_own(source: Source) -> bool:
    """Return whether every row that can be read has one, as those of a report do."""
    return all(
        row.payload is None or row.payload.get("idempotency_key") is not None for row in source.rows(source.start)
    )


def _may_double(plan: Plan, known: Checkpoint | None, now: float) -> bool:
    if known is None:
        return now - plan.begun_at > _LONGEST_KEPT
    return not known.is_finished and not known.is_settled and now - known.noted_at > _LONGEST_KEPT


def _changed_file(name: str, known: Checkpoint | None) -> str:
    if known is not None and known.is_finished:
        return (
            f"{name} was sent to its end, and has been changed since: it is another file now. You can\n"
            "  - send all of it under new keys (rows with keys of their own keep them), also to those who got the old "
            "one: --restart;\n"
            "  - put only what is new into a file of another name, and send that."
        )
    return (
        f"{name} is not what it was when it was begun; {_progress(known)} You can\n"
        "  - put the old file back, and give the same command again: it goes on where it ended;\n"
        "  - put what is still to be sent into a file of another name, and send that;\n"
        f"  - {_SENDS_AGAIN}."
    )


def _progress(known: Checkpoint | None) -> str:
    done = known.totals.done if known else 0
    return f"{done:,} of its rows are known to be done." if done else "none of its rows is known to be done."


def _changed_options(plan: Plan, given: Given) -> list[str]:
    before, now = dict(plan.options), dict(given.options)
    if given.key_prefix is not None and given.key_prefix != plan.key_prefix:
        now[_KEY_PREFIX] = given.key_prefix
    else:  # Given or not, the keys are the same.
        before.pop(_KEY_PREFIX, None)
    if _OTHER_KEY in {before.get(_KEY), now.get(_KEY)}:
        del before[_KEY], now[_KEY]
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [_shown(name, before.get(name), now.get(name)) for name in sorted(names)]


def _shown(name: str, before: str | None, now: str | None) -> str:
    # Only what is no digest says something.
    if name in {_BASE_URL, _KEY}:
        return f"{name} (it was {before}, now it is {now})"
    return name


def _relative(path: Path, journal: Path) -> str:
    try:
        return os.path.relpath(path.absolute(), journal.absolute().parent)
    except ValueError:  # On another drive.
        return str(path.absolute())
