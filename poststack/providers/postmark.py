"""Postmark's e-mail and template APIs (postmarkapp.com/developer, "Email API" and "Templates API").

A batch carries up to 500 e-mails, each with everything of its own, and has an answer for each. Postmark's own codes
look like HTTP statuses and mean other things, so the two are never mixed up here: a code counts only where the status
leaves the verdict to it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.providers._grouping import grouped
from poststack.providers._http import KEY_FIELD, checked_endpoint, failure_from, json_bytes, json_value, text_of
from poststack.providers.base import Call, HttpProvider, SecretHeaders, required
from poststack.providers.capabilities import Capabilities, Unsupported, taken_options
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from poststack.providers.message import Address, Attachment, Message
    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = ["Postmark"]

ENDPOINT: Final = "https://api.postmarkapp.com/email"
MOST_MESSAGES: Final = 500
"""Of one batch."""
LARGEST_BATCH: Final = 50_000_000
"""Bytes."""
LARGEST_MESSAGE: Final = 10 * 2**20
"""Bytes of one e-mail with its files in base64, as Postmark counts them."""
LARGEST_BODY: Final = 5 * 2**20
"""Bytes of the text, and of the HTML."""
LONGEST_TAG: Final = 1000
LONGEST_METADATA_NAME: Final = 20
LONGEST_METADATA_VALUE: Final = 80
MOST_METADATA: Final = 10
TRACK_LINKS: Final = ("None", "HtmlAndText", "HtmlOnly", "TextOnly")
_MAPPED: Final = frozenset(
    {
        "attachments", "bcc", "cc", "from", "headers", "htmlbody", "metadata", "replyto", "subject", "tag",
        "templatealias", "templateid", "templatemodel", "textbody", "to", "trackopens",
    }
)  # fmt: skip
_KINDS: Final[Mapping[int, FailureKind]] = {
    10: "auth",
    100: "unavailable",
    400: "sender_not_verified",
    401: "sender_not_verified",
    405: "quota",
    406: "suppressed",
    412: "auth",
    413: "auth",
    429: "rate_limited",
}
"""By Postmark's own codes; all others say that something about the e-mail is wrong."""
_STATUSES_EXPLAINED_BY_A_CODE: Final = frozenset({200, 400, 422})
_RECIPIENT_IS_WRONG: Final = re.compile(r"\s*(Invalid|Error\s+parsing)\s+'(To|Cc|Bcc)'", re.IGNORECASE)
_INACTIVE: Final = re.compile(
    r"will not deliver to these inactive addresses:\s*(.*?)(?:\.\s*Inactive recipients|\.?\s*$)", re.DOTALL
)
LONGEST_LIST: Final = 20_000
"""Characters of a text that are looked through for addresses; 50 addresses are shorter."""


class Postmark(HttpProvider):
    """Sends through Postmark.

    `endpoint` is the whole address of /email; those of batches and templates are below it. `message_stream` is that of
    e-mails which name none as `options={"postmark": {"MessageStream": "…"}}`; else Postmark takes `outbound`.
    `track_opens`, and `track_links` ("None", "HtmlAndText", "HtmlOnly" or "TextOnly"), are for e-mails that say nothing
    of tracking; where the server itself tracks opens, no e-mail can switch that off. With the token `POSTMARK_API_TEST`
    everything is checked and nothing sent.
    """

    name = "postmark"
    title = "Postmark"
    capabilities = Capabilities(recipients=50, size=10_000_000, tags=1)

    def __init__(
        self,
        *,
        server_token: str,
        endpoint: str | None = None,
        message_stream: str | None = None,
        track_opens: bool | None = None,
        track_links: str | bool | None = None,
    ) -> None:
        self._url = ENDPOINT if endpoint is None else checked_endpoint(endpoint, self.title, ENDPOINT)
        self._stream = None if message_stream is None else required(message_stream, "message_stream", self.title)
        if not isinstance(cast("object", track_opens), (bool, type(None))):
            raise ValueError("Postmark's `track_opens` is True or False.")
        self._track_opens = track_opens
        self._track_links = _checked_track_links(track_links)
        self._headers = SecretHeaders(
            {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "X-Postmark-Server-Token": required(server_token, "server_token", self.title),
            }
        )

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and Postmark cannot."""
        yield from super().unsupported(message, now)
        taken = [name for name in message.options if name.lower() in _MAPPED]
        if message.track_clicks is not None:
            taken += [name for name in message.options if name.lower() == "tracklinks"]
        yield from taken_options(message, taken)
        if message.template_id is not None:
            if message.subject:
                yield Unsupported("subject", "takes the subject from the template", replace(message, subject=None))
            if message.text or message.html:
                without = replace(message, text=None, html=None)
                yield Unsupported("body", "takes the text and the HTML from the template", without)
        if any(len(tag) > LONGEST_TAG for tag in message.tags):
            yield Unsupported("tags", f"takes a tag of at most {LONGEST_TAG} characters", replace(message, tags=()))
        yield from _unsupported_metadata(message)
        yield from self._too_large(message)

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: one e-mail alone, several in batches; those with a template apart, and each stream too."""
        encoded = {id(message): json_bytes(self._fields(message)) for message in messages}
        calls: list[Call[HttpRequest]] = []
        for group in grouped(
            messages,
            lambda message: (message.template_id is None, str(self._stream_of(message))),
            most=MOST_MESSAGES,
            largest=LARGEST_BATCH - 100,
            size=lambda message: len(encoded[id(message)]) + 1,
        ):
            has_template = group[0].template_id is not None
            if len(group) == 1:
                path, body = "/withTemplate" if has_template else "", encoded[id(group[0])]
            else:
                body = b"[" + b",".join(encoded[id(message)] for message in group) + b"]"
                path = "/batch"
                if has_template:
                    path, body = "/batchWithTemplates", b'{"Messages":' + body + b"}"
            request = HttpRequest("POST", self._url + path, self._headers, body)
            calls.append(Call(request, group, separable=len(group) > 1))
        return calls

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return what each answer of a batch says, in order, or the same for all when it was refused as a whole."""
        said = json_value(answer.body)
        if answer.status == 200:
            items = [said] if len(call.messages) == 1 else said
            if isinstance(items, list) and len(cast("list[object]", items)) == len(call.messages):
                answers = zip(call.messages, cast("list[object]", items), strict=True)
                return [self._outcome(message, item, answer, now) for message, item in answers]
        failure = self._failure(said, answer, now)
        return [Outcome(failure=failure) for _ in call.messages]

    def _outcome(self, message: Message, item: object, answer: HttpResponse, now: float) -> Outcome:
        fields = _fields_of(item)
        message_id = text_of(fields.get("MessageID")).strip("<>")
        if _code_of(fields) != 0 or not message_id:
            return Outcome(failure=self._failure(item, answer, now))
        details: dict[str, Any] = {"status_code": answer.status}
        for name, key in (("submitted_at", "SubmittedAt"), ("to", "To")):
            if text_of(fields.get(key)):
                details[name] = text_of(fields[key])
        text = fields.get("Message")
        if "ErrorCode" not in fields or "delivery may be delayed" in str(text):
            details["status"] = "queued"
        return Outcome(message_id, refused=_refused(text, message), details=details)

    def _failure(self, said: object, answer: HttpResponse, now: float) -> Failure:
        fields = _fields_of(said)
        code, text = _code_of(fields), text_of(fields.get("Message"))
        kind: FailureKind | None = None
        if answer.status in _STATUSES_EXPLAINED_BY_A_CODE and code:
            kind = _KINDS.get(code, "invalid_request")
            if code == 300 and _RECIPIENT_IS_WRONG.match(text):
                kind = "invalid_recipient"
        elif code == 100:
            kind = "unavailable"
        elif answer.status == 200:
            text = "something that it does not promise, so the e-mail may have been sent."
        text = " ".join([text, *_errors(fields.get("Errors"))])
        return failure_from(answer, now, title=self.title, kind=kind, message=text, code=code or None)

    def _too_large(self, message: Message) -> Iterator[Unsupported]:
        if message.content_size < LARGEST_BODY // 6 and not message.variables:
            return  # Writing a character in JSON takes six at most, and base64 less.
        if any(body and len(body.encode()) > LARGEST_BODY for body in (message.text, message.html)):
            yield Unsupported("body", f"takes a text and an HTML of at most {LARGEST_BODY:,} bytes each")
        size = len(json_bytes(self._fields(message)))
        if size > LARGEST_MESSAGE:
            field = "attachments" if message.attachments else "template_data" if message.variables else "body"
            text = f"takes e-mails of at most {LARGEST_MESSAGE:,} bytes, and this one has {size:,} when encoded"
            yield Unsupported(field, f"{text}; send a link")

    def _fields(self, message: Message) -> dict[str, Any]:
        fields: dict[str, Any] = {"From": str(message.sender), "To": _joined(message.to)}
        for name, addresses in (("Cc", message.cc), ("Bcc", message.bcc), ("ReplyTo", message.reply_to)):
            if addresses:
                fields[name] = _joined(addresses)
        if message.template_id is not None:
            # An alias begins with a letter, so all digits are an id.
            if re.fullmatch(r"[0-9]{1,18}", message.template_id):
                fields["TemplateId"] = int(message.template_id)
            else:
                fields["TemplateAlias"] = message.template_id
            fields["TemplateModel"] = dict(message.variables)
        for name, text in (("Subject", message.subject), ("TextBody", message.text), ("HtmlBody", message.html)):
            if text:
                fields[name] = text
        if message.headers:
            fields["Headers"] = _headers(message)
        if message.tags:
            fields["Tag"] = message.tags[0]
        metadata = _metadata(message)
        if metadata:
            fields["Metadata"] = metadata
        if message.attachments:
            fields["Attachments"] = [_attachment(attachment) for attachment in message.attachments]
        self._add_settings(fields, message)
        return {**fields, **message.options}

    def _add_settings(self, fields: dict[str, Any], message: Message) -> None:
        track_opens = self._track_opens if message.track_opens is None else message.track_opens
        if track_opens is not None:
            fields["TrackOpens"] = track_opens
        track_links = self._track_links
        if message.track_clicks is not None:
            where = track_links if track_links not in {None, "None"} else "HtmlAndText"
            track_links = where if message.track_clicks else "None"
        if track_links is not None:
            fields["TrackLinks"] = track_links
        if self._stream is not None:
            fields["MessageStream"] = self._stream

    def _stream_of(self, message: Message) -> object:
        return message.options.get("MessageStream", self._stream)


def _checked_track_links(value: str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "HtmlAndText" if value else "None"
    if value is not None and value not in TRACK_LINKS:
        raise ValueError(f"Postmark's `track_links` is one of {', '.join(map(repr, TRACK_LINKS))}.")
    return value


def _unsupported_metadata(message: Message) -> Iterator[Unsupported]:
    names: set[str] = set()
    kept: dict[str, str] = {}
    for name, value in message.metadata.items():
        if len(name) <= LONGEST_METADATA_NAME and name.lower() not in names:
            kept[name] = value
        names.add(name.lower())
    if len(kept) < len(message.metadata):
        reason = f"takes names of at most {LONGEST_METADATA_NAME} characters, each once whatever its capitals"
        yield Unsupported("metadata", reason, replace(message, metadata=kept))


def _joined(addresses: Iterable[Address]) -> str:
    return ", ".join(map(str, addresses))


def _headers(message: Message) -> list[dict[str, str]]:
    names = {name.lower() for name, _ in message.headers}
    headers = [{"Name": name, "Value": value} for name, value in message.headers]
    if "message-id" in names and "x-pm-keepid" not in names:
        # Without it Postmark writes an id of its own in the place of this one.
        headers.append({"Name": "X-PM-KeepID", "Value": "true"})
    return headers


def _metadata(message: Message) -> dict[str, str]:
    metadata = dict(message.metadata)
    key = message.idempotency_key or ""
    # It is there to find the e-mail again, and no reason for Postmark to refuse it.
    has_room = len(metadata) < MOST_METADATA and KEY_FIELD not in {name.lower() for name in metadata}
    if key and has_room and len(key) <= LONGEST_METADATA_VALUE:
        metadata[KEY_FIELD] = key
    return metadata


def _attachment(attachment: Attachment) -> dict[str, str]:
    fields = {
        "Name": attachment.filename,
        "Content": base64.b64encode(attachment.content).decode("ascii"),
        "ContentType": attachment.content_type,
    }
    if attachment.content_id is not None:
        fields["ContentID"] = f"cid:{attachment.content_id}"
    return fields


def _fields_of(item: object) -> dict[str, Any]:
    return cast("dict[str, Any]", item) if isinstance(item, dict) else {}


def _code_of(fields: Mapping[str, Any]) -> int | None:
    """Return Postmark's own code, `None` for what is none. There is none where an e-mail was accepted but is late."""
    code = fields.get("ErrorCode", 0)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _errors(value: object) -> list[str]:
    """Return the texts of several errors in one answer: each is a text, or an object with a `Message`."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    texts = [text_of(item) or text_of(_fields_of(item).get("Message")) for item in items]
    return [text for text in texts if text]


def _refused(text: object, message: Message) -> dict[str, Failure]:
    """Return the recipients whom an accepted e-mail does not reach, as the caller wrote them."""
    found = _INACTIVE.search(text[:LONGEST_LIST]) if isinstance(text, str) else None
    if found is None:
        return {}
    # Postmark names them in small letters and without display names.
    written = {address.email.lower(): address.email for address in message.recipients}
    named = [part.strip().lower() for part in found[1].split(",")]
    reason = "Postmark does not deliver to this address: it bounced, complained, or was switched off."
    return {written.get(one, one): Failure("suppressed", reason, 200, "406") for one in named if one}
