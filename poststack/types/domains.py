"""Sending domains: DNS records, DKIM keys, DMARC reports, inbox placement (poststack-api §4.1)."""

from typing import Any, Literal

from poststack.types.common import NotRequired, PageMeta, TypedDict

__all__ = [
    "CreateDomain",
    "DkimRotation",
    "DkimRotationAnswer",
    "DkimRotationState",
    "DmarcDay",
    "DmarcReport",
    "DmarcReportQuery",
    "DmarcReports",
    "DmarcSource",
    "DmarcSources",
    "DmarcStats",
    "DmarcTotals",
    "DnsPurpose",
    "DnsRecord",
    "DnsRecordType",
    "Domain",
    "DomainAnswer",
    "DomainList",
    "DomainStatus",
    "DomainVerification",
    "InboxPlacement",
    "PlacementBucket",
    "PlacementProvider",
    "PlacementSignal",
    "PlacementTotals",
    "Region",
    "StreamPreference",
    "TlsMode",
    "UpdateDomain",
]

DomainStatus = Literal["pending", "verified", "failed"]
Region = Literal["eu-west-1", "us-east-1", "sa-east-1", "ap-northeast-1"]
TlsMode = Literal["opportunistic", "enforced"]
StreamPreference = Literal["any", "transactional", "marketing", "notification"]
DnsRecordType = Literal["TXT", "CNAME", "MX", "SRV"]
DnsPurpose = Literal["spf", "dkim", "dkim_rotation", "dmarc", "return_path", "mx", "imap", "submission"]
DkimRotationState = Literal["idle", "pending_dns", "ready", "retiring"]
PlacementBucket = Literal[
    "throttled",
    "reputation_block",
    "authentication",
    "content",
    "policy",
    "recipient",
    "infrastructure",
    "unknown",
]


class CreateDomain(TypedDict):
    """A domain to send from."""

    name: str
    region: NotRequired[Region]
    custom_return_path: NotRequired[str]
    open_tracking: NotRequired[bool]
    click_tracking: NotRequired[bool]
    tls_mode: NotRequired[TlsMode]


class UpdateDomain(TypedDict, total=False):
    """What to change; everything else stays."""

    open_tracking: bool
    click_tracking: bool
    tracking_domain: str | None
    """A CNAME of your own for links and pixels; `None` goes back to the service's."""
    tls_mode: TlsMode
    inbound_enabled: bool
    catch_all: bool
    stream_preference: StreamPreference
    bimi_logo_url: str | None


class DnsRecord(TypedDict):
    """One record to publish, and whether the API has seen it."""

    type: DnsRecordType
    name: str
    value: str
    purpose: DnsPurpose
    """`dkim_rotation` and `submission` are advice: a domain is verified without them."""
    verified: bool


class Domain(TypedDict):
    """A domain. Methods take the integer `id`."""

    id: int
    publicId: NotRequired[str]
    """`dom_…`, which API keys and mailboxes take as well."""
    name: str
    status: DomainStatus
    region: Region
    dnsRecords: list[DnsRecord]
    openTracking: bool
    clickTracking: bool
    trackingDomain: NotRequired[str | None]
    catchAll: bool
    inboundEnabled: NotRequired[bool]
    tlsMode: TlsMode
    streamPreference: NotRequired[StreamPreference]
    bimiLogoUrl: NotRequired[str | None]
    verifiedAt: NotRequired[str | None]
    createdAt: str


class DomainAnswer(TypedDict):
    """One domain."""

    domain: Domain


class DomainList(TypedDict):
    """All domains."""

    domains: list[Domain]


class DomainVerification(TypedDict):
    """A look at the DNS is queued; `domain` is as before it."""

    queued: NotRequired[bool]
    domain: Domain


class DmarcReportQuery(TypedDict, total=False):
    """Which page of reports. This endpoint alone spells it `perPage`; `per_page` is sent as that. 20 unless given."""

    page: int
    per_page: int
    perPage: int


class DmarcReport(TypedDict):
    """One aggregate report of a receiving provider."""

    id: int
    domainId: int
    reportId: str
    orgName: str
    """Whose report it is, such as `google.com`."""
    email: str | None
    dateRangeStart: str | None
    dateRangeEnd: str | None
    domain: str
    policyPublished: dict[str, Any] | None
    """The DMARC policy that the reporter saw."""
    status: Literal["pending", "processed", "error"]
    createdAt: str


class DmarcReports(TypedDict):
    """One page of reports."""

    reports: list[DmarcReport]
    pagination: PageMeta


class DmarcTotals(TypedDict):
    """Messages in the time asked for; `passed` passed DMARC, by aligned SPF or DKIM."""

    totalMessages: int
    passed: int
    spfPassed: int
    dkimPassed: int


class DmarcDay(TypedDict):
    """Messages of one day."""

    date: str
    total: int
    passed: int
    failed: int


class DmarcStats(TypedDict):
    """What the reports add up to."""

    totals: DmarcTotals
    daily: list[DmarcDay]


class DmarcSource(TypedDict):
    """Messages from one address."""

    sourceIp: str
    total: int
    passed: int
    failed: int


class DmarcSources(TypedDict):
    """Who sends in the domain's name."""

    sources: list[DmarcSource]


class DkimRotation(TypedDict):
    """How far the change to a new DKIM key is.

    `idle`: none under way. `pending_dns`: publish `pendingRecordName` with `pendingRecordValue`; the old key signs
    meanwhile. `ready`: the record was seen, and the new key signs from `activatesAfter` on. `retiring`: it does; leave
    the old record published until `retireAfter`, for mail that is on its way.
    """

    domainId: int
    state: DkimRotationState
    activeSelector: str | None
    pendingSelector: str | None
    pendingPublicKey: str | None
    pendingRecordName: str | None
    pendingRecordValue: str | None
    startedAt: str | None
    publishedAt: str | None
    activatesAfter: str | None
    retiredSelector: str | None
    retireAfter: str | None


class DkimRotationAnswer(TypedDict):
    """The state of a rotation."""

    rotation: DkimRotation


class PlacementTotals(TypedDict):
    """Counts and rates (0 to 1) of all providers. Accepted means that the server took it, in whichever folder."""

    sent: int
    accepted: int
    deferred: int
    bounced: int
    complained: int
    acceptanceRate: float | None
    complaintRate: float | None
    avgSpamScore: float | None


class PlacementSignal(TypedDict):
    """One kind of failure that a provider answered with."""

    bucket: PlacementBucket
    ownership: Literal["sender", "recipient", "unknown"]
    """Who can do something about it."""
    provider: str
    code: str | None
    message: str | None
    messages: int
    lastSeenAt: str


class PlacementProvider(TypedDict):
    """Counts of one provider."""

    provider: str
    sent: int
    accepted: int
    deferred: int
    bounced: int
    complained: int
    acceptanceRate: float | None


class InboxPlacement(TypedDict):
    """What providers did with the domain's mail. None of them tells which folder it went to."""

    windowDays: NotRequired[int]
    totals: PlacementTotals
    senderSignals: NotRequired[list[PlacementSignal]]
    recipientSignals: NotRequired[list[PlacementSignal]]
    providers: list[PlacementProvider]
