"""SendGrid's mail/send, version 3 (Twilio SendGrid API reference, "Mail Send").

One request carries one content and up to 1000 personalizations: e-mails that differ only in recipients, subject,
headers, metadata, variables and time travel together, each to see its own recipients only.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from poststack.providers._grouping import grouped
from poststack.providers._http import failure_from, first_object, json_bytes, json_object
from poststack.providers.base import Call, HttpProvider, SecretHeaders, required
from poststack.providers.capabilities import Capabilities, Unsupported, taken_options
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from datetime import datetime

    from poststack.providers.message import Address, Attachment, Message
    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = ["SendGrid"]

ENDPOINT: Final = "https://api.sendgrid.com/v3/mail/send"
EU_ENDPOINT: Final = "https://api.eu.sendgrid.com/v3/mail/send"
LARGEST_REQUEST: Final = 30 * 2**20
"""Bytes."""
MOST_RECIPIENTS: Final = 1000
"""Of one request; each personalization has one at least, so this bounds those as well."""
LONGEST_TAG: Final = 255
LARGEST_METADATA: Final = 10_000
"""Bytes, as JSON."""
_MAPPED: Final = (
    "attachments", "categories", "content", "from", "personalizations", "reply_to", "reply_to_list", "subject",
    "template_id", "tracking_settings",
)  # fmt: skip
_FORBIDDEN_HEADERS: Final = frozenset({"x-sg-id", "x-sg-eid"})


class SendGrid(HttpProvider):
    """Sends through SendGrid.

    `endpoint` is the whole address of mail/send; `region="eu"` is that of accounts in the European Union. `sandbox`
    has everything checked and nothing sent.
    """

    name = "sendgrid"
    title = "SendGrid"
    capabilities = Capabilities(
        recipients=MOST_RECIPIENTS,
        size=20_000_000,
        tags=10,
        scheduling=timedelta(hours=72),
    )

    def __init__(
        self, *, api_key: str, endpoint: str | None = None, region: str | None = None, sandbox: bool = False
    ) -> None:
        if region not in {None, "us", "eu"}:
            raise ValueError("SendGrid's `region` is 'us' or 'eu'.")
        self._url = endpoint or (EU_ENDPOINT if region == "eu" else ENDPOINT)
        self._sandbox = sandbox
        self._headers = SecretHeaders(
            {
                "Accept": "application/json",
                "Authorization": f"Bearer {required(api_key, 'api_key', self.title)}",
                "Content-Type": "application/json",
            }
        )

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and SendGrid cannot."""
        yield from super().unsupported(message, now)
        yield from taken_options(message, _MAPPED)
        if any(not tag.isascii() or len(tag) > LONGEST_TAG for tag in message.tags):
            yield Unsupported("tags", f"takes tags of at most {LONGEST_TAG} characters, all of them ASCII")
        if any(name.lower() in _FORBIDDEN_HEADERS for name, _ in message.headers):
            yield Unsupported("headers", "writes X-SG-ID and X-SG-EID itself")
        if message.metadata and len(json_bytes(message.metadata)) > LARGEST_METADATA:
            yield Unsupported("metadata", f"keeps at most {LARGEST_METADATA:,} bytes of metadata")

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: messages of the same content together, in chunks that SendGrid takes."""
        calls: list[Call[HttpRequest]] = []
        for group in grouped(messages, _content_key, most_recipients=MOST_RECIPIENTS, largest=LARGEST_REQUEST // 2):
            body = json_bytes(self._body(group))
            request = HttpRequest("POST", self._url, self._headers, body)
            calls.append(Call(request, group, separable=len(group) > 1))
        return calls

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return the same for all messages of the request: SendGrid gives it one id, and refuses it as a whole."""
        message_id = answer.headers.get("x-message-id")
        if answer.status in {200, 202}:
            details = {"status_code": answer.status}
            return [Outcome(message_id, request_id=message_id, details=details) for _ in call.messages]
        failure = self._refusal(answer, now)
        return [Outcome(failure=failure, request_id=failure.request_id) for _ in call.messages]

    def _refusal(self, answer: HttpResponse, now: float) -> Failure:
        said = json_object(answer.body)
        fields = first_object(said.get("errors"))
        message, field = fields.get("message"), fields.get("field")
        kind: FailureKind | None = None
        if answer.status == 403 and (field == "from" or "verified sender" in str(message).lower()):
            kind = "sender_not_verified"
        elif answer.status == 400 and isinstance(field, str) and field.startswith("personalizations"):
            kind = "invalid_recipient" if field.endswith(("email", ".to", ".cc", ".bcc")) else None
        elif answer.status == 401 and "credits" in str(message).lower():
            kind = "quota"
        request_id = said.get("id") or answer.headers.get("x-message-id")
        return failure_from(
            answer, now, title=self.title, kind=kind, message=message, code=field,
            retry_after=_until_reset(answer, now), request_id=request_id if isinstance(request_id, str) else None,
        )  # fmt: skip

    def _body(self, group: Sequence[Message]) -> dict[str, Any]:
        first = group[0]
        body: dict[str, Any] = {
            "personalizations": [_personalization(message) for message in group],
            "from": _address(first.sender),
        }
        if len(first.reply_to) == 1:
            body["reply_to"] = _address(first.reply_to[0])
        elif first.reply_to:
            body["reply_to_list"] = [_address(address) for address in first.reply_to]
        # Needed at the top also where each personalization has its own.
        if first.subject:
            body["subject"] = first.subject
        content = [
            {"type": kind, "value": value}
            for kind, value in (("text/plain", first.text), ("text/html", first.html))
            if value
        ]
        if content:
            body["content"] = content
        if first.template_id is not None:
            body["template_id"] = first.template_id
        if first.attachments:
            body["attachments"] = [_attachment(attachment) for attachment in first.attachments]
        if first.tags:
            body["categories"] = list(first.tags)
        tracking = _tracking(first)
        if tracking:
            body["tracking_settings"] = tracking
        if self._sandbox:
            body["mail_settings"] = {"sandbox_mode": {"enable": True}}
        return {**body, **first.options}


def _content_key(message: Message) -> Hashable:
    """Return what is the same for all e-mails of one request."""
    return (
        message.sender,
        message.reply_to,
        message.text,
        message.html,
        message.template_id,
        message.subject is None,
        message.attachments,
        message.tags,
        message.track_opens,
        message.track_clicks,
        # Options may hold anything, also what no set can hold; so each e-mail with some travels alone.
        id(message) if message.options else None,
    )


def _personalization(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"to": [_address(address) for address in message.to]}
    if message.cc:
        fields["cc"] = [_address(address) for address in message.cc]
    if message.bcc:
        fields["bcc"] = [_address(address) for address in message.bcc]
    if message.subject:
        fields["subject"] = message.subject
    if message.headers:
        fields["headers"] = dict(message.headers)
    if message.metadata:
        fields["custom_args"] = dict(message.metadata)
    if message.variables:
        legacy = message.template_id is not None and not message.template_id.startswith("d-")
        fields["substitutions" if legacy else "dynamic_template_data"] = dict(message.variables)
    if message.scheduled_at is not None:
        fields["send_at"] = int(message.scheduled_at.timestamp())
    return fields


def _address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name} if address.name else {"email": address.email}


def _attachment(attachment: Attachment) -> dict[str, str]:
    fields = {
        "content": base64.b64encode(attachment.content).decode("ascii"),
        "filename": attachment.filename,
        # Parameters are unreliable there; the bare type is not.
        "type": attachment.content_type.partition(";")[0].strip(),
        "disposition": "attachment",
    }
    if attachment.content_id is not None:
        fields |= {"disposition": "inline", "content_id": attachment.content_id}
    return fields


def _tracking(message: Message) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if message.track_opens is not None:
        settings["open_tracking"] = {"enable": message.track_opens}
    if message.track_clicks is not None:
        settings["click_tracking"] = {"enable": message.track_clicks, "enable_text": message.track_clicks}
    return settings


def _until_reset(answer: HttpResponse, now: float) -> float | None:
    """Return the seconds until the rate limit starts anew; SendGrid names the moment, in seconds since 1970."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    return max(float(reset) - now, 0.0) if answer.status == 429 and reset.isdigit() else None
