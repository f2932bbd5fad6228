"""What was sent, in the words of the API and in those of Flask-Mail."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from poststack.transports.base import HttpRequest, HttpResponse
    from poststack.types import SendEmail

__all__ = ["SentAttachment", "SentMessage", "accepted_messages"]


@dataclass(frozen=True)
class SentAttachment:
    """One attachment, decoded. `data` is another name for `content`."""

    filename: str
    content: bytes = field(repr=False)
    content_type: str | None = None
    content_id: str | None = None

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.content

    @property
    def disposition(self) -> str:
        """`inline` for an image that the HTML shows, otherwise `attachment`."""
        return "attachment" if self.content_id is None else "inline"


@dataclass(frozen=True)
class SentMessage:
    """One e-mail that the API has accepted, as it was handed over: templates are not filled in.

    Addresses are text as in a header, `Ada <ada@example.com>`. `replayed` says that the API had accepted it before, and
    that nothing is sent again. `provider` is who took it, if that is not PostStack.
    """

    id: str
    payload: SendEmail = field(repr=False)
    replayed: bool = False
    provider: str | None = None

    @property
    def subject(self) -> str | None:
        """The subject, `None` when a template supplies it."""
        return self.payload.get("subject")

    @property
    def from_(self) -> str:
        """The sender."""
        return self.payload["from"]

    @property
    def sender(self) -> str:
        """The sender."""
        return self.payload["from"]

    @property
    def to(self) -> list[str]:
        """The recipients in `To`."""
        return list(self.payload["to"])

    @property
    def recipients(self) -> list[str]:
        """The recipients in `To`."""
        return list(self.payload["to"])

    @property
    def cc(self) -> list[str]:
        """The recipients in `Cc`."""
        return list(self.payload.get("cc") or ())

    @property
    def bcc(self) -> list[str]:
        """The recipients that nobody sees."""
        return list(self.payload.get("bcc") or ())

    @property
    def send_to(self) -> set[str]:
        """All recipients."""
        return {*self.to, *self.cc, *self.bcc}

    @property
    def reply_to(self) -> str | None:
        """Where answers go."""
        return self.payload.get("reply_to")

    @property
    def text(self) -> str | None:
        """The plain text."""
        return self.payload.get("text")

    @property
    def body(self) -> str | None:
        """The plain text."""
        return self.payload.get("text")

    @property
    def html(self) -> str | None:
        """The HTML."""
        return self.payload.get("html")

    @property
    def headers(self) -> dict[str, str]:
        """Further headers."""
        return dict(self.payload.get("headers") or {})

    @property
    def extra_headers(self) -> dict[str, str]:
        """Further headers."""
        return self.headers

    @property
    def tags(self) -> list[str]:
        """The tags."""
        return list(self.payload.get("tags") or ())

    @property
    def attachments(self) -> list[SentAttachment]:
        """The files."""
        return [
            SentAttachment(
                file["filename"], base64.b64decode(file["content"]), file.get("content_type"), file.get("content_id")
            )
            for file in self.payload.get("attachments") or ()
        ]


def accepted_messages(request: HttpRequest, response: HttpResponse) -> Iterator[SentMessage]:
    """Yield the e-mails of a request, if it sends some, that this answer accepts."""
    if request.method != "POST" or not 200 <= response.status < 300 or request.body is None:
        return
    if request.url.endswith("/emails"):
        payloads, results = [json.loads(request.body)], [_decoded(response.body)]
    elif request.url.endswith("/emails/batch"):
        payloads, results = json.loads(request.body)["emails"], _elements(_decoded(response.body))
    else:
        return
    for payload, result in zip(payloads, results, strict=False):
        if isinstance(email_id := result.get("id"), str):
            yield SentMessage(email_id, payload, result.get("replayed") is True)


def _elements(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data: object = answer.get("data")
    return [_mapping(element) for element in cast("list[object]", data)] if isinstance(data, list) else []


def _decoded(body: bytes) -> Mapping[str, Any]:
    # The client judges the answer after us, and says it better.
    try:
        return _mapping(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
