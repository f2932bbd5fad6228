"""Attachments in every form that mail libraries take."""

from __future__ import annotations

import base64
from email.message import EmailMessage as PythonMessage
from email.message import MIMEPart
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from poststack.mime import attachment_from, file_from

PNG = b"\x89PNG\r\n\x1a\n"


def sent(given: object, charset: str = "utf-8") -> tuple[str, bytes, str | None, str | None]:
    """Name, content, type and content id as the API gets them."""
    made = attachment_from(given, 0, charset)
    return made["filename"], base64.b64decode(made["content"]), made.get("content_type"), made.get("content_id")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("a.pdf", b"%PDF", "application/pdf"), ("a.pdf", b"%PDF", "application/pdf", None)),
        (("a.csv", "x,y", None), ("a.csv", b"x,y", "text/csv", None)),
        (("a.csv", "é", "text/csv"), ("a.csv", "é".encode(), "text/csv; charset=utf-8", None)),
        (("a.csv", "é".encode(), "text/csv"), ("a.csv", "é".encode(), "text/csv; charset=utf-8", None)),
        (("a.txt", b"\xff", "text/plain"), ("a.txt", b"\xff", "application/octet-stream", None)),
        (("a.bin", bytearray(b"1"), None), ("a.bin", b"1", "application/octet-stream", None)),
        (("noending", memoryview(b"1"), None), ("noending", b"1", "application/octet-stream", None)),
        ((None, "Text", "text/plain"), ("attachment-1.txt", b"Text", "text/plain", None)),
        (("a.txt", "x", "text/plain; charset=x"), ("a.txt", b"x", "text/plain; charset=x", None)),
        (("a.json", "{}"), ("a.json", b"{}", "application/json", None)),
        ((Path("a.txt"), "x", None), ("a.txt", b"x", "text/plain", None)),
    ],
)
def test_tuples(given: object, expected: object) -> None:
    assert sent(given) == expected


def test_text_is_written_in_the_messages_charset() -> None:
    assert sent(("a.txt", "é", None), "iso-8859-1")[1:3] == (b"\xe9", "text/plain; charset=iso-8859-1")


@pytest.mark.parametrize("given", [("a.txt", None, None), "a.txt", (), 7])
def test_what_is_no_attachment_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"attachments\[0\]"):
        attachment_from(given, 0, "utf-8")


def test_a_forwarded_python_message() -> None:
    inner = PythonMessage()
    inner["Subject"] = "Inner"
    inner.set_content("Text")

    assert b"Subject: Inner" in sent(("m.eml", inner, "message/rfc822"))[1]


def test_a_mime_image_with_a_content_id_is_inline() -> None:
    image = MIMEImage(PNG, "png")
    image.add_header("Content-ID", "<logo>")

    assert sent(image) == ("attachment-1.png", PNG, "image/png", "logo")


def test_an_inline_mime_part_is_given_a_content_id() -> None:
    part = MIMEPart()
    part.set_content(PNG, "image", "png", disposition="inline", filename="logo.png")

    assert sent(part) == ("logo.png", PNG, "image/png", "inline-1")


def test_a_mime_part_that_is_attached_has_none() -> None:
    part = MIMEPart()
    part.set_content(PNG, "image", "png", disposition="attachment", filename="logo.png")

    assert sent(part) == ("logo.png", PNG, "image/png", None)


def test_parameters_of_the_type_are_kept() -> None:
    invitation = MIMEText("BEGIN:VCALENDAR", "calendar", "utf-8")
    invitation.set_param("method", "REQUEST")
    invitation.set_param("name", "x.ics")
    invitation.set_param("comment", "a b")

    assert sent(invitation)[2] == 'text/calendar; charset=utf-8; method=REQUEST; comment="a b"'


def test_a_message_in_a_mime_part() -> None:
    inner = PythonMessage()
    inner["Subject"] = "Inner"
    inner.set_content("Text")
    part = MIMEPart()
    part.set_content(inner, disposition="attachment")

    name, content, kind, _ = sent(part)
    assert (name, kind) == ("attachment-1.eml", "message/rfc822")
    assert b"Subject: Inner" in content


def test_a_part_with_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="one by one"):
        attachment_from(MIMEMultipart(), 0, "utf-8")


def test_a_header_that_the_api_has_no_place_for_is_refused() -> None:
    part = MIMEBase("application", "pdf")
    part.set_payload(b"x")
    part["Content-Description"] = "Invoice"

    with pytest.raises(ValueError, match="Content-Description"):
        attachment_from(part, 0, "utf-8")


def test_a_content_id_in_a_files_headers_makes_it_inline() -> None:
    file = file_from("logo.png", PNG, "image/png", index=0, charset="utf-8", headers={"content-id": "<logo>"})

    assert file.get("content_id") == "logo"


def test_an_inline_file_is_given_a_content_id_and_its_name() -> None:
    header = {"Content-Disposition": 'inline; filename="logo.png"'}

    file = file_from(None, PNG, "image/png", index=2, charset="utf-8", headers=header)
    assert (file.get("content_id"), file["filename"]) == ("inline-3", "logo.png")
    assert file_from("a.png", PNG, index=0, charset="utf-8", disposition="inline").get("content_id") == "inline-1"


@pytest.mark.parametrize("name", ["Content-Description", "X-A\r\nBcc: evil"])
def test_other_headers_of_a_file_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="has a header") as caught:
        file_from("a.txt", "x", index=0, charset="utf-8", headers={name: "1"})

    assert "evil" not in str(caught.value)
