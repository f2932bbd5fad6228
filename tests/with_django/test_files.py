"""What Django's own messages add to the forms of attachments that all mail libraries know."""

from __future__ import annotations

import base64
from email.message import MIMEPart
from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMessage

from poststack_django.payload import payload_from

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_forwarded_django_message() -> None:
    inner = EmailMessage("Inner", "Text", "a@example.com", ["b@example.com"])
    message = EmailMessage("Subject", "Text", "a@example.com", ["b@example.com"])
    message.attachments = [(None, inner, "message/rfc822")]

    (file,) = payload_from(message).get("attachments", [])
    assert (file["filename"], file.get("content_type")) == ("attachment-1.eml", "message/rfc822")
    assert b"Subject: Inner" in base64.b64decode(file["content"])


def test_files_of_a_message_travel_with_it(tmp_path: Path) -> None:
    file = tmp_path / "invoice.txt"
    file.write_text("Total: 7 €", encoding="utf-8")
    message = EmailMessage("Hi", "Text", "a@example.com", ["b@example.com"])
    message.attach_file(str(file))
    image: Any = MIMEPart()
    image.set_content(PNG, "image", "png", cid="<logo>", filename="logo.png")
    message.attachments.append(image)

    first, second = payload_from(message).get("attachments", [])
    assert base64.b64decode(first["content"]).decode() == "Total: 7 €"
    assert (second.get("content_id"), second["filename"]) == ("logo", "logo.png")
