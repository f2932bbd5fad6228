"""Records of one kind: kept in order, found by their keys, remembered in the data file, due at their time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from poststack.emulator.agenda import Agenda

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Changes", "Kind", "Table"]

R = TypeVar("R")


def _number(record: Any) -> int:
    return int(record.number)


def _as_dict(record: DataclassInstance) -> dict[str, Any]:
    return asdict(record)


@dataclass(frozen=True)
class Kind(Generic[R]):
    """What a table has to know of its records.

    `name` is what they are called in the data file, so it never changes. `write` turns a record into JSON and `read`
    such JSON into a record; the default of `write` is good for dataclasses, and `of` itself reads those without
    dataclasses inside. `keys` are ways to find a record by a text that no two share. `due` is when something is to
    happen to it next.
    """

    name: str
    read: Callable[..., R]
    write: Callable[[R], Mapping[str, Any]] = _as_dict  # type: ignore[assignment]  # fits every dataclass
    number: Callable[[R], int] = _number
    keys: Mapping[str, Callable[[R], str]] = field(default_factory=dict[str, Callable[[R], str]])
    due: Callable[[R], float | None] | None = None


class Changes(Protocol):
    """Who wants to know what changes in a table."""

    def changed(self, kind: str, number: int, content: Callable[[], Mapping[str, Any]]) -> None:
        """Note that a record is new or another now; `content` is its JSON when it is asked for."""
        ...

    def removed(self, kind: str, number: int) -> None:
        """Note that a record is gone."""
        ...


class Table(Generic[R]):
    """The records of one kind. What was changed in a record is kept by `save`, like a new record."""

    def __init__(self, kind: Kind[R], changes: Changes) -> None:
        self.agenda: Agenda = Agenda()
        self._kind = kind
        self._changes = changes
        self._records: dict[int, R] = {}
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in kind.keys}
        self._keys: dict[int, dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def all(self) -> list[R]:
        """Return all records, oldest first."""
        return list(self._records.values())

    def newest(self) -> list[R]:
        """Return all records, newest first."""
        return list(reversed(self._records.values()))

    def get(self, number: int) -> R | None:
        """Return the record with this number."""
        return self._records.get(number)

    def find(self, key: str, value: str) -> R | None:
        """Return the record whose key of this name has this value."""
        number = self._numbers[key].get(value)
        return None if number is None else self._records[number]

    def save(self, record: R) -> None:
        """Keep a new record, or the present state of one that is there."""
        self._index(record)
        self._changes.changed(self._kind.name, self._kind.number(record), lambda: self._kind.write(record))

    def remove(self, record: R) -> None:
        """Forget a record."""
        number = self._kind.number(record)
        del self._records[number]
        for name, value in self._keys.pop(number, {}).items():
            self._numbers[name].pop(value, None)
        self.agenda.put(number, None)
        self._changes.removed(self._kind.name, number)

    def clear(self) -> None:
        """Forget all records."""
        for record in self.all():
            self.remove(record)

    def due(self, now: float) -> R | None:
        """Return the record whose time came first, if it came: let happen what is due, then `save` it."""
        first = self.agenda.first()
        return self._records[first[1]] if first is not None and first[0] <= now else None

    def restore(self, records: Iterable[R]) -> None:
        """Take in what the data file holds, without noting it as a change."""
        for record in records:
            self._index(record)

    def _index(self, record: R) -> None:
        number = self._kind.number(record)
        self._records[number] = record
        keys = {name: key(record) for name, key in self._kind.keys.items()}
        if keys != (before := self._keys.get(number, {})):
            for name, value in before.items():
                self._numbers[name].pop(value, None)
            for name, value in keys.items():
                self._numbers[name][value] = number
            self._keys[number] = keys
        if self._kind.due is not None:
            self.agenda.put(number, self._kind.due(record))
