"""What the columns of a table stand for: fields of a send payload, and variables of a template."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from poststack.sending_many.rows import InputError
from poststack.types import SendEmail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Columns", "read_header"]

_FIELDS: Final = frozenset(SendEmail.__required_keys__ | SendEmail.__optional_keys__)
_LIKELY: Final = re.compile(r"e-?mail|address|recipient|mail", re.IGNORECASE)
_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})
_LONGEST_NAMES: Final = 200


class _Column(NamedTuple):
    name: str
    read: Callable[[str, str], Any] | None
    """Reads a cell, `None` for a variable."""


class Columns:
    """The columns of one table, in order."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._columns = columns

    @property
    def fields(self) -> list[str]:
        """Names of columns that are fields of an e-mail."""
        return [column.name for column in self._columns if column.read is not None]

    @property
    def variables(self) -> list[str]:
        """Names of columns that are variables."""
        return [column.name for column in self._columns if column.read is None]

    def payload(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return what a row says. An empty cell says nothing, except that a variable is empty.

        Raises `ValueError` for a row that is longer or shorter than the header, and for cells that cannot be read.
        """
        if len(cells) != len(self._columns):
            raise ValueError(f"The row has {len(cells)} columns; the header has {len(self._columns)}.")
        payload: dict[str, Any] = {}
        variables: dict[str, Any] = {}
        for column, cell in zip(self._columns, cells, strict=True):
            if column.read is None:
                variables[column.name] = cell
            elif cell.strip():
                payload[column.name] = column.read(column.name, cell)
        if variables:
            payload["variables"] = {**variables, **payload.get("variables", {})}
        return payload


def read_header(names: Sequence[str], delimiter: str) -> Columns:
    """Return the columns. Case and surrounding space do not count in names of fields.

    Raises `InputError` when there is no column for recipients, when a name is there twice, or missing.
    """
    columns = [_column(name) for name in names]
    seen: set[str] = set()
    for number, column in enumerate(columns, start=1):
        if not column.name:
            raise InputError(f"Column {number} has no name in the header. Name it, or remove it.")
        if column.name in seen:
            raise InputError(f"Two columns are called {column.name!r}. Rename one, or remove it.")
        seen.add(column.name)
    if "to" not in seen:
        raise _no_recipients([column.name for column in columns], delimiter)
    return Columns(columns)


def _no_recipients(names: Sequence[str], delimiter: str) -> InputError:
    # A file without a header has an address here, which is nobody's to see.
    shown = ", ".join("…" if "@" in name else name for name in names)
    if len(shown) > _LONGEST_NAMES:
        shown = f"{shown[:_LONGEST_NAMES]} …"
    likely = next((name for name in names if _LIKELY.search(name) and "@" not in name), None)
    hint = f" Rename {likely!r} to 'to'?" if likely else ""
    if any("@" in name for name in names):
        hint = " The first row seems to be an e-mail already: put a row of names before it."
    elif len(names) == 1:
        hint += f" It was read with the delimiter {delimiter!r}; give another with --delimiter."
    return InputError(f"The header has no column 'to', for the recipients. Its columns are: {shown}.{hint}")


def _column(name: str) -> _Column:
    name = name.strip()
    field = name.lower()
    return _Column(field, _READERS.get(field, _text)) if field in _FIELDS else _Column(name, None)


def _text(name: str, cell: str) -> str:
    return cell


def _line(name: str, cell: str) -> str:
    return cell.strip()


def _addresses(name: str, cell: str) -> list[str]:
    return [address for part in _split(cell) if (address := part.strip())]


def _split(cell: str) -> list[str]:
    """Split at commas and semicolons, but not inside a quoted name."""
    if '"' not in cell:
        return re.split("[,;]", cell)
    parts, quoted, escaped = [""], False, False
    for letter in cell:
        if letter in ",;" and not quoted:
            parts.append("")
            continue
        parts[-1] += letter
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = letter == "\\" and not escaped
    return parts


def _texts(name: str, cell: str) -> list[str]:
    return [text for part in re.split("[,;]", cell) if (text := part.strip())]


def _boolean(name: str, cell: str) -> bool:
    word = cell.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"`{name}` is true or false.")


def _whole_number(name: str, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise ValueError(f"`{name}` is a whole number.") from None


def _json(kind: type) -> Callable[[str, str], Any]:
    def read(name: str, cell: str) -> Any:
        try:
            value: object = json.loads(cell)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise ValueError(f"`{name}` is JSON, {'an object' if kind is dict else 'a list'}.")
        return cast("Any", value)

    return read


_READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "from": _line,
    "to": _addresses,
    "cc": _addresses,
    "bcc": _addresses,
    "reply_to": _line,
    "tags": _texts,
    "headers": _json(dict),
    "variables": _json(dict),
    "tracking": _json(dict),
    "attachments": _json(list),
    "unsubscribe": _boolean,
    "idempotency_key": _line,
    "idempotency_window_hours": _whole_number,
    "scheduled_at": _line,
    "template_id": _line,
    "signature": _line,
}
