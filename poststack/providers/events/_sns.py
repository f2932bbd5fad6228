"""What Amazon SNS posts, and how it signs (Amazon SNS developer guide, "Verifying the signatures").

A certificate says that SNS made the call, and nothing about for whom: every customer of AWS can have SNS call any
address. So a topic must be known before anything else about a call counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from poststack.errors import WebhookSignatureError
from poststack.providers.events._reading import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Envelope", "is_certificate_url", "is_sns_url", "message_in", "opened"]

_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
# A region's name, and nothing that a bucket of S3 could be called: `sns.s3-….amazonaws.com` is anybody's.
_HOST: Final = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-\d+\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE: Final = re.compile(r"/SimpleNotificationService(?:-[A-Za-z0-9]+)?\.pem")


class Envelope(NamedTuple):
    """One call of SNS. Nothing of it is to be trusted before its signature is checked."""

    type: str
    message_id: str
    topic_arn: str
    timestamp: str
    message: str
    subscribe_url: str
    certificate_url: str
    version: str
    signature: bytes
    signed: bytes


def opened(found: object, headers: Mapping[str, str]) -> Envelope:
    """Return a call's envelope. Raises `WebhookSignatureError` for what has none that could be checked.

    Names of headers are given in lower case.
    """
    fields = Fields(found)
    kind = fields.text("Type") or ""
    message_id = fields.text("MessageId") or ""
    if headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
        raise WebhookSignatureError("The call is not signed: switch off raw message delivery of the subscription.")
    if kind not in _SIGNED or not message_id:
        raise WebhookSignatureError("The call is none of Amazon SNS.")
    for name, value in (("x-amz-sns-message-type", kind), ("x-amz-sns-message-id", message_id)):
        if headers.get(name, value) != value:
            raise WebhookSignatureError("The headers of the call are about another message than its body.")
    try:
        signature = base64.b64decode(fields.text("Signature") or "", validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    return Envelope(
        type=kind,
        message_id=message_id,
        topic_arn=fields.text("TopicArn") or "",
        timestamp=fields.text("Timestamp") or "",
        message=_exactly(fields, "Message") or "",
        subscribe_url=fields.text("SubscribeURL") or "",
        certificate_url=fields.text("SigningCertURL", "SigningCertUrl") or "",
        version=fields.label("SignatureVersion") or "",
        signature=signature,
        signed=_signed(kind, fields),
    )


def is_certificate_url(url: str) -> bool:
    """Return whether a certificate from this address is one of Amazon SNS."""
    return is_sns_url(url) and _CERTIFICATE.fullmatch(_path(url)) is not None


def is_sns_url(url: str) -> bool:
    """Return whether an address is one of Amazon SNS, over HTTPS."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    # Neither a user nor a port, behind which another host could hide.
    plain = parts.netloc == parts.hostname and port is None and url.isascii() and url.isprintable()
    return plain and parts.scheme == "https" and _HOST.fullmatch(parts.hostname or "") is not None


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if not parts.query and not parts.fragment else ""


def _signed(kind: str, fields: Fields) -> bytes:
    lines: list[str] = []
    for name in _SIGNED[kind]:
        value = _exactly(fields, name)
        if value is not None:
            lines += [name, value]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _exactly(fields: Fields, name: str) -> str | None:
    value = fields.raw.get(name)
    return value if isinstance(value, str) else None


def message_in(envelope: Envelope) -> Fields | None:
    """Return what SES says in a notification, `None` for the sentences by which topics are tried out."""
    try:
        return Fields(json.loads(envelope.message))
    except (ValueError, RecursionError):
        return None
