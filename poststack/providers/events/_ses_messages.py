"""What SES says of an e-mail: one message about one happening, at one recipient or several."""

from __future__ import annotations

import json
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from poststack.providers.events import _reading as reading
from poststack.providers.events._reading import (
    Fields,
    Kind,
    addresses_in,
    bare_id,
    codes_in,
    made_event,
    moment_from,
)

if TYPE_CHECKING:
    from datetime import datetime

    from poststack.events import WebhookEvent

__all__ = ["events_in"]

METADATA_HEADER: Final = "x-metadata"
TAG_HEADER: Final = "x-tag"
INBOUND: Final = "Received"

_KINDS: Final = {
    "Send": reading.QUEUED,
    "Delivery": reading.DELIVERED,
    "DeliveryDelay": reading.DEFERRED,
    "Complaint": reading.COMPLAINED,
    "Reject": reading.REJECTED,
    "Open": reading.OPENED,
    "Click": reading.CLICKED,
    "Rendering Failure": reading.FAILED,
}
# The object with the details is named otherwise than the event.
_DETAILS: Final = {
    "Bounce": "bounce",
    "Click": "click",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Open": "open",
    "Reject": "reject",
    "Rendering Failure": "failure",
    "Send": "send",
    "Subscription": "subscription",
}
_SUPPRESSED: Final = frozenset({"Suppressed", "OnAccountSuppressionList"})


class _At(NamedTuple):
    """A recipient, and what its server said."""

    address: str | None
    status: str | None = None
    diagnosis: str | None = None


def events_in(said: Fields, notification_id: str, told_at: datetime | None) -> list[WebhookEvent]:
    """Return an event for each recipient; none for what is about no e-mail that was sent."""
    name = said.text("eventType", "notificationType") or ""
    mail = said.part("mail")
    if not mail.raw or name == INBOUND:
        return []
    details = said.part(_DETAILS.get(name, name[:1].lower() + name[1:]))
    kind = _kind(name, details)
    places = _places(details, mail)
    at = moment_from(details.raw.get("timestamp"))
    if at is None and name == "Send":
        at = moment_from(mail.raw.get("timestamp"))
    described = details.text(
        "smtpResponse", "errorMessage", "reason", "complaintFeedbackType", "delayType", "bounceSubType"
    )
    message_id, headers = bare_id(mail.text("messageId")), _headers(mail)
    tags = _own_tags(mail)
    events: list[WebhookEvent] = []
    for number, place in enumerate(places):
        smtp, enhanced = codes_in(place.diagnosis, place.status, details.text("smtpResponse"))
        events.append(
            made_event(
                "ses",
                notification_id if len(places) == 1 else f"{notification_id}:{number}",
                kind,
                said.raw,
                timestamp=at or told_at,
                message_id=message_id,
                recipient=place.address,
                tags=[*headers.get(TAG_HEADER, ()), *tags.values()],
                metadata={**tags, **_metadata(headers)},
                description=place.diagnosis or described,
                event=name or None,
                bounce_subtype=details.text("bounceSubType"),
                feedback_type=details.text("complaintFeedbackType"),
                smtp_code=smtp,
                enhanced_code=enhanced,
                subject=mail.part("commonHeaders").text("subject"),
                url=details.text("link"),
                user_agent=details.text("userAgent"),
                ip=details.text("ipAddress"),
            )
        )
    return events


def _kind(name: str, details: Fields) -> Kind:
    if name == "Bounce":
        kind = details.text("bounceType")
        if kind == "Permanent":
            suppressed = details.text("bounceSubType") in _SUPPRESSED
            return reading.REJECTED if suppressed else reading.HARD_BOUNCE
        return reading.SOFT_BOUNCE if kind == "Transient" else reading.UNCLEAR_BOUNCE
    if name == "Subscription":
        return _subscription(details.part("newTopicPreferences"), details.part("oldTopicPreferences"))
    return _KINDS.get(name, reading.UNKNOWN)


def _subscription(new: Fields, old: Fields) -> Kind:
    if new.raw.get("unsubscribeAll") is True:
        return reading.UNSUBSCRIBED
    now, before = _topics(new), _topics(old)
    changed = {name: status for name, status in now.items() if before.get(name) != status} or now
    return reading.UNSUBSCRIBED if "OptOut" in changed.values() else reading.SUBSCRIBED


def _topics(preferences: Fields) -> dict[str | None, str | None]:
    found = preferences.parts("topicSubscriptionStatus")
    return {topic.text("topicName"): topic.text("subscriptionStatus") for topic in found}


def _places(details: Fields, mail: Fields) -> list[_At]:
    """Return the recipients: those that the details name, else all. Of opens and clicks, SES does not know whose."""
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        named = [
            _At(address, one.text("status"), one.text("diagnosticCode"))
            for one in details.parts(name)
            for address in addresses_in(one.text("emailAddress"))
        ]
        if named:
            return named
    everybody = addresses_in(*details.values("recipients")) or addresses_in(*mail.values("destination"))
    return [_At(address) for address in everybody] or [_At(None)]


def _headers(mail: Fields) -> dict[str, list[str]]:
    """Return the headers of the e-mail, if the topic is to have them."""
    found: dict[str, list[str]] = {}
    for header in mail.parts("headers"):
        name, value = header.text("name"), header.text("value")
        if name is not None and value is not None:
            found.setdefault(name.lower(), []).append(_decoded(value))
    return found


def _decoded(value: str) -> str:
    """Return a header's text as it was before RFC 2047, if it can be read."""
    try:
        return (str(make_header(decode_header(value))) if "=?" in value else value) or value
    except (HeaderParseError, LookupError, ValueError):
        return value


def _own_tags(mail: Fields) -> dict[str, str]:
    """Return the tags that were sent: SES adds some of its own."""
    tags = mail.part("tags").raw
    return {
        name: values[0] for name in tags if not name.startswith("ses:") and (values := reading.texts_in(tags[name]))
    }


def _metadata(headers: dict[str, list[str]]) -> dict[str, Any]:
    """Return what the e-mail carried as a header of JSON."""
    found: dict[str, Any] = {}
    for text in headers.get(METADATA_HEADER, ()):
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found |= cast("dict[str, Any]", value)
    return found
