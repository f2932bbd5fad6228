"""Rows of CSV: a header, then one e-mail a row. Delimiters and quotes are judged here, columns in `columns`."""

from __future__ import annotations

import csv
import re
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from poststack.sending_many.columns import Columns, read_header
from poststack.sending_many.rows import LONGEST_ROW, NOT_UTF8, InputError, Place, Row, failed_row, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from poststack.sending_many.rows import Line

__all__ = ["DELIMITERS", "Table", "csv_rows", "read_table"]

DELIMITERS: Final = (",", ";", "\t", "|")
"""What is looked for in a header. Of those that make equally many columns the first is taken."""


_NAMED_DELIMITER: Final = re.compile(rb"sep=([!#-~\t])\r?\n")
"""What Excel reads and writes above a header."""


class Table(NamedTuple):
    """What a header says, and where the rows begin."""

    delimiter: str
    columns: Columns
    start: Place


def read_table(file: BinaryIO, delimiter: str | None, *, longest: int = LONGEST_ROW) -> Table:
    """Read the header, with the delimiter that makes most columns of it unless one is given.

    Raises `InputError` for an empty file, and for a header without recipients, or with a name twice.
    """
    first = next(lines_of(file, Place(), longest=longest), None)
    above = Place()
    if first is not None and (named := _NAMED_DELIMITER.fullmatch(first.data)):
        above, delimiter = Place(0, first.number, first.end), delimiter or named[1].decode()
    tries: list[tuple[list[str], str, Place]] = []
    for candidate in [delimiter] if delimiter else DELIMITERS:
        file.seek(above.offset)
        records = _records(lines_of(file, above, longest=longest), candidate, longest)
        record = next((one for one in records if one.problem or any(one.cells)), None)
        if record is None:
            raise InputError("The file is empty. Its first row names the columns, such as to,name.")
        if record.problem is None:
            last = record.lines[-1]
            tries.append((record.cells, candidate, Place(0, last.number, last.end)))
    widest = max((len(names) for names, _, _ in tries), default=0)
    # Another delimiter does not mind a quote that is not closed, and makes one column of everything.
    if not tries or (widest == 1 and not delimiter and len(tries) < len(DELIMITERS)):
        raise InputError(
            "The header cannot be read: a quote in it is not closed, it is not UTF-8, or its lines end in CR alone."
        )
    names, chosen, start = next(one for one in tries if len(one[0]) == widest)
    return Table(chosen, read_header(names, chosen), start)


def csv_rows(file: BinaryIO, table: Table, start: Place, *, longest: int = LONGEST_ROW) -> Iterator[Row]:
    """Yield the rows that follow a place. Rows without any text are no rows. `longest` is in bytes.

    A row with a quote that is not closed would take the rows after it along, up to the next quote. It alone is wrong,
    and reading goes on with the line after it.
    """
    number = start.row
    for record in _records(lines_of(file, start, longest=longest), table.delimiter, longest):
        first, last = record.lines[0], record.lines[-1]
        after = Place(number + 1, last.number, last.end)
        if record.problem is not None:
            yield failed_row(number, first.number, after, record.problem, first.data)
        elif not any(cell.strip() for cell in record.cells):
            continue
        else:
            try:
                yield Row(number, first.number, after, table.columns.payload(record.cells))
            except ValueError as error:
                yield failed_row(number, first.number, after, str(error), b"".join(line.data for line in record.lines))
        number += 1


class _Record(NamedTuple):
    lines: list[Line]
    cells: list[str]
    problem: str | None = None


class _Feed:
    """Gives lines to `csv.reader`, and takes back those that it should not have taken."""

    def __init__(self, lines: Iterator[Line], longest: int) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._longest = longest
        self._size = 0
        self.taken: list[Line] = []
        self.is_utf8 = True

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        self._size += len(line.data)
        if self._size > self._longest or line.is_too_long:
            raise csv.Error("too long")
        try:
            return line.data.decode()
        except UnicodeDecodeError:
            self.is_utf8 = False
            return line.data.decode("utf-8", "replace")

    def begin(self) -> None:
        """Begin a record."""
        self.taken, self._size, self.is_utf8 = [], 0, True

    def keep_first(self) -> None:
        """Give all lines of this record but the first once more."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _records(lines: Iterator[Line], delimiter: str, longest: int) -> Iterator[_Record]:
    csv.field_size_limit(max(csv.field_size_limit(), longest))
    feed = _Feed(lines, longest)
    # Strict, or else text after a closing quote, which shows that one before it was not closed, would pass.
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            feed.keep_first()
            yield _Record(feed.taken, [], _problem(feed.taken[0], error, longest))
            continue
        if feed.is_utf8:
            yield _Record(feed.taken, cells)
            continue
        feed.keep_first()
        yield _Record(feed.taken, [], NOT_UTF8)


def _problem(line: Line, error: csv.Error, longest: int) -> str:
    if line.is_too_long:
        return f"The row is longer than {longest:,} bytes."
    if b'"' in line.data:
        return "The row has a quote that is not closed, or text after one. Quotes inside a text are doubled."
    if b"\r" in line.data.rstrip(b"\r\n"):
        return "The row has a carriage return in it that is not in quotes."
    return f"The row is not CSV: {error}."
