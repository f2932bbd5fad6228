"""Where a run writes: the journal and the report are files of their own, and can be written before anything is sent."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from poststack.sending_many.rows import InputError
from poststack.sending_many.speech import tell

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_apart", "check_writable", "make_way"]

_MODE: Final = os.O_RDWR | getattr(os, "O_BINARY", 0)


def check_apart(source: Path | None, journal: Path | None, report: Path) -> None:
    """Raise `InputError` when two of these are one file, or when one that is written is no regular file."""
    if journal is not None:
        _check_regular(journal, "--journal")
        if _is_same(journal, report):
            raise InputError(f"The journal and the report are one file, {report}. Name another with --report.")
    _check_regular(report, "--report")
    if source is None:
        return
    for path, option, what in ((journal, "--journal", "journal"), (report, "--report", "report")):
        if path is not None and _is_same(source, path):
            raise InputError(f"{path} is the file to be sent, and cannot be its {what}. Name another with {option}.")
    # Where a report of the run before goes.
    old = _old(report)
    if _is_same(source, old) or (journal is not None and _is_same(journal, old)):
        raise InputError(f"{old} is where an older report is kept. Name another file with --report.")


def check_writable(report: Path) -> None:
    """Raise `InputError` when the report cannot be written; leave everything as it is.

    The report itself is made with the first failure. That would be late to hear that it cannot be.
    """
    target = os.path.realpath(report)
    try:
        if os.path.lexists(target):
            os.close(os.open(target, _MODE))
        else:
            os.close(os.open(target, _MODE | os.O_CREAT | os.O_EXCL, 0o600))
            os.unlink(target)
    except OSError as error:
        raise InputError(
            f"The report {report} cannot be written: {error.strerror}. Nothing was sent now. Put that right, or name "
            "another place with --report."
        ) from None


def make_way(report: Path, *, is_of_run_before: bool) -> None:
    """Make place for a new report. Raises `InputError` when something else has it."""
    if not report.exists() or not report.stat().st_size:
        return
    if not is_of_run_before:
        raise InputError(
            f"{report} is there already, and may hold e-mails that were never sent. Send it or move it away, or name "
            "another place for the report with --report."
        )
    old = _old(report)
    report.replace(old)
    tell(f"The report of the run before is {old} now.")


def _old(report: Path) -> Path:
    return report.with_name(f"{report.name}.old")


def _check_regular(path: Path, option: str) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:  # Not there yet, or whoever opens it says why not.
        return
    if not stat.S_ISREG(mode):
        raise InputError(f"{option} {path} is not a regular file. Name one, or one that is still to be made.")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # At least one is not there yet.
        return os.path.realpath(one) == os.path.realpath(other)
