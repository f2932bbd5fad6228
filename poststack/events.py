"""Webhooks: check who sent them and read what they say. No I/O, no framework.

The API signs the raw request body with HMAC-SHA256 and sends `X-PostStack-Signature: sha256=<hex>`; while a secret is
being rotated the header carries two such elements. The signature covers no time, so drop repeated events by `id`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from poststack.errors import WebhookSignatureError

__all__ = [
    "EVENT_TYPES",
    "PROVIDER_EVENT_TYPES",
    "SIGNATURE_HEADER",
    "EventType",
    "WebhookEvent",
    "construct_event",
    "parse_event",
    "sign",
    "verify",
]

SIGNATURE_HEADER = "X-PostStack-Signature"

EventType: TypeAlias = Literal[
    "email.queued",
    "email.sent",
    "email.delivered",
    "email.deferred",
    "email.bounced",
    "email.soft_bounced",
    "email.opened",
    "email.clicked",
    "email.complained",
    "email.unsubscribed",
    "email.failed",
    "email.inbound",
    "inbound_email.received",
]
"""The types that this version knows (poststack-api §6.1). Others may come, and are events like these."""
EVENT_TYPES: Final[frozenset[str]] = frozenset(get_args(EventType))
PROVIDER_EVENT_TYPES: Final[frozenset[str]] = frozenset({"email.subscribed", "email.unknown"})
"""What only other providers tell: somebody subscribes again, and what this version has no name for."""
_SCHEME = "sha256="
_HEX_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class WebhookEvent:
    """One event, of any type: types this version does not know parse like the others.

    `id` is the API's event id; where the API sends none it is a fingerprint of the raw body, so a repeated delivery
    still has the same one. `timestamp` is in UTC, `None` when absent or unreadable. `email_id` is the `em_…` id that
    `emails.send` returned, `None` for events that are not about one e-mail. An event of another provider has that
    provider's id of the e-mail, without angle brackets, and an id that begins with the provider's name.
    """

    id: str
    type: str
    timestamp: datetime | None
    email_id: str | None
    data: Mapping[str, Any] = field(repr=False)


def sign(payload: str | bytes, secret: str | Iterable[str]) -> str:
    """Return the signature header's value for this body; with several secrets, one element for each."""
    body = _to_bytes(payload)
    return ",".join(_SCHEME + _digest(body, one).hex() for one in _secrets(secret))


def verify(payload: str | bytes, signature_header: str | None, secret: str | Iterable[str]) -> bool:
    """Return whether the header carries a valid signature of the raw body under one of the secrets.

    Give the body as received, not parsed and written again. Malformed headers are false, never an error. Every
    candidate is compared in constant time. Raises `ValueError` when no secret is given: nothing could then be trusted.
    """
    expected = [_digest(_to_bytes(payload), one) for one in _secrets(secret)]
    matched = False
    for candidate in _candidates(signature_header):
        for digest in expected:
            matched |= hmac.compare_digest(candidate, digest)
    return matched


def parse_event(payload: str | bytes) -> WebhookEvent:
    """Read a webhook body *without* checking where it came from; use `construct_event` for anything received.

    Raises `ValueError` when the body is not a JSON object with a text `type`.
    """
    body = _to_bytes(payload)
    try:
        decoded: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("The webhook body is not JSON.") from error
    if not isinstance(decoded, dict):
        raise ValueError("The webhook body is not a JSON object.")
    event = cast("dict[str, Any]", decoded)
    kind, data = event.get("type"), event.get("data")
    if not isinstance(kind, str) or not kind:
        raise ValueError("The webhook body has no `type`.")
    fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    email_id, event_id = fields.get("email_id"), event.get("id")
    return WebhookEvent(
        id=event_id if isinstance(event_id, str) and event_id else "sha256:" + hashlib.sha256(body).hexdigest(),
        type=kind,
        timestamp=_parse_timestamp(event.get("timestamp")),
        email_id=email_id if isinstance(email_id, str) and email_id else None,
        data=fields,
    )


def construct_event(payload: str | bytes, signature_header: str | None, secret: str | Iterable[str]) -> WebhookEvent:
    """Verify, then parse. Give several secrets while one is being rotated.

    Raises `WebhookSignatureError` when no signature matches (answer 401), `ValueError` when a signed body is not an
    event (answer 400) or when no secret is given.
    """
    if not verify(payload, signature_header, secret):
        raise WebhookSignatureError(
            f"No signature in {SIGNATURE_HEADER} matches. Check that the secret is the one shown when the webhook was "
            "created or last rotated, and that the body is verified as received, before any parsing."
        )
    return parse_event(payload)


def _to_bytes(payload: str | bytes) -> bytes:
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def _secrets(secret: str | Iterable[str]) -> list[str]:
    secrets = [secret] if isinstance(secret, str) else list(cast("Iterable[object]", secret or ()))
    # An empty secret would let anybody sign; it, or None, is what an unset environment variable often becomes.
    if not secrets or not all(isinstance(one, str) and one for one in secrets):
        raise ValueError("No webhook secret was given. Pass the `signingSecret` shown when the webhook was created.")
    return cast("list[str]", secrets)


def _digest(body: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), body, "sha256")


def _candidates(header: str | None) -> list[bytes]:
    if not isinstance(header, str):
        return []
    found: list[bytes] = []
    for element in header.split(","):
        scheme, separator, value = element.strip().partition("=")
        if scheme == "sha256" and separator and _HEX_DIGEST.fullmatch(value.strip()):
            found.append(bytes.fromhex(value.strip()))
    return found


def _parse_timestamp(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        # fromisoformat reads the Z suffix only from Python 3.11 on.
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
