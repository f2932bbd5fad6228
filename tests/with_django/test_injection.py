"""Nothing that a message says can add a header or a recipient to the e-mail: it is refused, and the error hides it."""

from __future__ import annotations

from email.mime.application import MIMEApplication
from typing import TYPE_CHECKING, Any

import pytest

from poststack_django.backends import EmailBackend
from poststack_django.models import SentEmail
from tests.with_django.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.mail import EmailMessage

    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db

EVIL = ["x\r\nBcc: evil@example.com", "x\nevil", "x\revil", "x\x00evil", "evil\n", "\nevil", "evil\r\n"]
SEPARATORS = ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\u00a0", "\u3000"]


def with_file(name: Any, kind: Any) -> EmailMessage:
    one = message()
    one.attachments = [(name, b"x", kind)]
    return one


def with_part(header: str, value: str) -> EmailMessage:
    part = MIMEApplication(b"x")
    # As a parser of somebody else's mail leaves it: the class itself would refuse it.
    part._headers.append((header, value))  # type: ignore[attr-defined]
    one = message()
    one.attachments = [part]
    return one


def with_attribute(name: str, value: object) -> EmailMessage:
    one = message()
    setattr(one, name, value)
    return one


PLACES: dict[str, Callable[[str], EmailMessage]] = {
    "subject": lambda text: with_attribute("subject", text),
    "header name": lambda text: message(headers={text: "1"}),
    "header value": lambda text: message(headers={"X-A": text}),
    "from header": lambda text: message(headers={"From": f"{text} <a@example.com>"}),
    "reply-to header": lambda text: message(headers={"Reply-To": f"{text} <a@example.com>"}),
    "from": lambda text: with_attribute("from_email", f"{text}@example.com"),
    "name of the sender": lambda text: with_attribute("from_email", f"{text} <a@example.com>"),
    "quoted name": lambda text: message(to=[f'"{text}" <b@example.com>']),
    "to": lambda text: message(to=[f"{text}@example.com"]),
    "domain": lambda text: message(to=[f"b@{text}.example.com"]),
    "cc": lambda text: message(cc=[f"c@example.com{text}"]),
    "bcc": lambda text: message(bcc=[f"{text}@example.com"]),
    "name in bcc": lambda text: message(bcc=[f"{text} <d@example.com>"]),
    "reply_to": lambda text: message(reply_to=[f"{text}@example.com"]),
    "name in reply_to": lambda text: message(reply_to=[f"{text} <a@example.com>"]),
    "file name": lambda text: with_file(text, "text/plain"),
    "content type": lambda text: with_file("a.txt", text),
    "content id": lambda text: with_part("Content-ID", f"<a{text}b>"),
    "tag": lambda text: with_attribute("tags", ["fine", text]),
    "template_id": lambda text: with_attribute("template_id", text),
    "idempotency_key": lambda text: with_attribute("idempotency_key", text),
}


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("place", PLACES)
def test_line_breaks_are_refused_everywhere(api: RecordingApi, place: str, evil: str) -> None:
    one = PLACES[place](evil)
    with pytest.raises(ValueError, match=r"line break|no header name") as caught:
        EmailBackend(fail_silently=True).send_messages([one])

    assert "evil" not in str(caught.value)
    assert (api.payloads, SentEmail.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "hidden", ["=?utf-8?q?x=0D=0ABcc=3A_evil?= <b@example.com>", "=?utf-8?b?DQo=?= <b@example.com>"]
)
def test_encoded_line_breaks_are_refused_in_names(backend: EmailBackend, api: RecordingApi, hidden: str) -> None:
    with pytest.raises(ValueError, match=r"`to\[0\]`"):
        backend.send_messages([message(to=[hidden])])

    assert api.payloads == []


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(
    "address", ["b{}c@example.com", "b@exa{}mple.com", "Bea <b@exa{}mple.com>", "b@example.com{}x"]
)
def test_odd_spaces_in_an_address_are_refused_instead_of_changing_it(
    backend: EmailBackend, api: RecordingApi, address: str, separator: str
) -> None:
    with pytest.raises(ValueError, match=r"`bcc\[0\]`"):
        backend.send_messages([message(bcc=[address.format(separator)])])

    assert api.payloads == []


@pytest.mark.parametrize("separator", SEPARATORS)
def test_odd_spaces_in_a_header_name_are_refused(backend: EmailBackend, separator: str) -> None:
    with pytest.raises(ValueError, match="no header name"):
        backend.send_messages([message(headers={f"X{separator}A": "1"})])


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u00a0", "\x0b"])
def test_they_stay_in_texts_that_people_read(backend: EmailBackend, api: RecordingApi, separator: str) -> None:
    one = with_file(f"a{separator}b.txt", "text/plain")
    one.subject = f"pasted{separator}text"
    backend.send_messages([one])

    assert api.payload["subject"] == f"pasted{separator}text"
    assert api.payload["attachments"][0]["filename"] == f"a{separator}b.txt"


def test_lines_in_bodies_and_variables_are_lines(backend: EmailBackend, api: RecordingApi) -> None:
    one = with_attribute("variables", {"address": "Main Street 1\r\nSpringfield"})
    one.body = "a\r\nb\nc"
    backend.send_messages([one])

    assert api.payload["text"] == "a\r\nb\nc"
    assert api.payload["variables"] == {"address": "Main Street 1\r\nSpringfield"}


@pytest.mark.parametrize(
    "name",
    ["Bcc", "Content-Type", "Content-Transfer-Encoding", "MIME-Version", "Received", "Return-Path", "DKIM-Signature"],
)
def test_headers_that_make_up_the_email_are_refused(backend: EmailBackend, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        backend.send_messages([message(headers={name: "x"})])
    with pytest.raises(ValueError, match="headers"):
        backend.send_messages([message(headers={name.upper(): "x"})])
