"""Brevo's smtp/email, version 3 (Brevo API reference, "Send a transactional email").

One request carries one sender, one set of files, tags and time, and up to 1000 versions: e-mails with recipients,
subject, bodies, headers and parameters of their own. Every request has an idempotency key in the headers of its JSON,
remembered for half an hour, so repeating a request doubles nothing.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import replace
from datetime import timedelta, timezone
from email.header import Header
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID, uuid4, uuid5

from poststack.mime.addresses import refuse_line_breaks
from poststack.providers._brevo_files import unsupported_files
from poststack.providers._grouping import grouped
from poststack.providers._http import checked_endpoint, failure_from, json_bytes, json_object
from poststack.providers._substitution import SUBSTITUTIONS, filled_in, texts_of
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

__all__ = ["Brevo"]

ENDPOINT: Final = "https://api.brevo.com/v3/smtp/email"
MOST_VERSIONS: Final = 1000
MOST_RECIPIENTS: Final = 2000
"""Of one request; an e-mail may have 99."""
LARGEST_MESSAGE: Final = 15_000_000
"""Bytes before encoding: base64 makes 20 MB of them, which is the limit."""
LARGEST_VERSIONS: Final = 8_000_000
"""Bytes of the versions of one request; a limit of our own."""
LARGEST_PARAMETERS: Final = 100_000
"""Bytes of one e-mail's variables as JSON; ten times as many in one request."""
LONGEST_NAME: Final = 70
_MAPPED: Final = (
    "attachment", "bcc", "cc", "headers", "htmlContent", "messageVersions", "replyTo", "scheduledAt", "sender",
    "subject", "tags", "templateId", "textContent", "to",
)  # fmt: skip
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SPECIALS: Final = re.compile(r'[()<>\[\]:;@\\,."]')
_KEYS: Final = UUID("6f0c8c5e-3d0b-5b0f-9a53-0f2d5f3f6d0e")
"""The name space of keys that are no UUID. It must never change: a key has to mean the same in every release."""
_KINDS: Final[dict[str, FailureKind]] = {
    "account_under_validation": "auth",
    "not_enough_credits": "quota",
    "permission_denied": "auth",
    "unauthorized": "auth",
}
_ACCEPTED_BEFORE: Final = frozenset({"duplicate_parameter", "duplicate_request"})


class Brevo(HttpProvider):
    """Sends through Brevo.

    `endpoint` is the whole address of smtp/email. `tags` are added to those of every e-mail. Brevo sends no text
    without HTML; with `text_as_html` such a text travels twice, as it is and as HTML that looks like it. `sandbox` has
    everything checked and nothing sent.

    An e-mail's idempotency key travels as a UUID, made from the key when it is none; Brevo remembers it for 30 minutes.
    Metadata and headers are visible to recipients. Brevo fills in `{{ … }}` and `{% … %}` wherever they stand. A text
    with such a placeholder is refused, unless the e-mail says `options={"brevo": {"substitutions": True}}`.
    """

    name = "brevo"
    title = "Brevo"
    capabilities: Capabilities = Capabilities(
        recipients=99,
        size=LARGEST_MESSAGE,
        reply_to=1,
        text_alone=False,
        inline_images=False,
        scheduling=timedelta(hours=72),
        idempotency=timedelta(minutes=30),
        track_opens=False,
        track_clicks=False,
    )

    def __init__(
        self,
        *,
        api_key: str,
        endpoint: str | None = None,
        tags: Sequence[str] = (),
        text_as_html: bool = False,
        sandbox: bool = False,
    ) -> None:
        if isinstance(tags, (str, bytes)) or not all(isinstance(tag, str) and tag for tag in cast("Any", tags)):
            raise ValueError("Brevo's `tags` is a list of texts.")
        for tag in tags:
            refuse_line_breaks(tag, "tags")
        self._url = ENDPOINT if endpoint is None else checked_endpoint(endpoint, self.title, ENDPOINT)
        self._tags = tuple(tags)
        self._sandbox: dict[str, str] = {"X-Sib-Sandbox": "drop"} if sandbox else {}
        self.capabilities = replace(self.capabilities, text_alone=text_as_html)
        self._headers = SecretHeaders(
            {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "api-key": required(api_key, "api_key", self.title),
            }
        )

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and Brevo cannot."""
        yield from super().unsupported(message, now)
        yield from taken_options(message, (*_MAPPED, "params") if message.variables else _MAPPED)
        if message.template_id is not None:
            if not re.fullmatch(r"[0-9]{1,18}", message.template_id):
                yield Unsupported("template_id", "numbers its templates, and this is no number")
            if message.text or message.html:
                reason = "leaves out the bodies of an e-mail that has a template"
                yield Unsupported("body", reason, replace(message, text=None, html=None))
        if message.variables and len(json_bytes(message.variables)) > LARGEST_PARAMETERS:
            yield Unsupported("template_data", f"takes at most {LARGEST_PARAMETERS:,} bytes of template data")
        yield from _unsupported_headers(message)
        yield from _unsupported_names(message)
        yield from unsupported_files(message)
        # With parameters for bodies that are no stored template, placeholders are certainly meant.
        if "params" not in message.options:
            yield from filled_in(message, _PLACEHOLDER, "{", "'{{ name }}' or '{% if name %}'", texts_of(message))

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: messages of the same sender, files, tags and time as versions of one request."""
        calls: list[Call[HttpRequest]] = []
        for group in grouped(
            messages,
            self._shared,
            most=MOST_VERSIONS,
            most_recipients=MOST_RECIPIENTS,
            largest=LARGEST_VERSIONS,
            size=_version_size,
        ):
            request = HttpRequest("POST", self._url, self._headers, json_bytes(self._body(group)))
            calls.append(Call(request, group, repeatable=True, separable=len(group) > 1))
        return calls

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return one outcome for each message: each version has an id; refused are all or none."""
        said = json_object(answer.body)
        count = len(call.messages)
        if 200 <= answer.status < 300:
            ids = _message_ids(said, count)
            if ids is None and answer.status in {201, 202} and not answer.body.strip():
                ids = [None] * count
            if ids is not None:
                details: dict[str, Any] = {"status_code": answer.status}
                if isinstance(said.get("batchId"), str):
                    details["batch_id"] = said["batchId"]
                return [Outcome(message_id, details=dict(details)) for message_id in ids]
        code, message = said.get("code"), said.get("message")
        if not isinstance(code, str):
            code = None
        if 400 <= answer.status < 500 and code in _ACCEPTED_BEFORE and "batchid" not in str(message).lower():
            # The only thing of a request that can have been there before is its key.
            return [Outcome(replayed=True, details={"status_code": answer.status}) for _ in call.messages]
        failure = self._refusal(answer, code, message, now)
        return [Outcome(failure=failure) for _ in call.messages]

    def _refusal(self, answer: HttpResponse, code: str | None, message: object, now: float) -> Failure:
        kind: FailureKind | None = None
        if 400 <= answer.status < 500 and answer.status != 429:
            kind = None if code is None else _KINDS.get(code)
            if kind is None and answer.status == 400:
                kind = _kind_of_400(str(message).lower())
        reset = answer.headers.get("x-sib-ratelimit-reset", "").strip()
        # Seconds that are left, not a moment.
        retry_after = float(reset) if answer.status == 429 and re.fullmatch(r"\d{1,9}", reset, re.ASCII) else None
        return failure_from(
            answer, now, title=self.title, kind=kind, message=message, code=code, retry_after=retry_after
        )

    def _shared(self, message: Message) -> Hashable:
        """Return what is the same for all versions of one request, also whether there is a subject and a text at all.

        A version without one would get that of the first.
        """
        # A key is for one e-mail, and what options say need not be possible for several.
        alone = id(message) if message.options or message.idempotency_key is not None else None
        return (
            alone,
            message.sender,
            message.attachments,
            message.tags,
            message.scheduled_at,
            message.template_id,
            message.subject is None,
            message.text is None,
            message.html is None,
        )

    def _body(self, group: Sequence[Message]) -> dict[str, Any]:
        first = group[0]
        body: dict[str, Any] = {"sender": _address(first.sender)}
        if first.template_id is not None:
            body["templateId"] = int(first.template_id)
        shared = _content(first)
        body |= shared
        key = {"idempotencyKey": _uuid_of(first.idempotency_key)}
        if len(group) == 1:
            body |= _recipients(first)
            body["headers"] = {**_headers(first), **self._sandbox, **key}
        else:
            body["headers"] = {**self._sandbox, **key}
            body["messageVersions"] = [self._version(message, shared) for message in group]
        tags = list(dict.fromkeys((*first.tags, *self._tags)))
        if tags:
            body["tags"] = tags
        if first.attachments:
            body["attachment"] = [_attachment(attachment) for attachment in first.attachments]
        if first.scheduled_at is not None:
            body["scheduledAt"] = first.scheduled_at.astimezone(timezone.utc).isoformat(timespec="milliseconds")
        return body | {name: value for name, value in first.options.items() if name != SUBSTITUTIONS}

    def _version(self, message: Message, shared: dict[str, Any]) -> dict[str, Any]:
        version = _recipients(message)
        content = _content(message)
        if content != shared:
            version |= content
        headers = _headers(message)
        if headers:
            version["headers"] = {**headers, **self._sandbox}
        return version


def _content(message: Message) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if message.subject:
        content["subject"] = message.subject
    if message.html or message.text:
        content["htmlContent"] = message.html or _as_html(message.text or "")
    if message.text:
        content["textContent"] = message.text
    return content


def _as_html(text: str) -> str:
    escaped = html.escape(text, quote=False)
    return f'<html><body><pre style="font: inherit; white-space: pre-wrap">{escaped}</pre></body></html>'


def _recipients(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"to": [_address(address) for address in message.to]}
    if message.cc:
        fields["cc"] = [_address(address) for address in message.cc]
    if message.bcc:
        fields["bcc"] = [_address(address) for address in message.bcc]
    if message.reply_to:
        fields["replyTo"] = _address(message.reply_to[0])
    if message.variables:
        fields["params"] = dict(message.variables)
    return fields


def _address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": _name(address)} if address.name else {"email": address.email}


def _name(address: Address) -> str:
    # One with letters outside ASCII and a comma or the like is lost on the way, unless it is encoded already.
    is_lost = not address.name.isascii() and _SPECIALS.search(address.name)
    return _encoded_words(address.name) if is_lost else address.name


def _headers(message: Message) -> dict[str, str]:
    # Brevo puts bytes outside ASCII into the e-mail as they are.
    headers = {name: value if value.isascii() else _encoded_words(value) for name, value in message.headers}
    if message.metadata:
        headers["X-Mailin-custom"] = json.dumps(dict(message.metadata))
    return headers


def _encoded_words(text: str) -> str:
    """Return the text as RFC 2047 writes it, in one line."""
    return Header(text, "utf-8").encode(linesep="")


def _attachment(attachment: Attachment) -> dict[str, str]:
    return {"name": attachment.filename, "content": base64.b64encode(attachment.content).decode("ascii")}


def _uuid_of(key: str | None) -> str:
    """Return a message's key as a UUID. Without one each call gets its own, so that at least that can be repeated."""
    if key is None:
        return str(uuid4())
    is_uuid = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key, re.IGNORECASE)
    return key.lower() if is_uuid else str(uuid5(_KEYS, key))


def _version_size(message: Message) -> int:
    texts = (message.subject, message.text, message.html, *(value for _, value in message.headers))
    size = 200 * (1 + len(message.recipients)) + sum(len((text or "").encode()) for text in texts)
    size += sum(len(name) + len(value) for name, value in message.metadata.items())
    # A request may have a megabyte of parameters: they weigh as much more than the rest as they may be less.
    heavier = LARGEST_VERSIONS // (10 * LARGEST_PARAMETERS)
    return size + (heavier * len(json_bytes(message.variables)) if message.variables else 0)


def _unsupported_headers(message: Message) -> Iterator[Unsupported]:
    taken = {"idempotencykey"} | ({"x-mailin-custom"} if message.metadata else set[str]())
    kept = tuple((name, value) for name, value in message.headers if name.lower() not in taken)
    if len(kept) < len(message.headers):
        reason = "gets its idempotency key and X-Mailin-custom from `idempotency_key` and `metadata`"
        yield Unsupported("headers", reason, replace(message, headers=kept))


def _unsupported_names(message: Message) -> Iterator[Unsupported]:
    for field, argument in (("sender", "from_email"), ("to", "to"), ("cc", "cc"), ("bcc", "bcc"), ("reply_to",) * 2):
        given: Any = getattr(message, field)
        addresses: tuple[Address, ...] = (given,) if field == "sender" else given
        if any(len(_name(address)) > LONGEST_NAME for address in addresses):
            short = tuple(address._replace(name="") if len(_name(address)) > LONGEST_NAME else address
                          for address in addresses)  # fmt: skip
            change: dict[str, Any] = {field: short[0] if field == "sender" else short}
            reason = f"takes display names of at most {LONGEST_NAME} characters as they travel"
            yield Unsupported(argument, reason, replace(message, **change))


def _message_ids(said: dict[str, Any], count: int) -> list[str | None] | None:
    """Return the ids, one for each message; `None` when the answer has others than it should."""
    single: object = said.get("messageId")
    given: object = said.get("messageIds", [single] if single is not None else None)
    items = cast("list[object]", given) if isinstance(given, list) else []
    ids = [item.strip("<> ") for item in items if isinstance(item, str) and item.strip("<> ")]
    return list(ids) if len(ids) == count == len(items) else None


def _kind_of_400(said: str) -> FailureKind | None:
    if "sender" in said and re.search(r"valid|verif|activ", said):
        return "sender_not_verified"
    return "invalid_recipient" if re.search(r"not valid.*\b(to|cc|bcc)\b", said, re.DOTALL) else None
