"""Fields of contacts that a team defines for itself (poststack-api §4.3)."""

from typing import Literal

from poststack.types.common import NotRequired, TypedDict

__all__ = [
    "ContactProperty",
    "ContactPropertyAnswer",
    "ContactPropertyList",
    "ContactPropertyType",
    "CreateContactProperty",
    "OptionUsage",
    "UpdateContactProperty",
]

ContactPropertyType = Literal["text", "number", "boolean", "date", "select"]


class ContactProperty(TypedDict):
    """A property. Methods take the integer `id`."""

    id: int
    name: str
    label: str
    type: ContactPropertyType
    options: NotRequired[list[str] | None]
    required: bool
    createdAt: str


class ContactPropertyAnswer(TypedDict):
    """One property."""

    property: ContactProperty


class ContactPropertyList(TypedDict):
    """All properties."""

    properties: list[ContactProperty]


class CreateContactProperty(TypedDict):
    """A new property: `name` is its key, `label` what people read. `options` are those of a `select`."""

    name: str
    label: str
    type: ContactPropertyType
    options: NotRequired[list[str]]
    required: NotRequired[bool]


class UpdateContactProperty(TypedDict, total=False):
    """What to change; name and type stay."""

    label: str
    options: list[str]
    required: bool


class OptionUsage(TypedDict):
    """How many contacts hold each option."""

    usage: dict[str, int]
