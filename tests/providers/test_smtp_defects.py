"""What goes wrong with MailBridge 2.1.1 over SMTP, and must not here; numbers as in the list of its defects."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Generator
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, InvalidMessageError, MailBridge
from tests.providers.fakes.smtp import FakeSmtp

if TYPE_CHECKING:
    from typing import TypeAlias

    from poststack.mailbridge import EmailResponseDTO

SENDER = "shop@example.org"
Send: TypeAlias = "Callable[..., EmailResponseDTO]"


@pytest.fixture
def fake() -> Generator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture(params=["threads", "asyncio"])
def send(request: pytest.FixtureRequest, fake: FakeSmtp) -> Send:
    """Return what sends one e-mail and returns its response."""

    def in_threads(*args: Any, **given: Any) -> EmailResponseDTO:
        with MailBridge("smtp", **fake.settings(), from_email=SENDER) as mailer:
            return mailer.respond([EmailMessageDto(*args, **given)])[0]

    def on_asyncio(*args: Any, **given: Any) -> EmailResponseDTO:
        async def main() -> EmailResponseDTO:
            async with AsyncMailBridge("smtp", **fake.settings(), from_email=SENDER) as mailer:
                return (await mailer.respond([EmailMessageDto(*args, **given)]))[0]

        return asyncio.run(main())

    return in_threads if request.param == "threads" else on_asyncio


def test_defect_10_the_address_beside_a_name_outside_ascii_is_not_encoded(fake: FakeSmtp, send: Send) -> None:
    send("Zoë <zoe@example.net>", "Hi", "<p>Hi</p>", from_email="Büro <info@example.org>", cc="Jürgen <j@example.net>")
    for line, address in (("From", b"<info@"), ("To", b"<zoe@"), ("Cc", b"<j@")):
        found = re.search(rb"^%b: =\?utf-8\?.+\?= (<.+>)\r$" % line.encode(), fake.contents[0], re.MULTILINE | re.I)
        assert found is not None
        assert found[1].startswith(address)


def test_defect_11_a_comma_in_a_name_changes_no_envelope(fake: FakeSmtp, send: Send) -> None:
    assert send('"Ada, Countess" <ada@example.net>', "Hi", "x", from_email='"Bob, Jr" <bob@example.org>').success
    assert fake.envelopes == [("bob@example.org", ["ada@example.net"])]
    assert fake.delivered[0].sender == ("Bob, Jr", "bob@example.org")
    # Without quotes it is two addresses, and nobody guesses which was meant.
    response = send("ada@example.net", "Hi", "<p>Hi</p>", from_email="Bob, Jr <bob@example.org>")
    assert isinstance(response.original_error, InvalidMessageError)
    assert len(fake.delivered) == 1


@pytest.mark.parametrize("knows_utf8", [True, False])
def test_defect_21_names_and_domains_outside_ascii_reach_every_server(
    fake: FakeSmtp, send: Send, knows_utf8: bool
) -> None:
    fake.knows_utf8 = knows_utf8
    assert send(["Zoë <zoe@example.net>", "ada@bücher.example"], "Grüße", "<p>Grüße</p>").success
    assert fake.envelopes[0][1] == ["zoe@example.net", "ada@xn--bcher-kva.example"]
    assert fake.delivered[0].to[0] == ("Zoë", "zoe@example.net")
    assert "SMTPUTF8" not in fake.sessions[0].mail_options[0]


def test_defect_32_text_and_html_travel_together_and_none_is_invented(fake: FakeSmtp, send: Send) -> None:
    html = "<style>p { color: red }</style><p>Fish &amp; chips</p>"
    send("ada@example.net", "Hi", html, text="Fish & chips")
    send("ada@example.net", "Hi", html)
    send("ada@example.net", "Hi", "Fish & chips", html=False)
    assert [(one.text, one.html) for one in fake.delivered] == [
        ("Fish & chips", html),
        (None, html),
        ("Fish & chips", None),
    ]
    assert message_from_bytes(fake.contents[0]).get_content_type() == "multipart/alternative"


def test_defect_33_each_header_is_there_once_with_a_date_and_an_id_of_the_senders_domain(
    fake: FakeSmtp, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", None)
    response = send("ada@example.net", "Hi", "<p>Hi</p>", headers={"X-Mailer": "ours"})
    names = [name.lower() for name in message_from_bytes(fake.contents[0])]
    assert len(names) == len(set(names))
    assert {"date", "message-id", "mime-version"} <= set(names)
    assert re.fullmatch(r"[0-9a-f]{32}@example\.org", str(response.message_id))
    response = send("ada@example.net", "Hi", "<p>Hi</p>", headers={"Subject": "Another"})
    assert isinstance(response.original_error, InvalidMessageError)


def test_defect_34_a_relay_without_login_is_enough(fake: FakeSmtp, send: Send) -> None:
    assert send("ada@example.net", "Hi", "<p>Hi</p>").success
    assert "AUTH" not in fake.sessions[0].commands


def test_defect_35_an_email_by_template_is_refused_by_name(fake: FakeSmtp, send: Send) -> None:
    response = send("ada@example.net", template_id="welcome", template_data={"name": "Ada"})
    assert str(response.error) == "`template_id`: SMTP has no stored templates. Nothing was sent."
    assert fake.sessions == []
