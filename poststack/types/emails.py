"""Sending e-mails and reading what became of them (poststack-api §3)."""

from typing import Any, Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "Attachment",
    "BatchAnswer",
    "BatchEmails",
    "BatchResult",
    "Email",
    "EmailAnswer",
    "EmailEvent",
    "EmailEventType",
    "EmailEvents",
    "EmailInsights",
    "EmailPreview",
    "EmailQuery",
    "EmailStatus",
    "InsightWarning",
    "PreviewEmail",
    "PreviewSize",
    "SendEmail",
    "SentEmail",
    "SpamAction",
    "SpamReport",
    "SpamSymbol",
    "SpamWarning",
    "Tracking",
]

EmailStatus = Literal["queued", "sending", "deferred", "delivered", "bounced", "complained", "failed"]
EmailEventType = Literal[
    "queued",
    "sent",
    "delivered",
    "deferred",
    "bounced",
    "soft_bounced",
    "opened",
    "clicked",
    "complained",
    "unsubscribed",
    "failed",
]
SpamAction = Literal["no_action", "greylist", "add_header", "rewrite_subject", "soft_reject", "reject"]


class Attachment(TypedDict):
    """One file. `poststack.attachments` makes these from paths, bytes and file objects."""

    filename: str
    content: str
    """Base64. At most 10,000,000 bytes decoded, 25,000,000 for the whole e-mail."""
    content_type: NotRequired[str]
    content_id: NotRequired[str]
    """Makes the file inline: `<img src="cid:…">` shows it. Without angle brackets."""


class Tracking(TypedDict, total=False):
    """Overrides the domain's tracking defaults for one e-mail."""

    opens: bool
    clicks: bool


_Sender = TypedDict("_Sender", {"from": str})


class SendEmail(_Sender):
    """One e-mail to send. `from` is `addr@domain` or `Name <addr@domain>`.

    Annotate a payload that you build in a variable (`payload: SendEmail = {...}`), so that type checkers see its keys.
    """

    to: list[str]
    cc: NotRequired[list[str]]
    bcc: NotRequired[list[str]]
    reply_to: NotRequired[str]
    subject: NotRequired[str]
    """Required unless the template supplies one."""
    html: NotRequired[str]
    text: NotRequired[str]
    headers: NotRequired[dict[str, str]]
    tags: NotRequired[list[str]]
    attachments: NotRequired[list[Attachment]]
    idempotency_key: NotRequired[str]
    """Makes repeating the call harmless: the second time answers with the first id and `replayed`."""
    idempotency_window_hours: NotRequired[int]
    """Accepted and ignored by the API."""
    scheduled_at: NotRequired[str]
    """ISO 8601 in UTC."""
    template_id: NotRequired[str]
    variables: NotRequired[dict[str, str]]
    unsubscribe: NotRequired[bool]
    """Adds a one-click `List-Unsubscribe` header."""
    signature: NotRequired[Literal["auto", "none"]]
    tracking: NotRequired[Tracking]


class SentEmail(TypedDict):
    """The API has accepted the e-mail, or had done so before."""

    id: str
    replayed: NotRequired[bool]
    """True when the idempotency key matched an earlier send: nothing was sent again."""
    test_mode: NotRequired[bool]
    provider: NotRequired[str]
    """Which provider took it, when it was sent by a `poststack.mailbridge.MailBridge`."""


class BatchEmails(TypedDict):
    """1 to 100 e-mails for one call."""

    emails: list[SendEmail]


class BatchResult(TypedDict, total=False):
    """What became of one e-mail of a batch: accepted when it has an `id`, refused when it has an `error`."""

    id: str
    replayed: bool
    test_mode: bool
    provider: str
    error: str
    code: str


class BatchAnswer(TypedDict):
    """One result for each e-mail, in order."""

    data: list[BatchResult]


_SenderFilter = TypedDict("_SenderFilter", {"from": str}, total=False)


class EmailQuery(PageQuery, _SenderFilter, total=False):
    """Filters of a list: `from`, `to` and `subject` match any part, dates are `YYYY-MM-DD` or ISO 8601."""

    status: EmailStatus
    domain_id: int
    to: str
    subject: str
    tag: str
    date_from: str
    date_to: str
    provider: str
    country: str
    device: str


class SpamSymbol(TypedDict):
    """One rule that the spam filter matched."""

    name: str
    score: float
    description: NotRequired[str]


SpamWarning = SpamSymbol


class EmailEvent(TypedDict):
    """Something that happened to an e-mail."""

    id: int
    emailId: int
    eventType: EmailEventType
    metadata: dict[str, Any] | None
    geoCountry: str | None
    geoRegion: str | None
    geoCity: str | None
    uaClientName: str | None
    uaClientType: str | None
    uaOs: str | None
    uaDeviceType: str | None
    isPrefetch: bool
    createdAt: str


class Email(TypedDict):
    """An e-mail as stored. `publicId` is the `em_…` id that every method takes; `id` is internal."""

    id: int
    publicId: str
    fromAddress: str
    fromName: str | None
    toAddresses: list[str]
    ccAddresses: list[str] | None
    bccAddresses: list[str] | None
    replyTo: list[str] | None
    subject: str
    headers: dict[str, str] | None
    tags: list[str] | None
    status: EmailStatus
    testMode: bool
    recipientProvider: str | None
    unsubscribeEnabled: bool
    spamScore: str | None
    spamWarnings: list[SpamWarning] | None
    scheduledAt: str | None
    sentAt: str | None
    createdAt: str
    htmlBody: NotRequired[str | None]
    """In the answer of `get` only, like the two below."""
    textBody: NotRequired[str | None]
    events: NotRequired[list[EmailEvent]]


class EmailAnswer(TypedDict):
    """One e-mail with bodies and events."""

    email: Email


class EmailEvents(TypedDict):
    """The history of one e-mail."""

    events: list[EmailEvent]


class InsightWarning(TypedDict):
    """Advice about one e-mail."""

    code: str
    message: str
    severity: Literal["warning", "info"]


class EmailInsights(TypedDict):
    """All advice about one e-mail."""

    warnings: list[InsightWarning]


class PreviewEmail(_Sender):
    """An e-mail to look at without sending it: 1 to 5 recipients, content or a template."""

    to: list[str]
    subject: NotRequired[str]
    html: NotRequired[str]
    text: NotRequired[str]
    template_id: NotRequired[str]
    variables: NotRequired[dict[str, str]]


class SpamReport(TypedDict):
    """What the spam filter would say."""

    score: float
    action: SpamAction
    symbols: list[SpamSymbol]
    skipped: bool


class PreviewSize(TypedDict):
    """Sizes of the rendered bodies."""

    html_bytes: int
    text_bytes: int


class EmailPreview(TypedDict):
    """An e-mail as it would be sent."""

    rendered_subject: str
    rendered_html: str | None
    rendered_text: str | None
    size: PreviewSize
    spam: SpamReport
    warnings: list[InsightWarning]
