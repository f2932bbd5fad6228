"""The fields of contacts that a team defines for itself, and which values they take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from poststack.emulator.model import read_iso
from poststack.emulator.tables import Kind
from poststack.types.contact_properties import ContactPropertyType

__all__ = ["CONTACT_PROPERTIES", "MAX_NUMBER", "MAX_TEXT", "ContactProperty", "PropertyValue"]

MAX_TEXT = 4_096
"""The longest text that a property holds, in characters."""

MAX_NUMBER = 10**15
"""The largest number, either way: beyond it not every program reads whole numbers exactly."""

PropertyValue = str | int | float | bool

# At most 400 digits: nobody means more, and Python refuses to read those with thousands.
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,400}\.[0-9]{1,400}")

_EXPECTED: dict[ContactPropertyType, str] = {
    "text": f"a text of at most {MAX_TEXT} characters",
    "number": f"a number of at most {MAX_NUMBER:,}",
    "boolean": "true or false",
    "date": "a date such as 2026-01-02, with or without a time",
    "select": "one of its options",
}


@dataclass
class ContactProperty:
    """A property. Contacts have its values under its `name`; `options` are those of a `select`."""

    number: int
    name: str
    label: str
    type: ContactPropertyType
    created_at: float
    options: Sequence[str] = ()
    required: bool = False

    @property
    def expected(self) -> str:
        """Say what its values are, as the end of a sentence that begins with "must be"."""
        return _EXPECTED[self.type]

    def takes(self, value: object) -> bool:
        """Return whether this may be its value."""
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            return False
        if self.type == "select":
            return value in self.options
        return self.type == "text" or read_iso(value) is not None

    def read(self, text: str) -> PropertyValue | None:
        """Return the value that a text stands for, as in files, where everything is text; `None` when it is none."""
        value: PropertyValue | None = text
        if self.type == "boolean":
            value = {"true": True, "false": False}.get(text.strip().lower())
        elif self.type == "number":
            value = _number(text)
        return value if self.takes(value) else None


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text.strip()):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text.strip()) else None


CONTACT_PROPERTIES = Kind("contact_property", ContactProperty, keys={"name": lambda entry: entry.name})
