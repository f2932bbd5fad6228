"""The bytes of an e-mail, read back with the standard library's parser."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import getaddresses
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.providers._mime import mime_bytes, unsupported_in_mime
from poststack.providers.message import Address, Attachment, Message, make_message

DATE = datetime(2026, 11, 30, 9, 30, tzinfo=timezone.utc)


def message(**fields: Any) -> Message:
    given_fields: dict[str, Any] = {"sender": "shop@example.org", "to": ["ada@example.net"], "subject": "Hi"}
    given_fields |= fields if {"text", "html"} & fields.keys() else {"text": "Hello", **fields}
    return make_message(**given_fields)


def parsed(one: Message, message_id: str | None = "1@example.org", date: datetime | None = DATE) -> EmailMessage:
    data = mime_bytes(one, message_id=message_id, date=date)
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    return message_from_bytes(data, policy=SMTP)


def addresses(mail: EmailMessage, name: str) -> list[tuple[str, str]]:
    # Read without the newer parser, which leaves spaces between encoded words on some versions of Python.
    raw = [value for header, value in mail.raw_items() if header == name]
    pairs = getaddresses([str(value).replace("\r\n", "") for value in raw])
    return [(str(make_header(decode_header(display))), address) for display, address in pairs]


def unfolded(mail: EmailMessage, name: str) -> str:
    (raw,) = [str(value).replace("\r\n", "") for header, value in mail.raw_items() if header == name]
    return str(make_header(decode_header(raw)))


def shape(part: MIMEPart) -> Any:
    kind = part.get_content_type()
    return (kind, [shape(inner) for inner in part.iter_parts()]) if part.is_multipart() else kind


def text_of(part: MIMEPart | None) -> str:
    assert part is not None
    return cast("str", part.get_content()).replace("\r\n", "\n")


def test_the_headers_of_a_plain_mail() -> None:
    one = message(cc=["bob@example.net"], reply_to=["help@example.org", "Desk <desk@example.org>"])
    data = mime_bytes(one, message_id="1@example.org", date=DATE)

    assert data == (
        b"Date: Mon, 30 Nov 2026 09:30:00 +0000\r\nFrom: shop@example.org\r\n"
        b"Reply-To: help@example.org, Desk <desk@example.org>\r\nTo: ada@example.net\r\nCc: bob@example.net\r\n"
        b"Subject: Hi\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHello'
    )


def test_blind_copies_are_in_no_header() -> None:
    assert b"hidden" not in mime_bytes(message(bcc=["hidden@example.net"]), message_id=None, date=None)


def test_a_date_and_an_id_of_the_callers_own_replace_ours() -> None:
    own = {"date": "Tue, 01 Dec 2026 00:00:00 +0000", "MESSAGE-ID": "<own@example.org>"}
    mail = parsed(message(headers=own))

    assert mail.get_all("Date") == ["Tue, 01 Dec 2026 00:00:00 +0000"]
    assert mail.get_all("Message-ID") == ["<own@example.org>"]


def test_what_is_not_given_is_not_written() -> None:
    mail = parsed(message(), message_id=None, date=None)
    assert (mail["Date"], mail["Message-ID"], mail["Cc"], mail["Reply-To"]) == (None, None, None, None)


@pytest.mark.parametrize(
    "name",
    [
        "Ada", "Lovelace, Ada", "Åsa", "Grüße, Shop", 'The "Shop"', "back\\slash", "=?utf-8?q?Bob?=", "Ada  B.",
        "a" * 200, "Müller " * 30, "日本語の名前、とても長い" * 8, "x@y.example", "semi;colon:<>", "tab\tname",
    ],
)  # fmt: skip
def test_a_display_name_never_takes_its_address_along(name: str) -> None:
    people = [Address(name, f"p{n}@example.net") for n in range(3)]
    mail = parsed(message(sender=people[0], to=people))

    assert addresses(mail, "From") == [(name, "p0@example.net")]
    assert addresses(mail, "To") == [(name, f"p{n}@example.net") for n in range(3)]


def test_many_recipients_are_folded_between_addresses() -> None:
    people = [f"Person, {n} <person{n}@a-rather-long-domain.example.net>" for n in range(50)]
    one = message(to=[Address(*text.removesuffix(">").split(" <")) for text in people])
    data = mime_bytes(one, message_id=None, date=None)

    assert len(addresses(message_from_bytes(data, policy=SMTP), "To")) == 50
    assert max(map(len, data.split(b"\r\n"))) <= 78


def test_an_encoded_word_fits_the_line_it_is_on() -> None:
    data = mime_bytes(message(subject="Bestellung Nr. 4711 aus Köln ist unterwegs " * 5), message_id=None, date=None)
    head = data.partition(b"\r\n\r\n")[0]

    assert all(len(line) <= 76 for line in head.split(b"\r\n"))
    assert all(len(word) <= 75 for word in re.findall(rb"=\?\S+\?=", head))


@pytest.mark.parametrize(
    "subject", ["Größe", "two  spaces", " edge ", "=?utf-8?q?x?=", "long" * 400, "日本" * 300, "a\tb"]
)
def test_a_subject_arrives_as_it_was_given(subject: str) -> None:
    assert unfolded(parsed(message(subject=subject)), "Subject") == subject


def test_long_ids_are_not_encoded() -> None:
    ids = " ".join(f"<{letter * 120}@example.org>" for letter in "abc")
    data = mime_bytes(message(headers={"References": ids}), message_id=None, date=None)

    assert b"\r\n " + b"<" + b"b" * 120 + b"@example.org>\r\n" in data
    assert str(message_from_bytes(data, policy=SMTP)["References"]) == ids


def test_headers_outside_ascii_are_encoded() -> None:
    mail = parsed(message(headers={"X-Note": "für dich", "X-Spaced": "a  b   c", "X-Empty": ""}))
    assert [str(mail[name]) for name in ("X-Note", "X-Spaced", "X-Empty")] == ["für dich", "a  b   c", ""]


@pytest.mark.parametrize("value", ["x" * 1000, "a" + " " * 1200 + "b"])
def test_headers_that_cannot_be_broken_are_named(value: str) -> None:
    (problem,) = unsupported_in_mime(message(headers={"X-Long": value}))
    assert problem.field == "headers"


def test_addresses_no_server_takes_are_named() -> None:
    (problem,) = unsupported_in_mime(message(cc=["x" * 400 + "@example.net"]))
    assert problem.field == "to"


def test_text_comes_before_html() -> None:
    mail = parsed(message(text="Hällo", html="<p>Hällo</p>"))
    assert shape(mail) == ("multipart/alternative", ["text/plain", "text/html"])
    assert text_of(mail.get_body(("plain",))) == "Hällo"
    assert text_of(mail.get_body(("html",))) == "<p>Hällo</p>"


def test_images_are_related_to_the_html_and_files_are_beside_all() -> None:
    files = [Attachment("logo.png", b"png", "image/png", "logo"), Attachment("bill.pdf", b"pdf", "application/pdf")]
    both = parsed(message(text="Hi", html='<img src="cid:logo">', attachments=files))
    html = parsed(message(html='<img src="cid:logo">', attachments=files))
    text = parsed(message(text="Hi", attachments=files))

    related = ("multipart/related", ["text/html", "image/png"])
    alternative = ("multipart/alternative", ["text/plain", related])
    assert shape(both) == ("multipart/mixed", [alternative, "application/pdf"])
    assert shape(html) == ("multipart/mixed", [related, "application/pdf"])
    assert shape(text) == ("multipart/mixed", ["text/plain", "image/png", "application/pdf"])
    image = next(part for part in both.walk() if part.get_content_type() == "image/png")
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")


@pytest.mark.parametrize(
    "name", ["bill.pdf", "re port; final.pdf", 'the "final".pdf', "Größe.pdf", "back\\slash.txt", "n" * 300 + ".txt"]
)
def test_a_file_keeps_its_name(name: str) -> None:
    (part,) = parsed(message(attachments=[Attachment(name, b"\x00\xff", "application/pdf")])).iter_attachments()
    assert (part.get_filename(), part.get_content()) == (name, b"\x00\xff")


def test_a_file_keeps_the_parameters_of_its_type() -> None:
    file = Attachment("invite.ics", b"BEGIN:VCALENDAR", "text/calendar; method=REQUEST; charset=utf-8")
    (part,) = parsed(message(attachments=[file])).iter_attachments()
    assert dict(part["Content-Type"].params) == {"method": "REQUEST", "charset": "utf-8"}


def test_an_email_as_a_file_is_not_encoded() -> None:
    file = Attachment("original.eml", b"Subject: Old\n\nText\n", "message/rfc822")
    (part,) = parsed(message(attachments=[file])).iter_attachments()
    inner = cast("EmailMessage", part.get_content())

    assert part["Content-Transfer-Encoding"] == "7bit"
    assert (inner["Subject"], text_of(inner)) == ("Old", "Text\n")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("message/rfc822", "Subject: é".encode()), ("message/rfc822", b"x" * 1000), ("message/rfc822", b"a\rb"),
        ("message/delivery-status", b"a: b"), ("multipart/mixed", b""),
    ],
)  # fmt: skip
def test_files_that_would_have_to_be_rewritten_are_named(kind: str, content: bytes) -> None:
    (problem,) = unsupported_in_mime(message(attachments=[Attachment("x.eml", content, kind)]))
    assert problem.field == "attachments"
    assert problem.without is not None
    (part,) = parsed(problem.without).iter_attachments()
    assert (part.get_content_type(), part.get_content()) == ("application/octet-stream", content)


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), min_size=1, max_size=150)
BODIES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=500)


@settings(deadline=None, max_examples=60)
@given(LINES, LINES, LINES, BODIES, BODIES, LINES, st.binary(max_size=300))
def test_whatever_is_written_can_be_read(
    name: str, subject: str, header: str, text: str, html: str, filename: str, content: bytes
) -> None:
    one = message(
        sender=Address(name, "a@example.org"), subject=subject, headers={"X-Note": header}, text=text, html=html,
        attachments=[Attachment(filename, content, "text/csv"), Attachment(filename, content, "image/png", "logo")],
    )  # fmt: skip
    data = mime_bytes(one, message_id="1@example.org", date=DATE)
    mail = parsed(one)
    files = [part for part in mail.walk() if part.get_filename() is not None]

    assert data.isascii()
    assert addresses(mail, "From") == [(name, "a@example.org")]
    assert unfolded(mail, "Subject") == subject
    assert unfolded(mail, "X-Note") == (header.strip(" \t") if re.fullmatch(r"[\t -~]*", header) else header)
    for kind, given_text in (("plain", text), ("html", html)):
        assert text_of(mail.get_body((kind,))) == given_text
    assert [part.get_payload(decode=True) for part in files] == [content, content]
    # The parser strips names; the bytes have them whole.
    assert [part.get_filename() for part in files] == [filename.strip(), filename.strip()]
