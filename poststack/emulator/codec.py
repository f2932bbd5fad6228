"""Records as JSON and back, for the data file. Contents of attachments stay outside, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from poststack.emulator.model import (
    Address,
    Attachment,
    Attempt,
    Delivery,
    Email,
    EmailEvent,
    Message,
    Recipient,
    SpamFinding,
)

__all__ = ["delivery_from", "email_from", "email_to_json", "message_from", "message_to_json"]


def message_to_json(message: Message) -> dict[str, Any]:
    """Write a message, with all of its attachments but their content."""
    content = {field.name: getattr(message, field.name) for field in fields(message) if field.name != "attachments"}
    for name in ("to", "cc", "bcc", "reply_to", "spam"):
        content[name] = [asdict(item) for item in content[name]]
    content["from_"] = asdict(message.from_)
    content["attachments"] = [
        {
            "filename": attachment.filename,
            "content_type": attachment.content_type,
            "content_id": attachment.content_id,
        }
        for attachment in message.attachments
    ]
    return content


def message_from(content: Mapping[str, Any], files: Sequence[bytes]) -> Message:
    """Read a message; `files` are the contents of its attachments, in order."""
    rest = dict(content)
    for name in ("to", "cc", "bcc", "reply_to"):
        rest[name] = tuple(Address(**address) for address in rest[name])
    rest["from_"] = Address(**rest["from_"])
    rest["spam"] = tuple(SpamFinding(**finding) for finding in rest["spam"])
    rest["tags"], rest["suppressed"] = tuple(rest["tags"]), tuple(rest["suppressed"])
    rest["attachments"] = tuple(
        Attachment(content=file, **about) for about, file in zip(rest["attachments"], files, strict=True)
    )
    return Message(**rest)


def email_to_json(email: Email) -> dict[str, Any]:
    """Write the changing part of an e-mail: everything but its message."""
    content = {field.name: getattr(email, field.name) for field in fields(email) if field.name != "message"}
    content["recipients"] = [asdict(recipient) for recipient in email.recipients]
    content["events"] = [asdict(event) for event in email.events]
    return content


def email_from(content: Mapping[str, Any], message: Message) -> Email:
    """Read an e-mail; its message is kept apart."""
    rest = dict(content)
    rest["recipients"] = [
        Recipient(entry["address"], entry["state"], tuple(entry["plan"]), entry["due_at"])
        for entry in rest["recipients"]
    ]
    rest["events"] = [EmailEvent(**event) for event in rest["events"]]
    return Email(message=message, **rest)


def delivery_from(content: Mapping[str, Any]) -> Delivery:
    """Read a delivery with its attempts."""
    rest = dict(content)
    rest["attempts"] = [Attempt(**attempt) for attempt in rest["attempts"]]
    return Delivery(**rest)
