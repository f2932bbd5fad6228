"""Webhook calls as the providers make them, with keys and certificates that are real."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from poststack.events import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
MAILGUN_KEY = "key-of-webhooks"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-events"


class Call(NamedTuple):
    body: bytes
    headers: dict[str, str]


def public_text(key: ec.EllipticCurvePrivateKey = SENDGRID_KEY) -> str:
    """Return a public key as SendGrid's settings show it."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def sendgrid_call(
    events: object, *, key: ec.EllipticCurvePrivateKey = SENDGRID_KEY, timestamp: str | None = None
) -> Call:
    """Return a call of the Event Webhook, which ends its lines as SendGrid does."""
    body = json.dumps(events, indent=0).replace("\n", "\r\n").encode() + b"\r\n"
    stamp = str(int(time.time())) if timestamp is None else timestamp
    signature = key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return Call(
        body,
        {
            "Content-Type": "application/json;charset=utf-8",
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        },
    )


def mailgun_call(event: object, *, token: str = "t" * 50, key: str = MAILGUN_KEY, timestamp: str | None = None) -> Call:
    stamp = str(int(time.time())) if timestamp is None else timestamp
    signature = hmac.new(key.encode(), (stamp + token).encode(), hashlib.sha256).hexdigest()
    body = {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event}
    return Call(as_json(body), {"Content-Type": "application/json"})


class Heard(list[WebhookEvent]):
    """A handler that keeps what it is told."""

    def __call__(self, event: WebhookEvent) -> None:
        self.append(event)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self]


class SnsSender:
    """Amazon SNS: posts signed messages, offers the certificate, confirms subscriptions."""

    def __init__(self, topic: str = TOPIC, *, host: str = "sns.eu-west-1.amazonaws.com") -> None:
        self.topic = topic
        self.certificate_url = f"https://{host}/SimpleNotificationService-0123456789abcdef.pem"
        self.subscribe_url = f"https://{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f"
        self.fetched: list[str] = []
        self._key = rsa.generate_private_key(65537, 2048)
        self._certificate = _certificate(self._key)
        self._sent = 0

    def fetch(self, url: str) -> bytes:
        """Be the `fetch` of a source."""
        self.fetched.append(url)
        if url == self.certificate_url:
            return self._certificate
        if url == self.subscribe_url:
            return b"<ConfirmSubscriptionResponse/>"
        raise AssertionError(f"Nobody may ask for {url}.")

    async def afetch(self, url: str) -> bytes:
        """Be the `fetch` of a source that waits."""
        return self.fetch(url)

    def notify(self, message: object, *, subject: str | None = None, version: str = "1", **changes: Any) -> Call:
        text = message if isinstance(message, str) else json.dumps(message)
        fields = {"Type": "Notification", "Message": text}
        if subject is not None:
            fields["Subject"] = subject
        signed = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
        return self._call({**fields, **changes}, signed, version)

    def ask(self, kind: str = "SubscriptionConfirmation", **changes: Any) -> Call:
        """Post that an endpoint has been subscribed, or unsubscribed."""
        fields = {
            "Type": kind,
            "Message": f"You have chosen to subscribe to the topic {self.topic}.",
            "Token": "2336412f",
            "SubscribeURL": self.subscribe_url,
        }
        signed = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        return self._call({**fields, **changes}, signed, "1")

    def _call(self, fields: dict[str, Any], names: Iterable[str], version: str) -> Call:
        self._sent += 1
        now = datetime.now(timezone.utc)
        whole: dict[str, Any] = {
            "MessageId": f"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf{self._sent:03}",
            "TopicArn": self.topic,
            "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z",
            "SignatureVersion": version,
            "SigningCertURL": self.certificate_url,
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            **fields,
        }
        signed = "".join(f"{name}\n{whole[name]}\n" for name in names if name in whole).encode()
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        whole["Signature"] = base64.b64encode(self._key.sign(signed, padding.PKCS1v15(), algorithm)).decode()
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": str(whole["Type"]),
            "x-amz-sns-message-id": str(whole["MessageId"]),
            "x-amz-sns-topic-arn": str(whole["TopicArn"]),
        }
        return Call(as_json(whole), headers)


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)
