"""The staging guard: who is let through, who is not, and where their copy goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured

from poststack_django.backends import EmailBackend
from poststack_django.checks import check_mailers
from poststack_django.guard import REDIRECTED_FROM, is_allowed
from poststack_django.models import SentEmail
from tests.with_django.api import HAS_MAILERS, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db


def recipients(row: SentEmail) -> list[tuple[str, str, str]]:
    return list(row.recipients.values_list("kind", "address", "status"))


@pytest.mark.parametrize(
    ("address", "pattern", "allowed"),
    [
        ("b@example.com", "b@example.com", True),
        ("Bea <B@Example.com>", "b@example.com", True),
        ("b@example.com", "c@example.com", False),
        ("b@example.com", "*@example.com", True),
        ("b@example.com", "@example.com", True),
        ("b@sub.example.com", "@example.com", False),
        ("b@sub.example.com", "*@*.example.com", True),
        ("b@example.com.evil.org", "*@example.com", False),
        ("b+test@example.com", "b+*@example.com", True),
        ("b@example.com", "", False),
    ],
)
def test_patterns(address: str, pattern: str, allowed: bool) -> None:
    assert is_allowed(address, [pattern]) is allowed


def test_only_those_on_the_list_are_sent_to(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["ALLOWED_RECIPIENTS"] = ["*@Team.example", "Guest <guest@example.com>"]
    one = message(
        to=["Ann <ann@team.example>", "b@example.com"], cc=["c@example.com"], bcc=["guest@example.com", "d@example.com"]
    )

    assert EmailBackend().send_messages([one]) == 1
    assert (api.payload["to"], api.payload["bcc"]) == (["Ann <ann@team.example>"], ["guest@example.com"])
    assert "cc" not in api.payload
    assert "headers" not in api.payload
    assert status_of(one).left_out == 3
    row = SentEmail.objects.get()
    assert row.status == "queued"
    assert recipients(row) == [
        ("to", "ann@team.example", "queued"),
        ("bcc", "guest@example.com", "queued"),
        ("to", "b@example.com", "withheld"),
        ("cc", "c@example.com", "withheld"),
        ("bcc", "d@example.com", "withheld"),
    ]


def test_an_international_domain_may_be_on_the_list(api: RecordingApi) -> None:
    assert EmailBackend(allowed_recipients=["*@exämple.com"]).send_messages([message(to=["b@exämple.com"])]) == 1


@pytest.mark.parametrize("silently", [False, True])
def test_with_nobody_left_nothing_is_sent_and_nothing_is_wrong(
    api: RecordingApi, told: list[dict[str, Any]], silently: bool
) -> None:
    one = message(cc=["c@example.com"])
    backend = EmailBackend(allowed_recipients=[], fail_silently=silently)

    assert backend.send_messages([one]) == 0
    assert (status_of(one).status, status_of(one).left_out) == ("withheld", 2)
    row = SentEmail.objects.get()
    assert (row.status, row.idempotency_key) == ("withheld", status_of(one).idempotency_key)
    assert {status for _, _, status in recipients(row)} == {"withheld"}
    assert (api.requests, told) == ([], [])


def test_the_others_of_one_call_are_sent(api: RecordingApi) -> None:
    two = [message(1, to=["x@example.org"]), message(2)]

    assert EmailBackend(allowed_recipients="@example.com").send_messages(two) == 1
    assert [status_of(one).status for one in two] == ["withheld", "queued"]


def test_a_withheld_email_sent_again_without_the_guard_is_stored_as_sent(api: RecordingApi) -> None:
    one = message()
    vars(one)["idempotency_key"] = "order-1"
    EmailBackend(allowed_recipients=[]).send_messages([one])
    EmailBackend().send_messages([one])

    row = SentEmail.objects.get()
    assert (row.status, row.email_id) == ("queued", "em_1")
    assert recipients(row) == [("to", "b@example.com", "queued")]


# Redirecting


def test_a_redirection_alone_sends_everything_to_one_address(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["REDIRECT_TO"] = "Test <test@team.example>"
    one = message(cc=["c@example.com"], bcc=["Dee <d@example.com>"], headers={"X-A": "1"})

    assert EmailBackend().send_messages([one]) == 1
    assert api.payload["to"] == ["Test <test@team.example>"]
    assert not {"cc", "bcc"} & set(api.payload)
    assert api.payload["headers"] == {"X-A": "1", REDIRECTED_FROM: "b@example.com, c@example.com, d@example.com"}
    assert recipients(SentEmail.objects.get()) == [
        ("to", "test@team.example", "queued"),
        ("to", "b@example.com", "withheld"),
        ("cc", "c@example.com", "withheld"),
        ("bcc", "d@example.com", "withheld"),
    ]


def test_both_let_some_through_and_redirect_the_rest(api: RecordingApi) -> None:
    one = message(to=["ann@team.example", "b@example.com"])
    EmailBackend(allowed_recipients=["@team.example"], redirect_to="test@team.example").send_messages([one])

    assert api.payload["to"] == ["ann@team.example", "test@team.example"]
    assert api.payload["headers"] == {REDIRECTED_FROM: "b@example.com"}


def test_nothing_is_redirected_when_everybody_is_allowed(api: RecordingApi) -> None:
    EmailBackend(allowed_recipients=["@example.com"], redirect_to="test@team.example").send_messages([message()])

    assert api.payload["to"] == ["b@example.com"]
    assert "headers" not in api.payload


def test_mail_to_the_redirection_itself_is_as_it_is(api: RecordingApi) -> None:
    one = message(to=["Test <TEST@team.example>"])
    EmailBackend(redirect_to="test@team.example").send_messages([one])

    assert api.payload["to"] == ["Test <TEST@team.example>"]
    assert "headers" not in api.payload
    assert status_of(one).left_out == 0


def test_whoever_is_redirected_to_gets_one_copy(api: RecordingApi) -> None:
    EmailBackend(redirect_to="test@team.example").send_messages([message(cc=["Test <test@team.example>"])])

    assert api.payload["to"] == ["Test <test@team.example>"]
    assert "cc" not in api.payload


def test_a_long_list_of_originals_is_cut_to_a_header_line(api: RecordingApi) -> None:
    many = [f"somebody-{number}@example.com" for number in range(200)]
    EmailBackend(redirect_to="test@team.example").send_messages([message(to=many)])

    value = api.payload["headers"][REDIRECTED_FROM]
    assert len(value) < 998
    assert value.endswith(", …")


def test_a_header_of_that_name_does_not_stay_beside_it(api: RecordingApi) -> None:
    one = message(headers={REDIRECTED_FROM.lower(): "nobody"})
    EmailBackend(redirect_to="test@team.example").send_messages([one])

    assert api.payload["headers"] == {REDIRECTED_FROM: "b@example.com"}


def test_hidden_recipients_that_are_left_become_visible_ones(api: RecordingApi) -> None:
    one = message(bcc=["ann@team.example", "bob@team.example"])
    EmailBackend(allowed_recipients=["@team.example"]).send_messages([one])

    assert (api.payload["to"], api.payload["bcc"]) == (["ann@team.example"], ["bob@team.example"])


# Configuring it


def test_a_mailers_options_count_over_the_settings(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK |= {"ALLOWED_RECIPIENTS": [], "REDIRECT_TO": "test@team.example"}
    one = message()
    EmailBackend(allowed_recipients=None, redirect_to=None).send_messages([one])

    assert api.payload["to"] == ["b@example.com"]
    assert status_of(one).left_out == 0


@pytest.mark.parametrize(
    "wrong", ["nobody", "no body", "a@example.com\nBcc: x@example.com", "a@example.com, b@example.com", 7]
)
def test_a_redirection_to_no_address_is_found_at_the_opening(api: RecordingApi, settings: Any, wrong: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIRECT_TO") as caught:
        EmailBackend(redirect_to=wrong).open()
    assert "a@example.com" not in str(caught.value)
    settings.POSTSTACK["REDIRECT_TO"] = wrong
    with pytest.raises(ImproperlyConfigured, match="REDIRECT_TO"):
        EmailBackend(fail_silently=True).send_messages([message()])

    assert api.requests == []


@pytest.mark.parametrize("wrong", [7, [7], {"a": 1}, b"x"])
def test_a_list_that_is_none_is_found_at_the_opening(api: RecordingApi, wrong: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="ALLOWED_RECIPIENTS"):
        EmailBackend(allowed_recipients=wrong).open()


def test_the_check_finds_them(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["REDIRECT_TO"] = "nobody"
    with configured("EMAIL_BACKEND"):
        found = check_mailers()

    assert [(one.id, "REDIRECT_TO" in one.msg) for one in found] == [("poststack.E002", True)]


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize(
    "wrong",
    [{"redirect_to": "nobody"}, {"send_defaults": {"tag": 1}}, {"allowed_recipients": [1]}, {"redirectto": "x"}],
)
def test_wrong_options_of_a_mailer_name_it(api: RecordingApi, wrong: dict[str, Any]) -> None:
    with configured("MAILERS", **wrong), pytest.raises(mail.InvalidMailer, match=r"MAILERS\['default'\]"):
        mail.mailers.default.open()
