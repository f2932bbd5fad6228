"""Postmark's webhooks (Postmark developer documentation, "Webhooks"): one event a call, and no signature.

What tells its calls from others' are the user and password in the webhook's address, or headers that are configured
beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from poststack.providers.events import _reading as reading
from poststack.providers.events._credentials import Credentials, folded
from poststack.providers.events._reading import (
    Fields,
    Kind,
    bare_id,
    codes_in,
    decoded,
    digest,
    made_event,
    moment_from,
)
from poststack.providers.events.base import ProviderEvents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.events import WebhookEvent
    from poststack.receiving.checking import HiddenText

__all__ = ["PostmarkEvents"]

_KINDS: Final = {
    "Delivery": reading.DELIVERED,
    "SpamComplaint": reading.COMPLAINED,
    "Open": reading.OPENED,
    "Click": reading.CLICKED,
}
# Postmark developer documentation, "Bounce types". Those that are missing here are automatic answers and the like.
_BOUNCES: Final = {
    "HardBounce": reading.HARD_BOUNCE,
    "VirusNotification": reading.UNCLEAR_BOUNCE,
    "SoftBounce": reading.SOFT_BOUNCE,
    "Transient": reading.DEFERRED,
    "DnsError": reading.DEFERRED,
    "Unsubscribe": reading.UNSUBSCRIBED,
    "Subscribe": reading.SUBSCRIBED,
    "SpamNotification": reading.COMPLAINED,
    "SpamComplaint": reading.COMPLAINED,
    "BadEmailAddress": reading.REJECTED,
    "ManuallyDeactivated": reading.REJECTED,
    "Unconfirmed": reading.REJECTED,
    "Blocked": reading.REJECTED,
    "DMARCPolicy": reading.REJECTED,
    "SMTPApiError": reading.FAILED,
    "TemplateRenderingFailed": reading.FAILED,
}
_SUPPRESSIONS: Final = {
    "HardBounce": reading.HARD_BOUNCE,
    "SpamComplaint": reading.COMPLAINED,
    "ManualSuppression": reading.UNSUBSCRIBED,
}


class PostmarkEvents(ProviderEvents):
    """Reads Postmark's webhooks.

    `username` and `password` are those in the webhook's address, `headers` those that are configured with it; whatever
    is given must come with every call. Raises `ValueError` when nothing is given, or something empty.
    """

    name: ClassVar[str] = "postmark"
    title: ClassVar[str] = "Postmark"
    unusable: ClassVar[int] = 403
    """The one status that ends its repetitions."""

    def __init__(
        self,
        *,
        username: str | HiddenText | None = None,
        password: str | HiddenText | None = None,
        headers: Mapping[str, str | HiddenText] | None = None,
    ) -> None:
        self._credentials = Credentials(self.title, username=username, password=password, headers=headers)
        if not self._credentials.are_given:
            raise ValueError("Postmark needs `username` and `password`, or `headers`: anybody could call else.")
        self.challenges: bool = self._credentials.are_basic

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the event of a call; none for inbound mail. Raises `WebhookSignatureError` and `ValueError`."""
        self._credentials.check(folded(headers))
        fields = Fields(decoded(body, self.title))
        record = fields.text("RecordType")
        if record is None and "FromFull" not in fields.raw:
            raise ValueError("The body of Postmark's webhook call is no event.")
        return [] if record in {None, "Inbound"} else [_event(record or "", fields)]


def _event(record: str, fields: Fields) -> WebhookEvent:
    at = fields.text("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
    recipient, message_id = fields.text("Recipient", "Email"), bare_id(fields.text("MessageID"))
    kind, told = _kind(record, fields), fields.label("ID")
    event_id = (
        f"{record}:{told}"
        if told is not None and told != "0"
        else digest(record, message_id, recipient, at, fields.text("OriginalLink"), kind)
    )
    tag = fields.text("Tag")
    description = fields.text("Details", "Description")
    smtp, enhanced = codes_in(fields.text("Details"), description)
    geography, client = fields.part("Geo"), fields.part("Client")
    system = fields.part("OS").text("Name")
    return made_event(
        "postmark",
        event_id,
        kind,
        fields.raw,
        timestamp=moment_from(at),
        message_id=message_id,
        recipient=recipient,
        tags=[] if tag is None else [tag],
        metadata=fields.part("Metadata").raw,
        description=description,
        event=fields.text("Type") or record,
        smtp_code=smtp,
        enhanced_code=enhanced,
        subject=fields.text("Subject"),
        url=fields.text("OriginalLink"),
        user_agent=fields.text("UserAgent"),
        ip=geography.text("IP"),
        client=reading.client_from(client.text("Name"), fields.text("Platform"), system),
        location=reading.location_from(geography.text("Country"), geography.text("Region"), geography.text("City")),
        stream=fields.text("MessageStream"),
    )


def _kind(record: str, fields: Fields) -> Kind:
    if record == "Bounce":
        return _BOUNCES.get(fields.text("Type") or "", reading.UNKNOWN)
    if record == "SubscriptionChange":
        if fields.raw.get("SuppressSending") is False:
            return reading.SUBSCRIBED
        return _SUPPRESSIONS.get(fields.text("SuppressionReason") or "", reading.UNKNOWN)
    return _KINDS.get(record, reading.UNKNOWN)
