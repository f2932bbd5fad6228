"""SendGrid's mail/send, version 3 (Twilio SendGrid API reference, "Mail Send").

One request carries one content and up to 1000 personalizations: e-mails that differ only in recipients, subject,
headers, metadata, variables and time travel together, each to see its own recipients only.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta
from email.header import Header
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.providers._grouping import grouped
from poststack.providers._http import KEY_FIELD, checked_endpoint, failure_from, json_bytes, json_object, text_of
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
LARGEST_REQUEST: Final = 30_000_000
"""Bytes, as they travel."""
MOST_RECIPIENTS: Final = 1000
"""Of one request; each personalization has one at least, so this bounds those as well."""
LONGEST_TAG: Final = 255
LARGEST_METADATA: Final = 10_000
"""Bytes, as JSON; of one e-mail."""
LARGEST_SUBSTITUTIONS: Final = 10_000
"""Bytes, as JSON; of one e-mail with a legacy template."""
_MAPPED: Final = (
    "attachments", "categories", "content", "custom_args", "from", "headers", "personalizations", "reply_to",
    "reply_to_list", "send_at", "subject", "template_id",
)  # fmt: skip
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FORBIDDEN_HEADERS: Final = frozenset({"x-sg-id", "x-sg-eid"})


class SendGrid(HttpProvider):
    """Sends through SendGrid.

    `endpoint` is the whole address of mail/send; `region="eu"` stands for that of subusers in the European Union.
    `sandbox` has everything checked and nothing sent, so there are no ids and no events. The subject of a template that
    has one wins over the e-mail's. Names of files outside ASCII are said to arrive garbled.
    """

    name = "sendgrid"
    title = "SendGrid"
    capabilities = Capabilities(
        recipients=MOST_RECIPIENTS,
        size=20_000_000,
        reply_to=1000,
        tags=10,
        scheduling=timedelta(hours=72),
    )

    def __init__(
        self, *, api_key: str, endpoint: str | None = None, region: str | None = None, sandbox: bool = False
    ) -> None:
        if region not in {None, "us", "eu"}:
            raise ValueError("SendGrid's `region` is 'us' or 'eu'.")
        if endpoint is not None and region is not None:
            raise ValueError("SendGrid's `endpoint` and `region` both say where to send. Give one of them.")
        if not isinstance(cast("object", sandbox), bool):
            raise ValueError("SendGrid's `sandbox` is True or False.")
        self._url = EU_ENDPOINT if region == "eu" else ENDPOINT
        if endpoint is not None:
            self._url = checked_endpoint(endpoint, self.title, ENDPOINT)
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
        yield from _unsupported_tracking(message)
        tags = tuple(tag for tag in message.tags if tag.isascii() and len(tag) <= LONGEST_TAG)
        if tags != message.tags:
            reason = f"takes tags of at most {LONGEST_TAG} characters, all of them ASCII"
            yield Unsupported("tags", reason, replace(message, tags=tags))
        headers = tuple(pair for pair in message.headers if pair[0].lower() not in _FORBIDDEN_HEADERS)
        if headers != message.headers:
            yield Unsupported("headers", "writes X-SG-ID and X-SG-EID itself", replace(message, headers=headers))
        if message.metadata and len(json_bytes(message.metadata)) > LARGEST_METADATA:
            reason = f"keeps at most {LARGEST_METADATA:,} bytes of metadata"
            yield Unsupported("metadata", reason, replace(message, metadata={}))
        if not all(attachment.content for attachment in message.attachments):
            files = tuple(attachment for attachment in message.attachments if attachment.content)
            yield Unsupported("attachments", "takes no empty files", replace(message, attachments=files))
        if message.template_id is not None:
            yield from _unsupported_template(message)
        yield from self._too_large(message)

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: messages of the same content together, in chunks that SendGrid takes."""
        calls: list[Call[HttpRequest]] = []
        for group in grouped(messages, _content_key, most_recipients=MOST_RECIPIENTS, largest=LARGEST_REQUEST):
            calls += self._calls(group)
        return calls

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return the same for all messages of the request: SendGrid gives it one id, and refuses it as a whole."""
        message_id = text_of(answer.headers.get("x-message-id")).strip("<>") or None
        # It says "accepted" without a body. What has a body and no id was said by somebody in between.
        is_accepted = answer.status in {200, 202} and (message_id is not None or not answer.body.strip())
        if answer.status == 200 and message_id is None and not self._is_sandbox(call.messages[0]):
            is_accepted = False
        if is_accepted:
            details = {"status_code": answer.status}
            return [Outcome(message_id, request_id=message_id, details=details) for _ in call.messages]
        failure = self._refusal(answer, now)
        return [Outcome(failure=failure, request_id=failure.request_id) for _ in call.messages]

    def _refusal(self, answer: HttpResponse, now: float) -> Failure:
        said = json_object(answer.body)
        errors = _errors(said.get("errors"))
        text = " ".join(dict.fromkeys(filter(None, (text_of(error.get("message")) for error in errors))))
        fields = [error.get("field") for error in errors]
        kind: FailureKind | None = None
        if answer.status == 403 and ("from" in fields or "verified sender" in text.lower()):
            kind = "sender_not_verified"
        elif answer.status == 400 and fields and all(map(_names_a_recipient, fields)):
            kind = "invalid_recipient"
        elif answer.status == 401 and "credits" in text.lower():
            kind = "quota"
        elif answer.status in {200, 202}:
            text = "something that it does not promise, so the e-mail may have been sent."
        request_id = said.get("id") or answer.headers.get("x-message-id")
        return failure_from(
            answer, now, title=self.title, kind=kind, message=text, code=fields[0] if fields else None,
            retry_after=_until_reset(answer, now), request_id=request_id if isinstance(request_id, str) else None,
        )  # fmt: skip

    def _calls(self, group: Sequence[Message]) -> list[Call[HttpRequest]]:
        body = json_bytes(self._body(group))
        if len(body) > LARGEST_REQUEST and len(group) > 1:
            # The groups were made by an estimate; this is what counts.
            middle = len(group) // 2
            return [*self._calls(group[:middle]), *self._calls(group[middle:])]
        return [Call(HttpRequest("POST", self._url, self._headers, body), group, separable=len(group) > 1)]

    def _too_large(self, message: Message) -> Iterator[Unsupported]:
        variables = len(json_bytes(message.variables)) if message.variables else 0
        if 6 * message.content_size + variables < LARGEST_REQUEST // 2:
            return  # Writing a character in JSON takes six bytes at most, and base64 takes less.
        size = len(json_bytes(self._body([message])))
        if size > LARGEST_REQUEST:
            field = "attachments" if message.attachments else "template_data" if variables else "body"
            text = f"takes e-mails of at most {LARGEST_REQUEST:,} bytes, and this one has {size:,} when encoded"
            yield Unsupported(field, f"{text}; send a link")

    def _is_sandbox(self, message: Message) -> bool:
        return self._sandbox or "sandbox_mode" in _object(message.options.get("mail_settings"))

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
        body.update(first.options)
        tracking = _tracking(first)
        if tracking:
            body["tracking_settings"] = {**_object(first.options.get("tracking_settings")), **tracking}
        if self._sandbox:
            # Beside other settings, never instead of them, nor they instead of it: that would send.
            settings = _object(first.options.get("mail_settings"))
            body["mail_settings"] = {**settings, "sandbox_mode": {"enable": True}}
        return body


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
        json_bytes(message.options) if message.options else None,
    )


def _unsupported_tracking(message: Message) -> Iterator[Unsupported]:
    said = (("open_tracking", message.track_opens), ("click_tracking", message.track_clicks))
    settings = _object(message.options.get("tracking_settings"))
    taken = [name for name, value in said if value is not None and name in settings]
    if taken:
        kept = {name: value for name, value in settings.items() if name not in taken}
        without = replace(message, options={**message.options, "tracking_settings": kept})
        yield Unsupported("options", f"gets {', '.join(taken)} from other arguments of the e-mail", without)


def _unsupported_template(message: Message) -> Iterator[Unsupported]:
    if not _is_legacy(message):
        if message.text or message.html:
            without = replace(message, text=None, html=None)
            yield Unsupported("body", "takes the text and the HTML from a dynamic template", without)
    elif not all(isinstance(value, str) for value in message.variables.values()):
        yield Unsupported("template_data", "fills texts only into a legacy template; write other values with str()")
    elif message.variables and len(json_bytes(message.variables)) > LARGEST_SUBSTITUTIONS:
        reason = f"fills at most {LARGEST_SUBSTITUTIONS:,} bytes into a legacy template; make it a dynamic one"
        yield Unsupported("template_data", reason)


def _is_legacy(message: Message) -> bool:
    # Those have a bare UUID, dynamic ones a prefix. Any other id is none of SendGrid's, which will say so.
    return message.template_id is not None and _UUID.fullmatch(message.template_id) is not None


def _personalization(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"to": [_address(address) for address in message.to]}
    if message.cc:
        fields["cc"] = [_address(address) for address in message.cc]
    if message.bcc:
        fields["bcc"] = [_address(address) for address in message.bcc]
    if message.subject:
        fields["subject"] = message.subject
    if message.headers:
        fields["headers"] = {name: _header_value(value) for name, value in message.headers}
    custom_args = dict(message.metadata)
    if message.idempotency_key is not None:
        custom_args.setdefault(KEY_FIELD, message.idempotency_key)
        if len(json_bytes(custom_args)) > LARGEST_METADATA:
            # It is there to find the e-mail again, and no reason for SendGrid to refuse it.
            custom_args = dict(message.metadata)
    if custom_args:
        fields["custom_args"] = custom_args
    if message.variables:
        fields["substitutions" if _is_legacy(message) else "dynamic_template_data"] = dict(message.variables)
    if message.scheduled_at is not None:
        fields["send_at"] = int(message.scheduled_at.timestamp())
    return fields


def _address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name} if address.name else {"email": address.email}


def _header_value(value: str) -> str:
    """Return a value in RFC 2047's encoded words where it is not ASCII: SendGrid leaves that to the caller."""
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=75).encode(linesep="")


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _errors(value: object) -> list[dict[str, Any]]:
    return [_object(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


def _names_a_recipient(field: object) -> bool:
    """Return whether an error is about an address of a personalization."""
    if not isinstance(field, str) or not field.startswith("personalizations"):
        return False
    return field.endswith((".email", ".to", ".cc", ".bcc"))


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
    if answer.status != 429 or "retry-after" in answer.headers or not (reset.isascii() and reset.isdigit()):
        return None
    # A moment that has passed says nothing: the clocks differ, or it was a limit of another kind.
    return seconds if (seconds := float(reset[:20]) - now) > 0 else None
