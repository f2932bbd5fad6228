"""The adapter of SendGrid against a SendGrid that is as strict as the real one."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest

from poststack.mailbridge import EmailMessageDto, EmailSendError, MailBridge, UnsupportedFieldError
from tests.providers.fakes.base import answers
from tests.providers.fakes.sendgrid import FakeSendGrid

SENDER = "Shop <shop@example.org>"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSendGrid) -> Generator[MailBridge]:
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def test_display_names_travel_apart_from_addresses(mailer: MailBridge, fake: FakeSendGrid) -> None:
    response = mailer.send('"Lovelace, Ada" <ada@example.net>', "Hi", "<p>Hi</p>", cc=["Bob <bob@example.net>"])
    (one,) = fake.delivered
    assert one.to == [("Lovelace, Ada", "ada@example.net")]
    assert one.cc == [("Bob", "bob@example.net")]
    assert one.sender == ("Shop", "shop@example.org")
    assert response.message_id == one.message_id


def test_mails_of_the_same_content_share_a_request_and_see_nobody_else(mailer: MailBridge, fake: FakeSendGrid) -> None:
    messages = [EmailMessageDto(f"u{n}@example.net", f"For {n}", "<p>News</p>") for n in range(1200)]
    result = mailer.send_bulk(messages)
    assert (result.total, result.successful) == (1200, 1200)
    assert len(fake.requests) == 2
    assert all(len(one.to) == 1 for one in fake.delivered)
    # Each has its own subject, and a response in its own place.
    ids = {one.to[0][1]: (one.subject, one.message_id) for one in fake.delivered}
    assert [ids[f"u{n}@example.net"] for n in range(1200)] == [
        (f"For {n}", response.message_id) for n, response in enumerate(result.responses)
    ]


def test_one_wrong_address_costs_no_other_mail_of_the_request(mailer: MailBridge, fake: FakeSendGrid) -> None:
    names = ["refused" if n == 70 else f"u{n}" for n in range(100)]
    result = mailer.send_bulk([EmailMessageDto(f"{name}@example.net", "Hi", "<p>Hi</p>") for name in names])
    assert list(result.failures) == [70]
    assert result.failures[70].kind == "invalid_recipient"
    assert len(fake.delivered) == 99


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, '{"errors":[{"message":"Bad Request","field":null,"help":null}]}', "invalid_request"),
        (401, '{"errors":[{"message":"invalid, expired, or revoked","field":null}]}', "auth"),
        (403, '{"errors":[{"message":"The from address does not match a verified Sender"}]}', "sender_not_verified"),
        (413, "<html>too large</html>", "payload_too_large"),
        (500, "", "ambiguous"),
        (502, "<html>bad gateway</html>", "ambiguous"),
    ],
)  # fmt: skip
def test_what_a_refusal_means(mailer: MailBridge, fake: FakeSendGrid, status: int, body: str, kind: str) -> None:
    fake.faults.append(answers(status, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (caught.value.kind, caught.value.status_code) == (kind, status)
    assert len(fake.requests) == 1


def test_the_rate_limit_is_waited_for(mailer: MailBridge, fake: FakeSendGrid) -> None:
    reset = str(int(time.time()) + 1)
    fake.faults.append(answers(429, '{"errors":[{"message":"too many requests"}]}', X_RateLimit_Reset=reset))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    assert len(fake.requests) == 2


def test_sandbox_sends_nothing(fake: FakeSendGrid) -> None:
    with MailBridge("sendgrid", **fake.settings(), sandbox=True, from_email=SENDER) as mailer:
        response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert (response.success, response.message_id) == (True, None)
    assert fake.delivered == []


@pytest.mark.parametrize("tags", [["é"], ["x" * 256], [str(n) for n in range(11)]])
def test_tags_that_sendgrid_cannot_take_are_named(mailer: MailBridge, fake: FakeSendGrid, tags: list[str]) -> None:
    with pytest.raises(UnsupportedFieldError, match="`tags`: SendGrid takes"):
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", tags=tags)
    assert fake.requests == []
