"""The file that is sent, or standard input: what kind it is, whether it is still the same, and its rows."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from poststack.sending_many.csv_table import Table, csv_rows, read_table
from poststack.sending_many.jsonl import jsonl_rows
from poststack.sending_many.rows import LONGEST_ROW, InputError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from poststack.sending_many.rows import Row

__all__ = ["STANDARD_INPUT", "Source"]

STANDARD_INPUT: Final = "-"
_FORMATS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
_CHUNK: Final = 1024 * 1024


class Source:
    """An open file. Raises `InputError` for one that cannot be sent, and for a wrong header."""

    def __init__(self, name: str, kind: str | None, delimiter: str | None) -> None:
        self.name = name
        self.is_standard_input: bool = name == STANDARD_INPUT
        self.path: Path = Path(name)
        self._file: BinaryIO = sys.stdin.buffer if self.is_standard_input else _opened(self.path)
        try:
            self.kind: str = kind or self._kind()
            if delimiter is not None and self.kind != "csv":
                raise InputError("--delimiter is for a CSV.")
            if self.path.suffix.lower() == ".tsv":
                delimiter = delimiter or "\t"
            self.table: Table | None = self._table(delimiter) if self.kind == "csv" else None
        except BaseException:
            self.close()
            raise
        self._state = self._now()

    @property
    def size(self) -> int | None:
        """In bytes, `None` for standard input."""
        return None if self.is_standard_input else self._state[0]

    @property
    def start(self) -> Place:
        """Where the rows begin."""
        return self.table.start if self.table else Place()

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the whole content. Reads all of it."""
        digest = hashlib.sha256()
        self._file.seek(0)
        while data := self._file.read(_CHUNK):
            digest.update(data)
        return digest.hexdigest()

    @property
    def has_changed(self) -> bool:
        """Whether somebody has written to the file since it was opened."""
        return not self.is_standard_input and self._now() != self._state

    def rows(self, start: Place) -> Iterator[Row]:
        """Yield the rows that follow a place."""
        if not self.is_standard_input:
            self._file.seek(start.offset)
        if self.table is not None:
            return csv_rows(self._file, self.table, start)
        return jsonl_rows(self._file, start)

    def close(self) -> None:
        """Close the file."""
        if not self.is_standard_input:
            self._file.close()

    def _kind(self) -> str:
        if self.is_standard_input:
            return "jsonl"
        kind = _FORMATS.get(self.path.suffix.lower())
        if kind is None:
            raise InputError(f"Whether {self.name} is JSON Lines or CSV is not to be seen: give --format.")
        return kind

    def _table(self, delimiter: str | None) -> Table:
        if not self.is_standard_input:
            return read_table(self._file, delimiter)
        # What is read of a pipe does not come again: the header, then, is one line.
        header = b"\n"
        while header and not header.strip():
            header = self._file.readline(LONGEST_ROW)
        return read_table(io.BytesIO(header), delimiter)

    def _now(self) -> tuple[int, int]:
        if self.is_standard_input:
            return 0, 0
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


def _opened(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a file. To send what a program writes, pipe it and give - as the file.")
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}.") from None
