"""Tables of records: found by their keys, in order, due at their time, and told to the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from poststack.emulator.tables import Kind, Table


@dataclass
class Parcel:
    number: int
    label: str
    at: float | None = None


@dataclass
class Told:
    """A journal that writes down what it is told, with the content as it is when it is read."""

    changes: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    contents: dict[int, Callable[[], Mapping[str, Any]]] = field(
        default_factory=dict[int, Callable[[], Mapping[str, Any]]]
    )

    def changed(self, kind: str, number: int, content: Callable[[], Mapping[str, Any]]) -> None:
        self.changes.append(("changed", kind, number))
        self.contents[number] = content

    def removed(self, kind: str, number: int) -> None:
        self.changes.append(("removed", kind, number))
        del self.contents[number]


PARCELS = Kind("parcel", Parcel, keys={"label": lambda parcel: parcel.label}, due=lambda parcel: parcel.at)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def parcels(told: Told) -> Table[Parcel]:
    return Table(PARCELS, told)


def test_records_are_found_by_number_and_key(parcels: Table[Parcel]) -> None:
    first, second = Parcel(1, "a"), Parcel(2, "b")
    parcels.save(first)
    parcels.save(second)

    assert (parcels.get(1), parcels.find("label", "b")) == (first, second)
    assert (parcels.get(3), parcels.find("label", "c")) == (None, None)
    assert (parcels.all(), parcels.newest(), len(parcels)) == ([first, second], [second, first], 2)


def test_a_changed_key_is_found_and_the_old_one_is_not(parcels: Table[Parcel]) -> None:
    parcel = Parcel(1, "a")
    parcels.save(parcel)
    parcel.label = "z"
    parcels.save(parcel)

    assert (parcels.find("label", "a"), parcels.find("label", "z")) == (None, parcel)


def test_a_removed_record_leaves_nothing(parcels: Table[Parcel], told: Told) -> None:
    parcel = Parcel(1, "a", at=5.0)
    parcels.save(parcel)
    parcels.remove(parcel)

    assert (parcels.get(1), parcels.find("label", "a"), parcels.due(9.0), len(parcels)) == (None, None, None, 0)
    assert told.changes == [("changed", "parcel", 1), ("removed", "parcel", 1)]


def test_the_earliest_record_is_due_first_and_only_at_its_time(parcels: Table[Parcel]) -> None:
    late, early = Parcel(1, "late", at=20.0), Parcel(2, "early", at=10.0)
    parcels.save(late)
    parcels.save(early)

    assert (parcels.due(9.9), parcels.due(10.0), parcels.due(30.0)) == (None, early, early)
    early.at = None
    parcels.save(early)
    assert (parcels.due(19.9), parcels.due(20.0)) == (None, late)


def test_the_journal_reads_the_state_at_the_time_it_asks(parcels: Table[Parcel], told: Told) -> None:
    parcel = Parcel(1, "a")
    parcels.save(parcel)
    parcel.label = "b"

    assert told.contents[1]() == {"number": 1, "label": "b", "at": None}


def test_what_is_restored_is_no_change(parcels: Table[Parcel], told: Told) -> None:
    parcel = Parcel(7, "a", at=1.0)
    parcels.restore([parcel])

    assert (parcels.find("label", "a"), parcels.due(1.0), told.changes) == (parcel, parcel, [])


def test_a_cleared_table_is_empty_and_says_so(parcels: Table[Parcel], told: Told) -> None:
    parcels.save(Parcel(1, "a"))
    parcels.save(Parcel(2, "b"))
    parcels.clear()

    assert (parcels.all(), told.contents) == ([], {})
