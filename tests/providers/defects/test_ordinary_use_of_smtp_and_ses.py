"""The second of MailBridge 2.1.1's defects: what breaks under ordinary use of SMTP and Amazon SES.

The numbers are those of the whole list.
"""

from __future__ import annotations

import os
import socket
import ssl
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import trustme

from poststack.mailbridge import (
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    InvalidMessageError,
    MailBridge,
    UnsupportedFieldError,
)
from tests.providers.defects.sending import SENDER, Sender, by_recipient, mail
from tests.providers.fakes.ses import ACCESS_KEY, REGION, SECRET_KEY, FakeSes
from tests.providers.fakes.smtp import TOKEN, USERNAME, Event, FakeSmtp


@pytest.mark.parametrize("knows_utf8", [True, False])
def test_21_names_and_domains_outside_ascii_reach_every_mail_server(sender: Sender, knows_utf8: bool) -> None:
    with FakeSmtp(knows_utf8=knows_utf8) as fake:
        assert sender.one("smtp", fake, mail("Zoë Ünal <zoe@bücher.example>", bcc="山田 <y@example.net>")).success
    assert fake.envelopes == [("shop@example.org", ["zoe@xn--bcher-kva.example", "y@example.net"])]
    assert fake.delivered[0].to == [("Zoë Ünal", "zoe@xn--bcher-kva.example")]


def test_25_a_bulk_to_a_mail_server_uses_one_session_for_many_mails(sender: Sender) -> None:
    authority = trustme.CA()
    with FakeSmtp(tls=_certified(authority), requires_login=True) as fake:
        messages = [mail(f"u{n}@example.net") for n in range(5)]
        result = sender.bulk("smtp", fake, messages, max_connections=1, ssl_context=_trusting(authority))
    assert result.successful == 5
    (session,) = fake.sessions
    assert [session.commands.count(verb) for verb in ("STARTTLS", "AUTH", "MAIL")] == [1, 1, 5]
    assert session.ended_politely


def _certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.mark.parametrize("event", [Event(drop=True), Event("421 4.3.2 shutting down")], ids=["drop", "421"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_26_a_mail_server_that_leaves_in_the_middle_of_a_bulk_costs_no_mail(
    sender: Sender, event: Event, verb: str
) -> None:
    with FakeSmtp() as fake:
        for _ in range(2):
            fake.once(verb, Event())
        fake.once(verb, event)
        result = sender.bulk("smtp", fake, [mail(f"u{n}@example.net") for n in range(8)], max_connections=1)
    assert (result.total, result.successful) == (8, 8)
    assert sorted(by_recipient(fake)) == [f"u{n}@example.net" for n in range(8)]
    assert fake.connections == 2


def test_26_a_loss_at_the_end_of_a_mail_leaves_that_one_in_doubt_and_no_other(sender: Sender) -> None:
    with FakeSmtp() as fake:
        fake.once("END", Event(drop=True, taken=True))
        result = sender.bulk("smtp", fake, [mail(f"u{n}@example.net") for n in range(8)], max_connections=1)
    assert [response.may_have_been_sent for response in result.failures.values()] == [True]
    # Sent once, although nobody can know.
    assert sorted(by_recipient(fake)) == [f"u{n}@example.net" for n in range(8)]


def test_27_a_mail_server_that_says_nothing_is_left(sender: Sender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"host": "127.0.0.1", "port": silent.getsockname()[1], "use_tls": False}
        with FakeSmtp() as fake, pytest.raises(EmailSendError, match="in time") as caught:
            sender.one("smtp", fake, mail(), **settings, timeout=0.3, max_retries=0)
    # Nobody was greeted, so nothing can have been sent.
    assert caught.value.kind == "unavailable"


def test_33_a_mail_has_each_header_once_and_tells_nothing_of_this_machine(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(*_: object) -> str:
        raise AssertionError("the name of this machine was looked up")

    monkeypatch.setattr(socket, "getfqdn", looked_up)
    monkeypatch.setattr(socket, "gethostname", looked_up)
    with FakeSmtp() as fake:
        sender.one("smtp", fake, mail())
        sender.one("smtp", fake, mail(headers={"Message-ID": "<17@example.org>", "X-Order": "17"}))
        for name in ("Subject", "From", "To"):
            with pytest.raises(InvalidMessageError, match="a place of its own"):
                sender.one("smtp", fake, mail(headers={name: "Other"}))
    first, second = (message_from_bytes(content) for content in fake.contents)
    for message in (first, second):
        names = [name.lower() for name, _ in message.items()]
        assert len(names) == len(set(names))
        assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert first["Message-ID"].endswith("@example.org>")
    assert (second["Message-ID"], second["X-Order"]) == ("<17@example.org>", "17")
    assert {session.hello for session in fake.sessions} == {"[127.0.0.1]"}


def test_34_a_relay_needs_no_login(sender: Sender) -> None:
    with FakeSmtp() as fake:
        assert sender.one("smtp", fake, mail()).success
    assert "AUTH" not in fake.sessions[0].commands


def test_34_a_token_logs_in_over_a_connection_that_is_checked_by_a_context_of_ones_own(sender: Sender) -> None:
    authority = trustme.CA()
    with FakeSmtp(tls=_certified(authority), requires_login=True, mechanisms=("XOAUTH2",)) as fake:
        login = {"username": USERNAME, "password": None, "oauth_token": lambda: TOKEN}
        with pytest.raises(EmailSendError, match="certificate"):
            sender.one("smtp", fake, mail(), **login, max_retries=0)
        assert sender.one("smtp", fake, mail(), **login, ssl_context=_trusting(authority)).success
    assert (fake.sessions[-1].mechanism, fake.sessions[-1].encrypted) == ("XOAUTH2", True)


def test_35_a_template_through_a_mail_server_is_refused_by_name(sender: Sender) -> None:
    with FakeSmtp() as fake:
        with pytest.raises(UnsupportedFieldError, match="`template_id`: SMTP has no stored templates"):
            sender.one("smtp", fake, EmailMessageDto("ada@example.net", template_id="welcome"))
        assert fake.connections == 0


def test_36_ses_takes_what_the_environment_says_of_keys_and_region(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shared = tmp_path / "credentials"
    shared.write_text(
        f"[shop]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        f"aws_session_token = the-session\n"
    )
    with FakeSes() as fake:
        keys = dict.fromkeys(("aws_access_key_id", "aws_secret_access_key", "region_name"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
        monkeypatch.setenv("AWS_REGION", REGION)
        fake.keys[ACCESS_KEY] = (SECRET_KEY, "the-session")
        sender.one("ses", fake, mail(), **keys, profile_name="shop", configuration_set="events")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session")
        sender.one("ses", fake, mail(), **keys)
    # The fake checks signatures, which have the region and the session in them.
    assert [one.options.get("ConfigurationSetName") for one in fake.delivered] == ["events", None]
    assert {request.path for request in fake.requests} == {"/v2/email/outbound-emails"}


def test_36_a_region_that_nobody_tells_is_asked_for_instead_of_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ConfigurationError, match="region"):
        MailBridge("ses", aws_access_key_id="AKID", aws_secret_access_key="secret")


def test_36_making_a_mailer_for_ses_asks_for_no_keys_yet() -> None:
    asked: list[int] = []

    def credentials() -> tuple[str, str]:
        asked.append(1)
        return ACCESS_KEY, SECRET_KEY

    with (
        FakeSes() as fake,
        MailBridge("ses", credentials=credentials, region_name=REGION, endpoint=fake.url) as mailer,
    ):
        assert asked == []
        mailer.send_message(mail(from_email=SENDER))
    assert (asked, len(fake.delivered)) == ([1], 1)


@pytest.mark.unmeasured
def test_36_a_file_over_10_megabytes_travels_through_ses(sender: Sender) -> None:
    # As it travels, in base64.
    content = os.urandom(1024) * 8_000
    with FakeSes() as fake:
        sender.one("ses", fake, mail(attachments=[("a.bin", content, "application/octet-stream")]))
    assert fake.delivered[0].attachments[0][1] == content


def test_37_templates_travel_through_ses_in_bulk_on_an_event_loop_too() -> None:
    with FakeSes() as fake:
        messages = [EmailMessageDto(f"u{n}@example.net", template_id="welcome") for n in range(60)]
        assert Sender("asyncio").bulk("ses", fake, messages).successful == 60
    assert [request.path for request in fake.requests] == ["/v2/email/outbound-bulk-emails"] * 2
