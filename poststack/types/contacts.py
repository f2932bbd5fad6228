"""People to write to (poststack-api §4.2)."""

from typing import Any, Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "Contact",
    "ContactAnswer",
    "ContactQuery",
    "CreateContact",
    "Engagement",
    "ImportContact",
    "ImportContacts",
    "ImportedContacts",
    "UpdateContact",
]

Engagement = Literal["active", "at_risk", "dormant"]


class Contact(TypedDict):
    """A contact. `publicId` is the `con_…` id that every method takes; `id` is internal."""

    id: int
    publicId: str
    email: str
    firstName: str | None
    lastName: str | None
    unsubscribed: bool
    properties: dict[str, Any] | None
    engagementSegment: Engagement
    """Counted anew each day from opens and clicks."""
    lastEngagedAt: str | None
    createdAt: str
    updatedAt: str


class ContactAnswer(TypedDict):
    """One contact."""

    contact: Contact


class CreateContact(TypedDict):
    """A new contact. The names of `properties` are those of `contact_properties`."""

    email: str
    first_name: NotRequired[str]
    last_name: NotRequired[str]
    unsubscribed: NotRequired[bool]
    properties: NotRequired[dict[str, Any]]


class UpdateContact(TypedDict, total=False):
    """What to change; everything else stays."""

    first_name: str
    last_name: str
    unsubscribed: bool
    properties: dict[str, Any]


class ContactQuery(PageQuery, total=False):
    """Filters of a list. Give `unsubscribed` as text: the query is written with `str`."""

    search: str
    """Any part of the address or of a name."""
    segment_id: str
    """A `seg_…` id. One that does not exist is ignored, and everybody is listed."""
    engagement_segment: Engagement
    unsubscribed: Literal["true", "false"]


class ImportContact(TypedDict):
    """One row of an import. Values of properties are text, of 4,096 characters at most."""

    email: str
    first_name: NotRequired[str]
    last_name: NotRequired[str]
    properties: NotRequired[dict[str, str]]


class ImportContacts(TypedDict):
    """1 to 10,000 rows for one call."""

    contacts: list[ImportContact]


class ImportedContacts(TypedDict):
    """How many are new, how many were there already and are unchanged, and what is wrong with the others."""

    imported: int
    skipped: int
    errors: list[str]
    """`<email>: <reason>`, of the first 100."""
