"""Groups of contacts: picked by hand, or by rules (poststack-api §4.4)."""

from typing import Literal

from poststack.types.broadcasts import BroadcastStatus
from poststack.types.common import NotRequired, TypedDict
from poststack.types.contacts import Contact

__all__ = [
    "AddContacts",
    "AddedContacts",
    "CreateSegment",
    "Segment",
    "SegmentAnswer",
    "SegmentBroadcast",
    "SegmentBroadcasts",
    "SegmentComparator",
    "SegmentCondition",
    "SegmentDay",
    "SegmentGrowth",
    "SegmentList",
    "SegmentPreview",
    "SegmentRules",
    "SegmentSize",
    "UpdateSegment",
]

SegmentComparator = Literal[
    "equals",
    "not_equals",
    "contains",
    "starts_with",
    "ends_with",
    "greater_than",
    "less_than",
    "greater_than_or_equal",
    "less_than_or_equal",
    "before",
    "after",
    "in_last_days",
    "is_set",
    "is_not_set",
]


class SegmentCondition(TypedDict):
    """One condition. What it compares is a `comparator`; `operator` is how conditions are combined."""

    field: str
    """`email`, `firstName`, `lastName`, `unsubscribed`, `engagementSegment`, `createdAt`, `lastEngagedAt`,
    `emailsOpened`, `emailsClicked`, or `properties.<name>`."""
    comparator: SegmentComparator
    value: NotRequired[str]
    """At most 500 characters; a date is `YYYY-MM-DD`. None for `is_set` and `is_not_set`."""
    windowDays: NotRequired[int]
    """How far back `emailsOpened` and `emailsClicked` count: 1 to 365 days, 30 unless given."""


class SegmentRules(TypedDict):
    """1 to 50 conditions, of which all or any must hold."""

    operator: Literal["and", "or"]
    conditions: list[SegmentCondition]


class Segment(TypedDict):
    """A segment. `publicId` is the `seg_…` id that every method takes; `id` is internal."""

    id: int
    publicId: str
    name: str
    rules: SegmentRules | None
    """`None` when its contacts are picked by hand."""
    contactCount: int
    countUnavailable: NotRequired[bool]
    """True when the members could not be counted: `contactCount` is 0 then and means nothing."""
    createdAt: str
    updatedAt: str
    contacts: NotRequired[list[Contact]]
    """The first 100, in the answer of `get` only. `members` has all."""


class SegmentAnswer(TypedDict):
    """One segment."""

    segment: Segment


class SegmentList(TypedDict):
    """All segments."""

    segments: list[Segment]


class CreateSegment(TypedDict):
    """A new segment: with `rules` it fills itself, without them contacts are added to it."""

    name: str
    rules: NotRequired[SegmentRules | None]


class UpdateSegment(TypedDict, total=False):
    """What to change; everything else stays. `rules` of `None` turn it into one that is filled by hand."""

    name: str
    rules: SegmentRules | None


class AddContacts(TypedDict):
    """1 to 1,000 `con_…` ids."""

    contact_ids: list[str]


class AddedContacts(TypedDict):
    """How many were added."""

    added: int


class SegmentPreview(TypedDict):
    """Rules to try."""

    rules: SegmentRules


class SegmentSize(TypedDict):
    """How many contacts the rules choose."""

    count: int


class SegmentDay(TypedDict):
    """Members at the end of one day."""

    date: str
    members: int


class SegmentGrowth(TypedDict):
    """Members by day. Segments with rules have no history: `available` is false and `daily` empty."""

    available: NotRequired[bool]
    daily: list[SegmentDay]


class SegmentBroadcast(TypedDict):
    """A broadcast to the segment."""

    id: int
    publicId: str
    subject: str
    status: BroadcastStatus
    sentAt: str | None
    createdAt: str


class SegmentBroadcasts(TypedDict):
    """All broadcasts to the segment."""

    broadcasts: list[SegmentBroadcast]
