"""Mailgun's webhooks (Mailgun documentation, "Webhooks" and "Securing Webhooks"): one event a call.

The signature covers a time and a random token, and not the event. So whoever has seen one call could sign another with
it: a token is good for one event, and for a day.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar, Final

from poststack.errors import WebhookSignatureError
from poststack.providers.events import _reading as reading
from poststack.providers.events._reading import (
    Fields,
    Kind,
    addresses_in,
    bare_id,
    codes_in,
    decoded,
    digest,
    made_event,
    moment_from,
)
from poststack.providers.events.base import ProviderEvents
from poststack.receiving.checking import webhook_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.events import WebhookEvent
    from poststack.receiving.checking import Secrets

__all__ = ["MailgunEvents"]

MAX_AGE: Final = 86_400.0
"""Seconds. Mailgun tries for eight hours, and stores remember for four days."""
MOST_TOKENS: Final = 50_000

_KINDS: Final = {
    "accepted": reading.QUEUED,
    "delivered": reading.DELIVERED,
    "rejected": reading.REJECTED,
    "opened": reading.OPENED,
    "clicked": reading.CLICKED,
    "complained": reading.COMPLAINED,
    "unsubscribed": reading.UNSUBSCRIBED,
}


class MailgunEvents(ProviderEvents):
    """Reads Mailgun's webhooks.

    `signing_key` is the HTTP webhook signing key, which is not the API key; several while one is being replaced. A call
    that was signed more than `max_age` seconds ago is refused; `None` takes every age. An event's id is made of its
    call's token, so a store of events that all processes share is what keeps a token from being used again. Raises
    `ValueError` for a key that is empty.
    """

    name: ClassVar[str] = "mailgun"
    title: ClassVar[str] = "Mailgun"
    unusable: ClassVar[int] = 406
    """The one status that ends its repetitions."""

    def __init__(self, *, signing_key: Secrets, max_age: float | None = MAX_AGE) -> None:
        self._keys = [key.encode() for key in webhook_secrets(signing_key)]
        if not self._keys:
            raise ValueError("Mailgun needs `signing_key`, and it is empty: anybody could then call.")
        self._max_age = max_age
        self._used = _UsedTokens()

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the event of a call. Raises `WebhookSignatureError` and `ValueError`."""
        # Before the signature: it is inside.
        call = Fields(decoded(body, self.title))
        signature, fields = call.part("signature"), call.part("event-data")
        token = self._checked_token(signature)
        if not fields.raw:
            raise ValueError("The body of Mailgun's webhook call has no `event-data`.")
        if not self._used.is_for(token, digest(fields.raw.get("event"), fields.raw.get("id"))):
            raise WebhookSignatureError("The signature has been used for another event.")
        return [_event(token, fields)]

    def _checked_token(self, signature: Fields) -> str:
        timestamp, token = signature.label("timestamp") or "", signature.text("token") or ""
        signed = (timestamp + token).encode("utf-8", "surrogatepass")
        given = (signature.text("signature") or "").lower().encode("utf-8", "surrogatepass")
        right = False
        for key in self._keys:
            right |= hmac.compare_digest(hmac.digest(key, signed, "sha256").hex().encode(), given)
        if not right or not token:
            raise WebhookSignatureError(
                "The signature does not match. Compare the key with the HTTP webhook signing key in Mailgun's settings."
            )
        made = moment_from(timestamp)
        if self._max_age is not None and (made is None or made.timestamp() < time.time() - self._max_age):
            raise ValueError("The call is too old.")
        return token


class _UsedTokens:
    """What each token was used for, the latest ones, in this process."""

    def __init__(self) -> None:
        self._uses: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def is_for(self, token: str, use: str) -> bool:
        """Note the first use of a token; return whether this is it, or the same again."""
        with self._lock:
            first = self._uses.setdefault(token, use)
            while len(self._uses) > MOST_TOKENS:
                self._uses.popitem(last=False)
        return first == use


def _event(token: str, fields: Fields) -> WebhookEvent:
    said = fields.text("event") or ""
    status, info = fields.part("delivery-status"), fields.part("client-info")
    place, message = fields.part("geolocation"), fields.part("message").part("headers")
    # An e-mail that Mailgun refused has no recipient yet, but headers. With several it is about all of them.
    recipients = addresses_in(fields.text("recipient") or message.text("to"))
    description = (
        status.text("description") or status.text("message") or fields.part("reject").text("reason", "description")
    )
    smtp, enhanced = codes_in(status.text("message"), status.text("description"))
    code = status.raw.get("code")
    return made_event(
        "mailgun",
        token,
        _kind(said, fields),
        fields.raw,
        timestamp=moment_from(fields.raw.get("timestamp")),
        message_id=bare_id(message.text("message-id")),
        recipient=recipients[0] if len(recipients) == 1 else None,
        tags=reading.texts_in(fields.raw.get("tags")),
        metadata=fields.part("user-variables").raw,
        # Either may be empty.
        description=description,
        event=said or None,
        # Its own codes, such as 605 for what it has suppressed, are no SMTP codes.
        smtp_code=code if isinstance(code, int) and not isinstance(code, bool) and 200 <= code < 600 else smtp,
        enhanced_code=status.text("enhanced-code") or enhanced,
        subject=message.text("subject"),
        url=fields.text("url"),
        user_agent=info.text("user-agent"),
        ip=fields.text("ip"),
        client=reading.client_from(info.text("client-name"), info.text("device-type"), info.text("client-os")),
        location=reading.location_from(place.text("country"), place.text("region"), place.text("city")),
        retry_after=status.raw.get("retry-seconds"),
        test_mode=True if fields.part("flags").raw.get("is-test-mode") is True else None,
    )


def _kind(said: str, fields: Fields) -> Kind:
    if said != "failed":
        return _KINDS.get(said, reading.UNKNOWN)
    if fields.text("severity") == "temporary":
        return reading.DEFERRED
    reason = fields.text("reason") or ""
    if reason.startswith("suppress-"):
        return reading.REJECTED
    # It has tried for hours, and says nothing against the address.
    return reading.SOFT_BOUNCE if reason == "old" else reading.HARD_BOUNCE
