"""One e-mail to all contacts of a segment (poststack-api §4.7)."""

from typing import Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "AbTest",
    "AbVariant",
    "Broadcast",
    "BroadcastAnswer",
    "BroadcastFigures",
    "BroadcastMetric",
    "BroadcastPerformance",
    "BroadcastPerformanceList",
    "BroadcastPerformanceQuery",
    "BroadcastQuery",
    "BroadcastRow",
    "BroadcastStatus",
    "BroadcastTest",
    "BroadcastVariant",
    "BroadcastVariantStat",
    "BroadcastVariantStats",
    "BroadcastVariants",
    "CreateBroadcast",
    "NonResponder",
    "NonResponders",
    "NonRespondersBroadcast",
    "ResendBroadcast",
    "ResentBroadcast",
    "ResentDraft",
    "ResentSegment",
    "UpdateBroadcast",
]

BroadcastStatus = Literal["draft", "queued", "sending", "sent", "cancelled"]
BroadcastMetric = Literal["open_rate", "click_rate", "delivered"]


class AbVariant(TypedDict):
    """One version of the e-mail, and the share of the test that gets it: 1 to 100, 100 for all together."""

    name: str
    subject: str
    html: NotRequired[str]
    text: NotRequired[str]
    weight: int


class AbTest(TypedDict):
    """2 to 5 variants, the best of which goes to all others."""

    variants: list[AbVariant]
    test_sample_size: NotRequired[int]
    """The percentage of contacts that the test goes to: 5 to 50, 20 unless given."""
    test_duration_minutes: NotRequired[int]
    """30 to 1,440, 120 unless given."""


_Sender = TypedDict("_Sender", {"from": str})
_NewSender = TypedDict("_NewSender", {"from": str}, total=False)


class CreateBroadcast(_Sender):
    """A new broadcast, a draft until it is sent. Variants of `ab_test` replace subject and bodies."""

    segment_id: str
    """A `seg_…` id."""
    subject: str
    html: NotRequired[str]
    text: NotRequired[str]
    reply_to: NotRequired[str]
    name: NotRequired[str]
    """What you call it; recipients do not see it."""
    scheduled_at: NotRequired[str]
    """ISO 8601 in UTC."""
    topic_id: NotRequired[str]
    """A `top_…` id: contacts who do not want that topic are left out."""
    ab_test: NotRequired[AbTest]


class UpdateBroadcast(_NewSender, total=False):
    """What to change in a draft; everything else stays. A `topic_id` of `None` takes the topic away."""

    segment_id: str
    subject: str
    html: str
    text: str
    reply_to: str
    name: str
    scheduled_at: str
    topic_id: str | None
    ab_test: AbTest


class BroadcastQuery(PageQuery, total=False):
    """Filters of a list."""

    search: str
    """Any part of the subject."""
    status: BroadcastStatus


class Broadcast(TypedDict):
    """A broadcast. `publicId` is the id that every method takes; `id` is internal."""

    id: int
    publicId: str
    name: NotRequired[str | None]
    subject: str
    status: BroadcastStatus
    segmentPublicId: str | None
    topicPublicId: str | None
    segmentId: NotRequired[int | None]
    """Deprecated by the API: use `segmentPublicId`."""
    totalRecipients: int
    deliveredCount: int
    openedCount: int
    clickedCount: int
    bouncedCount: int
    createdAt: str
    sentAt: NotRequired[str | None]
    scheduledAt: NotRequired[str | None]


class BroadcastAnswer(TypedDict):
    """One broadcast."""

    broadcast: Broadcast


class ResendBroadcast(TypedDict, total=False):
    """Whom to write to again, and under which subject."""

    target: Literal["non_openers", "non_clickers"]
    subject: str


class ResentDraft(TypedDict):
    """The new draft."""

    id: str
    subject: str
    status: BroadcastStatus


class ResentSegment(TypedDict):
    """The new segment of those it goes to."""

    id: str
    name: str


class ResentBroadcast(TypedDict):
    """A draft for those who did not respond. Send it with its `broadcast["id"]`."""

    broadcast: ResentDraft
    segment: NotRequired[ResentSegment]
    recipientCount: NotRequired[int]


class BroadcastTest(TypedDict):
    """Where a test goes."""

    email: str


class BroadcastVariant(TypedDict):
    """One version of the e-mail and its counts."""

    id: int
    name: str
    subject: str
    weight: int
    deliveredCount: int
    openedCount: int
    clickedCount: int


class BroadcastVariants(TypedDict):
    """All versions."""

    variants: list[BroadcastVariant]


class BroadcastVariantStat(BroadcastVariant):
    """One version with rates, which are fractions of `recipientCount`, 0 to 1."""

    recipientCount: int
    bouncedCount: int
    openRate: float
    clickRate: float


class BroadcastVariantStats(TypedDict):
    """How the versions do."""

    variants: list[BroadcastVariantStat]
    winnerVariantId: NotRequired[int | None]
    """`None` while the test runs."""


class BroadcastRow(TypedDict):
    """The figures of one broadcast. `id` is its public id, rates are fractions of `total_recipients`, 0 to 1."""

    id: str
    subject: str
    status: BroadcastStatus
    sent_at: str | None
    total_recipients: int
    delivered: int
    opened: int
    clicked: int
    bounced: int
    open_rate: float
    click_rate: float


class BroadcastFigures(BroadcastRow):
    """The figures of one broadcast, which may still be under way."""

    in_progress: int


class BroadcastPerformance(TypedDict):
    """How one broadcast does."""

    broadcast: BroadcastFigures
    variants: NotRequired[BroadcastVariantStats | None]
    """`None` without an A/B test."""


class BroadcastPerformanceQuery(TypedDict, total=False):
    """What to rank by (`click_rate` unless given), since when (ISO 8601), and how many: 20 unless given, up to 100."""

    since: str
    metric: BroadcastMetric
    limit: int


class BroadcastPerformanceList(TypedDict):
    """Sent broadcasts, best first."""

    metric: NotRequired[BroadcastMetric]
    since: NotRequired[str | None]
    broadcasts: list[BroadcastRow]


class NonResponder(TypedDict):
    """A contact who did not respond. `id` is internal."""

    id: int
    email: str
    first_name: str | None
    last_name: str | None


class NonRespondersBroadcast(TypedDict):
    """The broadcast that they got."""

    id: str
    subject: str


class NonResponders(TypedDict):
    """Who did not open, or click in, a broadcast. `count` is of all, `contacts` has as many as asked for."""

    broadcast: NotRequired[NonRespondersBroadcast]
    count: NotRequired[int]
    contacts: list[NonResponder]
