"""PostStack itself behind the call of the other providers. For all that its API can, use `poststack.PostStack`."""

from __future__ import annotations

import base64
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from poststack import _wire
from poststack._checks import LARGEST_ATTACHMENT, LARGEST_BATCH, LARGEST_EMAIL
from poststack._config import Config
from poststack.errors import QUOTA_CODES
from poststack.providers._grouping import grouped
from poststack.providers._http import json_bytes, json_object, text_of
from poststack.providers.base import Call, HttpProvider, SecretHeaders
from poststack.providers.capabilities import Capabilities, Unsupported, taken_options
from poststack.providers.outcome import Failure, Outcome
from poststack.transports.base import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from poststack.errors import PostStackError
    from poststack.providers.message import Attachment, Message
    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = ["PostStackProvider"]

LARGEST_REQUEST: Final = 30_000_000
"""Bytes of bodies and files in one request. The API names no limit for a batch; one e-mail may have 25,000,000."""
_MAPPED: Final = (
    "attachments", "bcc", "cc", "from", "headers", "html", "idempotency_key", "reply_to", "scheduled_at", "subject",
    "tags", "template_id", "text", "to", "tracking", "variables",
)  # fmt: skip


class PostStackProvider(HttpProvider):
    """Sends through PostStack.

    `api_key` falls back to the environment variable `POSTSTACK_API_KEY`, `base_url` to `POSTSTACK_BASE_URL` and then to
    the service. Every e-mail carries an idempotency key, so repeating a request never doubles one.
    """

    name = "poststack"
    title = "PostStack"
    capabilities: Capabilities = Capabilities(
        size=LARGEST_EMAIL,
        reply_to=1,
        metadata=False,
        # The API names no horizon (poststack-api §3.1).
        scheduling=timedelta(days=3650),
        # As long as the account keeps its log: 14 days at least (poststack-api §5).
        idempotency=timedelta(days=14),
        # Whether it takes them is not stated, so the API judges.
        non_ascii_local_parts=True,
    )

    def __init__(self, *, api_key: str | None = None, base_url: str | None = None) -> None:
        config = Config.resolve(api_key, base_url, 30.0, 0, None)
        self._url = config.base_url
        self._headers = SecretHeaders(_wire.request_headers(config.api_key))

    def unsupported(self, message: Message, now: datetime | None = None) -> Iterator[Unsupported]:
        """Yield what the message says and PostStack cannot."""
        yield from super().unsupported(message, now)
        yield from taken_options(message, _MAPPED)
        if not all(isinstance(value, str) for value in message.variables.values()):
            yield Unsupported("template_data", "takes texts only; write other values with str()")
        if any(len(attachment.content) > LARGEST_ATTACHMENT for attachment in message.attachments):
            yield Unsupported("attachments", f"takes files of at most {LARGEST_ATTACHMENT:,} bytes; send a link")

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        """Return the calls: one e-mail alone, several in batches."""
        calls: list[Call[HttpRequest]] = []
        for group in grouped(
            messages,
            lambda message: None,
            most=LARGEST_BATCH,
            largest=LARGEST_REQUEST,
            size=lambda message: message.content_size,
        ):
            emails = [_payload(message) for message in group]
            is_single = len(emails) == 1
            body = json_bytes(emails[0] if is_single else {"emails": emails})
            headers = SecretHeaders({**self._headers, "Idempotency-Key": _wire.header_key(_call_key(emails))})
            path = "/emails" if is_single else "/emails/batch"
            request = HttpRequest("POST", self._url + path, headers, body)
            calls.append(Call(request, group, repeatable=True, separable=not is_single))
        return calls

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        """Return one outcome for each message; each of a batch succeeds or fails alone."""
        request_id = answer.headers.get("x-request-id")
        if not 200 <= answer.status < 300:
            failure = self._failure(_wire.error_from(answer, now), answer)
            return [Outcome(failure=failure, request_id=request_id) for _ in call.messages]
        said = json_object(answer.body)
        given: object = said.get("data") if call.request.url.endswith("/batch") else [said]
        items = cast("list[object]", given) if isinstance(given, list) else []
        if len(items) != len(call.messages):
            text = f"{self.title} answered {answer.status} with something it does not promise."
            failure = Failure("ambiguous", text, answer.status, None, None, request_id, answer.body[:10_000])
            return [Outcome(failure=failure, request_id=request_id) for _ in call.messages]
        return [self._outcome(item, answer, request_id) for item in items]

    def _outcome(self, item: object, answer: HttpResponse, request_id: str | None) -> Outcome:
        fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        email_id = fields.get("id")
        details = {"status_code": answer.status}
        if isinstance(email_id, str) and email_id:
            if fields.get("test_mode") is True:
                details["test_mode"] = True
            replayed = fields.get("replayed") is True
            return Outcome(email_id, replayed=replayed, request_id=request_id, details=details)
        code, error = fields.get("code"), text_of(fields.get("error"))
        if not error and not isinstance(code, str):
            failure = Failure("ambiguous", f"{self.title} answered without an id and without an error.", answer.status)
            return Outcome(failure=failure, request_id=request_id)
        kind = _kind(422, code if isinstance(code, str) else "", error, quota=str(code) in QUOTA_CODES)
        failure = Failure(
            kind, f"{self.title} refused it: {error or code}", 422, code if isinstance(code, str) else None, None,
            request_id, answer.body[:10_000],
        )  # fmt: skip
        return Outcome(failure=failure, request_id=request_id)

    def _failure(self, error: PostStackError, answer: HttpResponse) -> Failure:
        kind: FailureKind
        # A redirect says nothing of what became of the request.
        if error.may_have_taken_effect or error.status_code < 400:
            kind = "ambiguous"
        else:
            kind = _kind(error.status_code, error.code or "", error.error, quota=error.quota_exceeded)
        return Failure(
            kind, f"{self.title} answered {error.status_code}: {error.error}", error.status_code, error.code,
            error.retry_after, error.request_id, answer.body[:10_000],
        )  # fmt: skip


def _kind(status: int, code: str, text: str, *, quota: bool) -> FailureKind:
    said = text.lower()
    if quota:
        return "quota"
    if "not verified" in said or "unverified" in said:
        return "sender_not_verified"
    if "suppressed" in said or "suppress" in code:
        return "suppressed"
    kinds: dict[int, FailureKind] = {
        401: "auth", 403: "auth", 408: "unavailable", 413: "payload_too_large", 425: "unavailable",
        429: "rate_limited", 503: "unavailable",
    }  # fmt: skip
    # An earlier attempt with the same key is under way: once it has ended, its answer is replayed.
    if status == 409 and "progress" in code:
        return "unavailable"
    return kinds.get(status, "invalid_request")


def _call_key(emails: Sequence[dict[str, Any]]) -> str:
    # The header is only what the API looks at last; each e-mail has a key of its own.
    return str(emails[0]["idempotency_key"]) if len(emails) == 1 else str(uuid4())


def _payload(message: Message) -> dict[str, Any]:
    payload: dict[str, Any] = {"from": str(message.sender)}
    for name in ("to", "cc", "bcc"):
        addresses = getattr(message, name)
        if addresses:
            payload[name] = [str(address) for address in addresses]
    if message.reply_to:
        payload["reply_to"] = str(message.reply_to[0])
    for name in ("subject", "html", "text", "template_id"):
        value = getattr(message, name)
        if value is not None:
            payload[name] = value
    if message.headers:
        payload["headers"] = dict(message.headers)
    if message.tags:
        payload["tags"] = list(message.tags)
    if message.variables:
        payload["variables"] = dict(message.variables)
    if message.attachments:
        payload["attachments"] = [_attachment(attachment) for attachment in message.attachments]
    if message.scheduled_at is not None:
        payload["scheduled_at"] = message.scheduled_at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    tracking = {"opens": message.track_opens, "clicks": message.track_clicks}
    if any(value is not None for value in tracking.values()):
        payload["tracking"] = {name: value for name, value in tracking.items() if value is not None}
    payload["idempotency_key"] = message.idempotency_key or str(uuid4())
    return {**payload, **message.options}


def _attachment(attachment: Attachment) -> dict[str, str]:
    fields = {
        "filename": attachment.filename,
        "content": base64.b64encode(attachment.content).decode("ascii"),
        "content_type": attachment.content_type,
    }
    if attachment.content_id is not None:
        fields["content_id"] = attachment.content_id
    return fields
