"""What is known for certain about a file that is being sent, on disk, so that a later process can go on.

Lines of JSON are added, none is ever changed. The first of a run names its keys and what it sends; each of the others
says how far everything is known. A line that a crash has cut off says nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from poststack.sending_many.locking import lock
from poststack.sending_many.outcomes import Totals
from poststack.sending_many.rows import InputError, Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Checkpoint", "Journal", "Plan"]

_FORMAT: Final = 1
_MARK: Final = "poststack_journal"


class Plan(NamedTuple):
    """What a run sends: what must be the same when another process goes on with it."""

    key_prefix: str
    size: int
    sha256: str
    options: Mapping[str, str]
    """A digest for each option that changes what is sent, or to whom it is given."""
    begun_at: int
    """Seconds since 1970."""
    report: str
    """Where failures are written, seen from the journal's folder."""


class Checkpoint(NamedTuple):
    """Everything before this place is known, and what failed of it is in the report."""

    place: Place
    report_size: int
    totals: Totals
    seconds: float
    is_finished: bool = False
    is_settled: bool = True
    """Whether nothing was under way whose outcome is not known."""
    noted_at: float = 0.0
    """Seconds since 1970."""


class Journal:
    """A journal that this process alone has open."""

    def __init__(self, path: Path, file: int, plan: Plan | None, checkpoint: Checkpoint | None) -> None:
        self.path = path
        self._file = file
        self.plan = plan
        """Of the last run, `None` when there has been none."""
        self.checkpoint = checkpoint
        """Of the last run, `None` when it has not got anywhere."""

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open or make the journal. Raises `InputError` when another process has it, or it is something else."""
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise InputError(
                f"The journal {path} cannot be written: {error.strerror}. Name another place with --journal, and "
                "with --report if nothing can be written beside the file."
            ) from None
        try:
            if not _locked(path, file):
                raise InputError(f"Another process is sending this file: it holds the journal {path}. Let it finish.")
            whole, plan, checkpoint = _read(path, file)
            # A line that was cut off would run into the next one.
            os.ftruncate(file, whole)
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, plan, checkpoint)

    def begin(self, plan: Plan) -> None:
        """Begin a run. Once this returns, its keys outlast a crash."""
        self._add({_MARK: _FORMAT, **plan._asdict(), "options": dict(plan.options)})
        _keep_name(self.path)
        self.plan, self.checkpoint = plan, None

    def note(self, checkpoint: Checkpoint) -> None:
        """Keep how far all is known. The report has to be on disk before."""
        self._add(_entry(checkpoint))
        self.checkpoint = checkpoint

    def report_to(self, report: str) -> None:
        """Have the run that was begun go on with another report, seen from the journal's folder."""
        assert self.plan is not None  # noqa: S101  # for type checkers
        plan = self.plan._replace(report=report)
        if self.checkpoint is None:
            self.begin(plan)
        else:  # In one line with how far it is, or a crash could leave one without the other.
            self._add({**_entry(self.checkpoint), "report": report})
            self.plan = plan

    def close(self) -> None:
        """Close the file, which lets others have it."""
        os.close(self._file)

    def _add(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        before = os.lseek(self._file, 0, os.SEEK_END)
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:  # A full disk: without this, half a line would run into the next one.
            os.ftruncate(self._file, before)
            error.filename = str(self.path)
            raise


def _locked(path: Path, file: int) -> bool:
    try:
        return lock(file)
    except OSError as error:
        raise InputError(
            f"The journal {path} cannot be locked: {error.strerror}. Name a place on a local disk with --journal."
        ) from None


def _keep_name(path: Path) -> None:
    # The name of a new file is kept with its folder. Not every system can open one.
    with contextlib.suppress(OSError):
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path, file: int) -> tuple[int, Plan | None, Checkpoint | None]:
    """Return how many bytes are whole lines, and the last run of them."""
    whole, plan, checkpoint = 0, None, None
    try:
        with os.fdopen(os.dup(file), "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    if plan is None and not _is_beginning(line):
                        raise _not_ours(path)
                    break
                entry = cast("dict[str, Any]", json.loads(line))
                if _MARK in entry:
                    plan, checkpoint = _plan(path, entry), None
                elif plan is None:
                    raise _not_ours(path)
                else:
                    checkpoint = _checkpoint(entry)
                    plan = plan._replace(report=entry.get("report", plan.report))
                whole += len(line)
    except (ValueError, TypeError, KeyError):
        raise _not_ours(path) from None
    return whole, plan, checkpoint


def _is_beginning(line: bytes) -> bool:
    """Return whether this can be left of the very first line; file systems may leave zeros in its place."""
    head = f'{{"{_MARK}"'.encode()
    return line.startswith(head) or head.startswith(line) or not line.strip(b"\0")


def _plan(path: Path, entry: Mapping[str, Any]) -> Plan:
    if entry[_MARK] != _FORMAT:
        raise InputError(f"The journal {path} is of another version of poststack. Go on with that version.")
    return Plan(**{name: entry[name] for name in Plan._fields})


def _checkpoint(entry: Mapping[str, Any]) -> Checkpoint:
    place = Place(**{name: entry[name] for name in Place._fields})
    totals, seconds, is_finished = Totals.from_json(entry), entry["seconds"], entry["finished"]
    return Checkpoint(place, entry["report_size"], totals, seconds, is_finished, entry["settled"], entry["at"])


def _entry(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        **checkpoint.place._asdict(),
        "report_size": checkpoint.report_size,
        **checkpoint.totals.as_json(),
        "seconds": round(checkpoint.seconds, 3),
        "finished": checkpoint.is_finished,
        "settled": checkpoint.is_settled,
        "at": round(checkpoint.noted_at),
    }


def _not_ours(path: Path) -> InputError:
    return InputError(
        f"{path} is not a journal of this command, or is damaged. Move it away; without it nothing is known of what "
        "was sent before. Or name another place with --journal."
    )
