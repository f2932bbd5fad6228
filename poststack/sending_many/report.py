"""The e-mails that failed, as a file of JSON Lines that can be sent like any other."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from poststack.sending_many.jsonl import FAILURE
from poststack.sending_many.rows import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from poststack.sending_many.outcomes import Failure
    from poststack.sending_many.rows import Row

__all__ = ["Report"]


class Report:
    """Writes failures. The file is made with the first one, for its owner's eyes only: whole e-mails are in it."""

    def __init__(self, path: Path, size: int) -> None:
        """Go on behind the first `size` bytes. Raises `InputError` when the file was changed.

        One that is gone, to be sent already perhaps, is begun anew; `is_lost` says so.
        """
        self.path = path
        self._file: int | None = None
        found = path.stat().st_size if path.exists() else 0
        self.is_lost: bool = size > 0 and not path.exists()
        # How much is on disk, and what follows it.
        self._kept, self._following = 0 if self.is_lost else size, bytearray()
        self._is_stale = found > self._kept
        if found < self._kept or not _ends_a_line(path, self._kept):
            raise InputError(
                f"The report {path} was changed since. Move it away, then give the same command: a new one is begun."
            )

    @property
    def size(self) -> int:
        """In bytes, as far as failures were added."""
        return self._kept + len(self._following)

    @property
    def unwritten(self) -> int:
        """Bytes that are not on disk yet."""
        return len(self._following)

    def add(self, row: Row, failure: Failure) -> None:
        """Add one: its payload with its key, and why it failed."""
        entry: dict[str, Any] = {**(row.payload or {}), FAILURE: failure.described(row.line, row.raw)}
        self._following += _encoded(entry) + b"\n"

    def sync(self) -> None:
        """Return when everything that was added is on disk. Raises `OSError` when it cannot be; then try again."""
        if not self._following and not self._is_stale:
            return
        try:
            self._write()
        except OSError as error:
            error.filename = str(self.path)
            raise

    def _write(self) -> None:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            # What a process has written that did not live to say so in the journal is written once more.
            os.ftruncate(self._file, self._kept)
            self._is_stale = False
        os.lseek(self._file, self._kept, os.SEEK_SET)
        data = bytes(self._following)
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)
        self._kept, self._following = self.size, bytearray()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _ends_a_line(path: Path, size: int) -> bool:
    if size == 0:
        return True
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _encoded(entry: dict[str, Any]) -> bytes:
    try:
        return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # Half of a surrogate pair, which is only possible as an escape.
        return json.dumps(entry, separators=(",", ":")).encode()
