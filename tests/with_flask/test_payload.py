"""Everything a message of Flask-Mail or Flask-Mailman says is in the payload, or it is refused by name."""

from __future__ import annotations

import base64
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from typing import TYPE_CHECKING, Any

import flask_mail
import flask_mailman  # type: ignore[import-untyped]
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import poststack_flask
from poststack_flask.payload import payload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True, scope="module")
def _both_packages_in_an_application() -> Generator[None, None, None]:
    app = Flask(__name__)
    flask_mail.Mail(app)
    flask_mailman.Mail(app)
    with app.app_context():
        yield


def flask_mail_message(**fields: Any) -> flask_mail.Message:
    given: dict[str, Any] = {
        "subject": "Hi",
        "recipients": ["b@example.com"],
        "body": "Text",
        "sender": "a@example.com",
    }
    return flask_mail.Message(**{**given, **fields})


def own_message(**fields: Any) -> poststack_flask.Message:
    given: dict[str, Any] = {
        "subject": "Hi",
        "recipients": ["b@example.com"],
        "body": "Text",
        "sender": "a@example.com",
    }
    return poststack_flask.Message(**{**given, **fields})


def mailman_message(**fields: Any) -> Any:
    given: dict[str, Any] = {"subject": "Hi", "to": ["b@example.com"], "body": "Text", "from_email": "a@example.com"}
    return flask_mailman.EmailMultiAlternatives(**{**given, **fields})


PLAIN = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Text"}
FORMS = [flask_mail_message, own_message]
"""What is said of the one holds for the other."""


@pytest.mark.parametrize("message", [*FORMS, mailman_message])
def test_empty_parts_give_no_keys(message: Callable[..., Any]) -> None:
    assert payload_from(message()) == PLAIN


@pytest.mark.parametrize("message", FORMS)
def test_every_field_of_flask_mail_is_mapped(message: Callable[..., Any]) -> None:
    payload = payload_from(
        message(
            recipients=["b@example.com", ("Doe, John", "j@example.com")],
            cc=[("Cee", "c@example.com")],
            bcc=["d@example.com"],
            reply_to=("Help", "help@example.com"),
            html="<p>Hi",
            extra_headers={"X-Number": 7},
            charset="iso-8859-1",
        )
    )

    assert payload == {
        **PLAIN,
        "to": ["b@example.com", '"Doe, John" <j@example.com>'],
        "cc": ["Cee <c@example.com>"],
        "bcc": ["d@example.com"],
        "reply_to": "Help <help@example.com>",
        "html": "<p>Hi",
        "headers": {"X-Number": "7"},
    }


def test_every_field_of_flask_mailman_is_mapped() -> None:
    one = mailman_message(
        cc=["c@example.com"],
        bcc=["d@example.com"],
        reply_to=["e@example.com"],
        headers={"X-Number": 7, "From": "Acme <acme@example.com>"},
    )
    one.attach_alternative("<p>Hi", "text/html")

    assert payload_from(one) == {
        **PLAIN,
        "from": "Acme <acme@example.com>",
        "cc": ["c@example.com"],
        "bcc": ["d@example.com"],
        "reply_to": "e@example.com",
        "html": "<p>Hi",
        "headers": {"X-Number": "7"},
    }


def test_a_plain_message_of_flask_mailman_may_be_html() -> None:
    one = flask_mailman.EmailMessage("Hi", "<p>Hi", "a@example.com", ["b@example.com"])
    one.content_subtype = "html"

    assert payload_from(one) == {**{k: v for k, v in PLAIN.items() if k != "text"}, "html": "<p>Hi"}


@pytest.mark.parametrize("message", FORMS)
def test_html_alone_has_no_empty_text_beside_it(message: Callable[..., Any]) -> None:
    payload = payload_from(message(body=None, html="<p>Hi"))

    assert (payload.get("text"), payload.get("html")) == (None, "<p>Hi")


@pytest.mark.parametrize("message", FORMS)
def test_a_recipient_named_twice_gets_one_email_as_over_smtp(message: Callable[..., Any]) -> None:
    assert payload_from(message(recipients=["b@example.com"] * 2))["to"] == ["b@example.com"]


@pytest.mark.parametrize("message", FORMS)
def test_files_of_flask_mail_travel_with_it(message: Callable[..., Any]) -> None:
    one = message()
    one.attach("total.csv", "text/csv", "a,€")
    one.attach("logo.png", "image/png", PNG, "inline", headers={"Content-ID": "<logo>"})
    one.attach("pixel.png", data=PNG, disposition="inline")
    one.attach(data=b"?")

    files = payload_from(one).get("attachments", [])
    assert [
        (file["filename"], base64.b64decode(file["content"]), file.get("content_type"), file.get("content_id"))
        for file in files
    ] == [
        ("total.csv", "a,€".encode(), "text/csv; charset=utf-8", None),
        ("logo.png", PNG, "image/png", "logo"),
        ("pixel.png", PNG, "image/png", "inline-3"),
        ("attachment-4.bin", b"?", "application/octet-stream", None),
    ]


def test_files_of_flask_mailman_travel_with_it() -> None:
    image = MIMEImage(PNG, "png")
    image.add_header("Content-ID", "<logo>")
    one = mailman_message(attachments=[("total.csv", "a,b", "text/csv"), image])
    one.attach(None, mailman_message(subject="Inner"), "message/rfc822")

    first, second, third = payload_from(one).get("attachments", [])
    assert (first["filename"], second.get("content_id")) == ("total.csv", "logo")
    assert b"Subject: Inner" in base64.b64decode(third["content"])


def with_part(header: str) -> Any:
    part = MIMEBase("application", "pdf")
    part.set_payload("x")
    part[header] = "1"
    return mailman_message(attachments=[part])


def with_file(message: Callable[..., Any], **arguments: Any) -> Any:
    one = message()
    one.attach("a.txt", "text/plain", "x", **arguments)
    return one


class SignedMail(flask_mail.Message):
    def as_bytes(self) -> bytes:
        return b"signed"


class OwnSignedMail(poststack_flask.Message):
    def as_bytes(self) -> bytes:
        return b"signed"


class SignedMailman(flask_mailman.EmailMessage):  # type: ignore[misc]
    def message(self) -> Any:
        raise AssertionError


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    f"{name} of {message.__name__}": (make, why)
    for message in FORMS
    for name, make, why in (
        ("date", lambda m=message: m(date=1.0), "scheduled_at"),
        ("mail_options", lambda m=message: m(mail_options=["BODY=8BITMIME"]), "mail_options"),
        ("rcpt_options", lambda m=message: m(rcpt_options=["NOTIFY=NEVER"]), "rcpt_options"),
        ("alternative", lambda m=message: m(alts={"calendar": "x"}), "'calendar'"),
        ("only hidden recipients", lambda m=message: m(recipients=[], bcc=["secret@example.com"]), "recipients"),
        ("several reply_to", lambda m=message: m(reply_to="a@example.com, secret@example.com"), "several"),
        ("two reply_to", lambda m=message: m(reply_to=["secret@example.com"]), "reply_to"),
        ("header of a file", lambda m=message: with_file(m, headers={"Content-Description": "x"}), "Content-Desc"),
        ("structural header", lambda m=message: m(extra_headers={"Content-Type": "x"}), "PostStack writes itself"),
        ("sender in a header", lambda m=message: m(extra_headers={"from": "secret@example.com"}), "'From'"),
        ("unknown charset", lambda m=message: m(body=b"x", charset="utf-9"), "utf-9"),
        ("no file", lambda m=message: m(attachments=["secret"]), "attach()"),
        ("bytes that are no text", lambda m=message: m(body=b"secret\xff"), "body"),
        ("half a character", lambda m=message: m(subject="secret\ud800"), "surrogate"),
    )
} | {
    "own MIME of Flask-Mail": (lambda: SignedMail("Hi", ["secret@example.com"], sender="a@example.com"), "SMTP"),
    "own MIME of ours": (lambda: OwnSignedMail("Hi", ["secret@example.com"], sender="a@example.com"), "SMTP"),
    "own MIME of Flask-Mailman": (lambda: SignedMailman("Hi", "", "a@example.com", ["secret@example.com"]), "SMTP"),
    "alternative of Flask-Mailman": (lambda: mailman_message(alternatives=[("x", "text/calendar")]), "calendar"),
    "several reply_to of Flask-Mailman": (lambda: mailman_message(reply_to=["secret@example.com"] * 2), "takes one"),
    "header of a MIME part": (lambda: with_part("Content-Description"), "Content-Description"),
    "subtype of Flask-Mailman": (lambda: _with_subtype("calendar"), "content_subtype"),
    "shown recipients": (lambda: mailman_message(headers={"To": "secret@example.com"}), "other recipients"),
}


def _with_subtype(subtype: str) -> Any:
    one = mailman_message()
    one.content_subtype = subtype
    return one


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_said_is_refused_without_showing_anything(case: str) -> None:
    make, why = REFUSED[case]
    one = make()
    with pytest.raises(ValueError, match=why) as caught:
        payload_from(one)

    assert "secret" not in str(caught.value)


def test_a_method_put_onto_one_message_is_refused_too() -> None:
    one = mailman_message()
    one.message = lambda: None
    with pytest.raises(ValueError, match="its own message"):
        payload_from(one)


def test_a_subclass_that_only_adds_is_sent() -> None:
    class Welcome(flask_mail.Message):
        def audience(self) -> int:
            return len(self.recipients)

    assert payload_from(Welcome("Hi", ["b@example.com"], "Text", sender="a@example.com")) == PLAIN


@pytest.mark.parametrize("given", [PLAIN, None, "text", flask_mail.Message])
def test_what_is_no_message_is_named(given: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"not (dict|NoneType|str)|no `recipients`|property|type"):
        payload_from(given)


@pytest.mark.parametrize(
    "default", ["Acme <acme@example.com>", ("Acme", "acme@example.com"), ["Acme", "acme@example.com"]]
)
@pytest.mark.parametrize("message", [lambda: own_message(sender=None), lambda: mailman_message(from_email=None)])
def test_a_message_without_a_sender_has_the_default_one(message: Callable[[], Any], default: Any) -> None:
    assert payload_from(message(), default)["from"] == "Acme <acme@example.com>"


@pytest.mark.parametrize("message", [lambda: own_message(sender=None), lambda: mailman_message(from_email=None)])
def test_no_sender_at_all_says_how_to_give_one(message: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="POSTSTACK_DEFAULT_SENDER"):
        payload_from(message())


def test_fields_beside_the_message_are_sent() -> None:
    fields: Any = {
        "tags": ["a"],
        "idempotency_key": "signup-1",
        "scheduled_at": "2030-01-01T00:00:00Z",
        "unsubscribe": None,
    }

    assert payload_from(own_message(), fields=fields) == {
        **PLAIN,
        "tags": ["a"],
        "idempotency_key": "signup-1",
        "scheduled_at": "2030-01-01T00:00:00Z",
    }


def test_a_template_supplies_what_the_message_leaves_empty() -> None:
    one = own_message(subject="", body=None)

    assert payload_from(one, fields={"template_id": "tpl_1", "variables": {"name": "Ada"}}) == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "template_id": "tpl_1",
        "variables": {"name": "Ada"},
    }


@pytest.mark.parametrize("name", ["subject", "to", "html", "headers", "tagz"])
def test_a_field_that_belongs_to_the_message_is_refused(name: str) -> None:
    fields: Any = {name: "x"}
    with pytest.raises(TypeError, match=name):
        payload_from(own_message(), fields=fields)


def test_the_envelope_is_poststacks() -> None:
    fields: Any = {"envelope_from": "bounces@example.com"}
    with pytest.raises(ValueError, match="envelope_from"):
        payload_from(own_message(), fields=fields)


def _with_named_file(name: str) -> Any:
    one = own_message()
    one.attach(name, "text/plain", "x")
    return one


breaks = st.sampled_from(["\r\n", "\n", "\r", "\x00"])
PLACES: dict[str, Callable[[str], Any]] = {
    "subject": lambda text: own_message(subject=text),
    "sender": lambda text: own_message(sender=f"{text} <a@example.com>"),
    "name of the sender": lambda text: own_message(sender=(text, "a@example.com")),
    "sender of Flask-Mail": lambda text: flask_mail_message(sender=(text, "a@example.com")),
    "recipient": lambda text: own_message(recipients=[f"{text}@example.com"]),
    "name of a recipient": lambda text: own_message(recipients=[(text, "a@example.com")]),
    "address beside a name": lambda text: own_message(recipients=[("Ada", f"a@example.com{text}")]),
    "cc": lambda text: own_message(cc=[f"{text} <a@example.com>"]),
    "bcc": lambda text: own_message(bcc=[(text, "a@example.com")]),
    "reply_to": lambda text: own_message(reply_to=(text, "a@example.com")),
    "header": lambda text: own_message(extra_headers={"X-A": text}),
    "header name": lambda text: own_message(extra_headers={text: "1"}),
    "content id": lambda text: with_file(own_message, headers={"Content-ID": f"<{text}>"}),
    "file name": _with_named_file,
    "subject of Flask-Mailman": lambda text: mailman_message(subject=text),
    "recipient of Flask-Mailman": lambda text: mailman_message(to=[f"{text} <a@example.com>"]),
    "header of Flask-Mailman": lambda text: mailman_message(headers={"X-A": text}),
}


@pytest.mark.parametrize("place", PLACES)
@given(before=st.text(max_size=5), line_break=breaks, after=st.text(max_size=5))
def test_no_line_break_gets_through_anywhere(place: str, before: str, line_break: str, after: str) -> None:
    with pytest.raises(ValueError):
        payload_from(PLACES[place](f"{before}secret{line_break}secret{after}"))


@pytest.mark.parametrize("field", ["idempotency_key", "scheduled_at", "template_id", "tags"])
@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\x00"])
def test_nor_in_the_fields_beside_it(field: str, line_break: str) -> None:
    text = f"secret{line_break}secret"
    fields: Any = {field: [text] if field == "tags" else text}
    with pytest.raises(ValueError, match=field) as caught:
        payload_from(own_message(), fields=fields)

    assert "secret" not in str(caught.value)
