"""Looking at what was sent, and failing in a way that helps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from poststack_django.testing import assert_sent, override_mailer, sent_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


def send(subject: str, to: str, **attributes: Any) -> None:
    message = EmailMessage(subject, "the body", "a@example.com", [to], cc=["copy@example.com"])
    vars(message).update(attributes)
    message.send()


@pytest.fixture(params=[True, False], ids=["test mailer", "Django's"])
def _three_messages(request: pytest.FixtureRequest, settings: Any) -> Iterator[None]:
    settings.POSTSTACK = {}
    if request.param:
        with override_mailer():
            _send_three()
            yield
    else:
        _send_three()
        yield


def _send_three() -> None:
    send("Welcome", "Ada <ada@example.com>", tags=["welcome"])
    send("Your order 1", "ada@example.com", tags=["receipt"], template_id="tpl_1")
    send("Your order 2", "bob@example.com", tags=["receipt"])


@pytest.mark.usefixtures("_three_messages")
@pytest.mark.parametrize(
    ("criteria", "subjects"),
    [
        ({}, ["Welcome", "Your order 1", "Your order 2"]),
        ({"to": "ADA@example.com"}, ["Welcome", "Your order 1"]),
        ({"to": "copy@example.com"}, []),
        ({"subject": "Your order"}, []),
        ({"subject": re.compile("order")}, ["Your order 1", "Your order 2"]),
        ({"tag": "receipt", "to": "bob@example.com"}, ["Your order 2"]),
        ({"template_id": "tpl_1"}, ["Your order 1"]),
    ],
)
def test_finding(criteria: dict[str, Any], subjects: list[str]) -> None:
    assert [str(found.subject) for found in sent_messages(**criteria)] == subjects
    assert len(assert_sent(**criteria, count=len(subjects))) == len(subjects)


@pytest.mark.usefixtures("_three_messages")
def test_the_failure_names_what_was_sent_and_nobody() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_sent(to="eve@example.com", subject=re.compile("[Ii]nvoice"), tag="x", template_id="tpl_2")

    text = str(raised.value)
    assert text.startswith("Expected at least one e-mail with to the address given, subject '[Ii]nvoice', tag 'x'")
    for sent in mail.outbox:
        status = getattr(sent, "poststack_status", None)
        assert f"{status.id if status else '(no id)'}  {str(sent.subject)!r}" in text
    assert "example.com" not in text
    assert "the body" not in text


@pytest.mark.usefixtures("_three_messages")
def test_a_wrong_count_fails() -> None:
    for count, expected in ((1, "1 e-mail;"), (0, "0 e-mails;"), (4, "4 e-mails;")):
        with pytest.raises(AssertionError, match=f"Expected {expected} there are 3"):
            assert_sent(count=count)


def test_nothing_was_sent() -> None:
    assert assert_sent(count=0) == []
    with pytest.raises(AssertionError, match="Nothing was sent at all"):
        assert_sent()


def test_defaults_of_the_settings_are_found(settings: Any) -> None:
    settings.POSTSTACK = {"SEND_DEFAULTS": {"tags": ["shop"]}}
    with override_mailer():
        send("Welcome", "ada@example.com")

    assert_sent(tag="shop", count=1)


def test_an_email_whose_answer_was_lost_is_named_by_its_state(settings: Any) -> None:
    from poststack import PostStackError
    from poststack_django.testing import fail_next_send

    settings.POSTSTACK = {}
    with override_mailer(), fail_next_send(lost_answer=True), pytest.raises(PostStackError):
        send("Welcome", "ada@example.com")
    with pytest.raises(AssertionError, match=r"\(unknown\)  'Welcome'"):
        assert_sent(count=2)
