"""What a file consists of: rows, where each ends, and lines of bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["LONGEST_ROW", "NOT_UTF8", "InputError", "Line", "Place", "Row", "failed_row", "lines_of"]

LONGEST_ROW: Final = 48 * 1024 * 1024
"""Bytes. 25 MB of attachments are 34 MB of base64, and there is text beside them."""
NOT_UTF8: Final = "The row is not UTF-8. Convert the file, as with: iconv -f windows-1252 -t utf-8 FILE > NEW"
_LONGEST_RAW: Final = 20_000
"""Characters that are kept of a row that cannot be read."""
_BOM: Final = b"\xef\xbb\xbf"
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


class InputError(Exception):
    """The file as a whole cannot be sent; its text says what to do."""


class Place(NamedTuple):
    """How far a file is read: so many rows, lines and bytes are before it."""

    row: int = 0
    line: int = 0
    offset: int = 0


class Row(NamedTuple):
    """One row of a file: an e-mail, or what is wrong with it."""

    number: int
    """Counted from 0, rows that are wrong included."""
    line: int
    """Its first line, counted from 1."""
    after: Place
    payload: dict[str, Any] | None
    """What to send, without what options add; `None` when there is a `problem`."""
    problem: str | None = None
    raw: str = ""
    """Text of a row that could not be read, at most 20,000 characters."""


class Line(NamedTuple):
    """One line of a file, its line end included."""

    number: int
    data: bytes
    """`b""` for a line that is too long."""
    end: int
    is_too_long: bool = False


def failed_row(number: int, line: int, after: Place, problem: str, raw: bytes = b"") -> Row:
    """Return a row that cannot be read."""
    shown = raw[: 4 * _LONGEST_RAW].decode("utf-8", "replace").rstrip("\r\n")[:_LONGEST_RAW]
    return Row(number, line, after, None, problem, shown)


def lines_of(file: BinaryIO, start: Place, *, longest: int = LONGEST_ROW) -> Iterator[Line]:
    """Yield the lines that follow a place, at which the file stands already. The mark of UTF-8 is left out.

    Raises `InputError` for UTF-16, which has zeros between the letters.
    """
    number, offset = start.line, start.offset
    while data := file.readline(longest + 1):
        number += 1
        offset += len(data)
        if offset == len(data):
            if data.startswith(_WIDE_BOMS):
                raise InputError("The file is UTF-16. Save it as UTF-8: iconv -f utf-16 -t utf-8 FILE > NEW")
            data = data.removeprefix(_BOM)
        is_too_long = len(data) > longest
        if is_too_long:
            while not data.endswith(b"\n") and (data := file.readline(longest)):
                offset += len(data)
        yield Line(number, b"" if is_too_long else data, offset, is_too_long)
