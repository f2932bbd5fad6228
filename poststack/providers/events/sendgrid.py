"""SendGrid's Event Webhook (Twilio SendGrid documentation, "Event Webhook Reference" and "Security Features").

One call brings many events, of many e-mails. It is signed with a key of the account: ECDSA on P-256 over the time in a
header and the raw body.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from typing import TYPE_CHECKING, ClassVar, Final

from poststack.errors import WebhookSignatureError
from poststack.providers.events import _reading as reading
from poststack.providers.events._credentials import folded
from poststack.providers.events._cryptography import elliptic_key, is_signed_with
from poststack.providers.events._reading import (
    Fields,
    Kind,
    bare_id,
    codes_in,
    decoded,
    digest,
    made_event,
    moment_from,
    objects_in,
)
from poststack.providers.events.base import ProviderEvents
from poststack.receiving.checking import MAX_AGE, webhook_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.events import WebhookEvent
    from poststack.receiving.checking import Secrets

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "SendGridEvents"]

SIGNATURE_HEADER: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

_KINDS: Final = {
    "processed": reading.QUEUED,
    "delivered": reading.DELIVERED,
    "deferred": reading.DEFERRED,
    "bounce": reading.HARD_BOUNCE,
    "dropped": reading.REJECTED,
    "open": reading.OPENED,
    "click": reading.CLICKED,
    "spamreport": reading.COMPLAINED,
    "unsubscribe": reading.UNSUBSCRIBED,
    "group_unsubscribe": reading.UNSUBSCRIBED,
    "group_resubscribe": reading.SUBSCRIBED,
}
# What SendGrid itself says. Everything else at the top of an event is a custom argument: our metadata.
_OWN: Final = frozenset(
    {
        "asm_group_id", "attempt", "bounce_classification", "category", "cert_err", "email", "event", "ip",
        "marketing_campaign_id", "marketing_campaign_name", "marketing_campaign_split_id",
        "marketing_campaign_version", "newsletter", "pool", "reason", "response", "send_at", "sg_content_type",
        "sg_event_id", "sg_machine_open", "sg_message_id", "sg_template_id", "sg_template_name", "sg_user_id",
        "singlesend_id", "singlesend_name", "smtp-id", "status", "template_id", "timestamp", "tls", "type", "url",
        "url_offset", "useragent",
    }
)  # fmt: skip
_ID_OF_TODAY: Final = re.compile(r"([A-Za-z0-9_-]{22})(?:\.|$)")
# Ids of old have dots of their own. What is appended begins with the kind of server.
_APPENDED: Final = re.compile(r"\.(?:filter|recv)")


class SendGridEvents(ProviderEvents):
    """Reads SendGrid's Event Webhook.

    `public_key` is the verification key from the webhook's settings, several while one is being replaced. A call that
    was signed more than `max_age` seconds ago is refused; `None` takes every age. Needs the extra `webhooks`. Raises
    `ValueError` for a key that is none.
    """

    name: ClassVar[str] = "sendgrid"
    title: ClassVar[str] = "SendGrid"

    def __init__(self, *, public_key: Secrets, max_age: float | None = MAX_AGE) -> None:
        # A key in PEM has line breaks, and neither form has commas.
        keys = [elliptic_key(text, self.title) for text in webhook_secrets(public_key)]
        if not keys:
            raise ValueError("SendGrid needs `public_key`, and it is empty: anybody could then call.")
        self._keys = keys
        self._max_age = max_age

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call. Raises `WebhookSignatureError` and `ValueError`."""
        self._check(body, folded(headers))
        found = decoded(body, self.title)
        events = [_event(fields) for fields in objects_in(found) or objects_in([found])]
        if not events and found != []:
            raise ValueError("The body of SendGrid's webhook call is no list of events.")
        return events

    def _check(self, body: bytes, headers: Mapping[str, str]) -> None:
        timestamp = headers.get(TIMESTAMP_HEADER.lower(), "")
        try:
            signature = base64.b64decode(headers.get(SIGNATURE_HEADER.lower(), ""), validate=True)
            signed = timestamp.encode("ascii") + body
        except (binascii.Error, ValueError):
            signature, signed = b"", body
        if not any(is_signed_with(key, signature, signed) for key in self._keys):
            raise WebhookSignatureError(
                "The signature does not match. Compare the key with the verification key in SendGrid's settings."
            )
        made = moment_from(timestamp)
        if self._max_age is not None and (made is None or made.timestamp() < time.time() - self._max_age):
            raise ValueError("The call is too old.")


def message_id_of(sg_message_id: str | None) -> str | None:
    """Return what SendGrid answered to the request as `X-Message-Id`: events have a server's name and more after it."""
    if sg_message_id is None:
        return None
    if found := _ID_OF_TODAY.match(sg_message_id):
        return found[1]
    return bare_id(_APPENDED.split(sg_message_id, maxsplit=1)[0])


def _event(fields: Fields) -> WebhookEvent:
    said = fields.text("event") or ""
    kind: Kind = _KINDS.get(said, reading.UNKNOWN)
    if said == "bounce" and fields.text("type") == "blocked":
        kind = reading.BLOCKED
    description = fields.text("reason", "response")
    smtp, enhanced = codes_in(description, fields.text("status"))
    return made_event(
        "sendgrid",
        fields.text("sg_event_id") or digest(fields.raw),
        kind,
        fields.raw,
        timestamp=moment_from(fields.raw.get("timestamp")),
        message_id=message_id_of(fields.text("sg_message_id")),
        recipient=fields.text("email"),
        tags=reading.texts_in(fields.raw.get("category")),
        metadata={name: value for name, value in fields.raw.items() if name not in _OWN},
        description=description,
        event=said or None,
        smtp_code=smtp,
        enhanced_code=enhanced,
        url=fields.text("url"),
        user_agent=fields.text("useragent"),
        ip=fields.text("ip"),
        machine=True if fields.raw.get("sg_machine_open") is True else None,
    )
