"""An e-mail as the body of a request: what is wrong with it is FastAPI's 422, before the API hears of it.

The fields, and what they may hold, are those of `emails.send`. What the API does not document is left to it to judge.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from poststack.attachments import LARGEST_ATTACHMENT, LARGEST_EMAIL
from poststack.types import Attachment, SendEmail, Tracking
from poststack_fastapi.addresses import Address, Line

__all__ = ["AttachmentBody", "EmailBody", "TrackingBody"]

_EXAMPLE: Final[JsonDict] = {
    "from": "Acme <hello@acme.example>",
    "to": ["Ada <ada@example.com>"],
    "subject": "Your receipt",
    "html": "<p>Thank you, Ada.</p>",
    "text": "Thank you, Ada.",
    "tags": ["receipt"],
}


def _base64(content: str) -> str:
    encoded = "".join(content.split())  # Line breaks are allowed in base64 and count for nothing.
    if _decoded_size(encoded) > LARGEST_ATTACHMENT:
        raise ValueError(f"the file is larger than {LARGEST_ATTACHMENT:,} bytes; send a link to it instead")
    try:
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the content is not base64") from None
    return encoded


def _decoded_size(encoded: str) -> int:
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("in UTC this is before the year 1 or after 9999") from None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class AttachmentBody(_Body):
    """One file, its content in base64: at most 10,000,000 bytes decoded. With a `content_id` the HTML can show it."""

    filename: Annotated[Line, Field(min_length=1, examples=["receipt.pdf"])]
    content: Annotated[str, AfterValidator(_base64), Field(json_schema_extra={"contentEncoding": "base64"}, repr=False)]
    content_type: Annotated[str | None, Field(pattern=r"^[\w.+-]+/[\w.+-]+(;[ -~]*)?$", examples=["text/csv"])] = None
    content_id: Annotated[str | None, Field(pattern=r"^[^<>\s]+$", description="Without angle brackets")] = None

    @property
    def size(self) -> int:
        """Bytes, decoded."""
        return _decoded_size(self.content)

    def payload(self) -> Attachment:
        """Return it as `emails.send` takes it."""
        return cast("Attachment", self.model_dump(exclude_none=True))


class TrackingBody(_Body):
    """Overrides the domain's tracking defaults for one e-mail."""

    opens: bool | None = None
    clicks: bool | None = None

    def payload(self) -> Tracking:
        """Return it as `emails.send` takes it."""
        return cast("Tracking", self.model_dump(exclude_none=True))


class EmailBody(_Body):
    """One e-mail to send. It needs a recipient in `to`, a subject, and HTML or text, unless a template has the latter.

    `await client.emails.send(body.payload())` sends it. Whoever may post this body chooses sender and recipients, so
    it is for callers that you trust; for everybody else make a model of your own, with `Address` in it.
    """

    model_config = ConfigDict(json_schema_extra={"description": "An e-mail to send.", "examples": [_EXAMPLE]})

    from_: Annotated[Address, Field(validation_alias="from", serialization_alias="from")]
    to: Annotated[list[Address], Field(min_length=1)]
    cc: list[Address] | None = None
    bcc: list[Address] | None = None
    reply_to: Address | None = None
    subject: Line | None = None
    html: str | None = None
    text: str | None = None
    headers: dict[Annotated[str, Field(pattern=r"^[!-9;-~]+$")], Line] | None = None
    tags: list[Line] | None = None
    attachments: Annotated[
        list[AttachmentBody] | None, Field(description="At most 25,000,000 bytes together, decoded")
    ] = None
    idempotency_key: Annotated[str | None, Field(min_length=1)] = None
    idempotency_window_hours: Annotated[int | None, Field(json_schema_extra={"deprecated": True})] = None
    scheduled_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    template_id: Annotated[str | None, Field(min_length=1)] = None
    variables: dict[str, str] | None = None
    unsubscribe: bool | None = None
    signature: Literal["auto", "none"] | None = None
    tracking: TrackingBody | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> EmailBody:
        if self.template_id is None:
            if self.subject is None:
                raise ValueError("the e-mail needs a `subject`, or a `template_id` whose template has one")
            if self.html is None and self.text is None:
                raise ValueError("the e-mail needs `html` or `text`, or a `template_id`")
        if sum(attachment.size for attachment in self.attachments or ()) > LARGEST_EMAIL:
            raise ValueError(f"the attachments have more than {LARGEST_EMAIL:,} bytes together; send links instead")
        return self

    def payload(self) -> SendEmail:
        """Return it as `emails.send` takes it, without the fields that are not given."""
        fields: dict[str, Any] = {"from": str(self.from_)}
        for name in EmailBody.model_fields:
            if name != "from_" and (value := cast("object", getattr(self, name))) is not None:
                fields[name] = _plain(value)
        return cast("SendEmail", fields)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        yield "recipients", sum(map(len, (self.to, self.cc or (), self.bcc or ())))
        yield "attachments", len(self.attachments or ())
        yield "template_id", self.template_id


def _plain(value: object) -> object:
    if isinstance(value, (AttachmentBody, TrackingBody)):
        return value.payload()
    if isinstance(value, Address):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return [_plain(item) for item in cast("list[object]", value)] if isinstance(value, list) else value
