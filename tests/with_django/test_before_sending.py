"""What is decided before a call: receivers of `pre_send`, and suppressed addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, transaction

from poststack import PostStackError
from poststack_django import suppressions
from poststack_django.backends import EmailBackend
from poststack_django.errors import NotAllSentError, SuppressedRecipientsError
from poststack_django.models import SentEmail, Suppression
from poststack_django.privacy import fingerprint
from poststack_django.signals import CancelSend, pre_send, send_failed
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db


@pytest.fixture
def receive() -> Iterator[Callable[[Callable[..., None]], None]]:
    """Connects receivers of `pre_send` for one test."""
    connected: list[Callable[..., None]] = []

    def connect(receiver: Callable[..., None]) -> None:
        connected.append(receiver)
        pre_send.connect(receiver)

    yield connect
    for receiver in connected:
        pre_send.disconnect(receiver)


# Receivers


def test_a_receiver_may_change_the_message(backend: EmailBackend, api: RecordingApi, receive: Any) -> None:
    def tag(message: Any, **_: Any) -> None:
        message.tags = ["tagged"]
        message.to = ["changed@example.com"]

    receive(tag)
    backend.send_messages([message()])

    assert (api.payload["tags"], api.payload["to"]) == (["tagged"], ["changed@example.com"])


def test_a_receiver_may_cancel_one_of_several(
    backend: EmailBackend, api: RecordingApi, receive: Any, told: list[dict[str, Any]]
) -> None:
    def cancel(message: Any, sender: type, **_: Any) -> None:
        assert sender is EmailBackend
        if message.subject == "Subject 2":
            raise CancelSend

    receive(cancel)
    three = [message(number) for number in (1, 2, 3)]

    assert backend.send_messages(three) == 2
    assert [status_of(one).status for one in three] == ["queued", "canceled", "queued"]
    assert [payload["subject"] for payload in api.payloads] == ["Subject 1", "Subject 3"]
    assert (SentEmail.objects.count(), len(told)) == (2, 2)


def test_when_all_are_canceled_nothing_is_called(backend: EmailBackend, api: RecordingApi, receive: Any) -> None:
    def cancel(**_: Any) -> None:
        raise CancelSend

    receive(cancel)

    assert backend.send_messages([message(1), message(2)]) == 0
    assert api.requests == []


@pytest.mark.parametrize("silently", [False, True])
def test_a_receiver_that_raises_keeps_every_message_back(api: RecordingApi, receive: Any, silently: bool) -> None:
    def refuse(message: Any, **_: Any) -> None:
        if message.subject == "Subject 2":
            raise LookupError("no such customer")

    receive(refuse)
    with pytest.raises(LookupError):
        EmailBackend(fail_silently=silently).send_messages([message(1), message(2)])

    assert (api.requests, SentEmail.objects.count()) == ([], 0)


def test_receivers_hear_of_no_message_without_recipients(backend: EmailBackend, receive: Any) -> None:
    heard: list[str] = []

    def hear(message: Any, **_: Any) -> None:
        heard.append(message.subject)

    receive(hear)
    backend.send_messages([message(1, to=[]), message(2)])

    assert heard == ["Subject 2"]


def test_a_receiver_may_send_with_the_same_backend(backend: EmailBackend, api: RecordingApi, receive: Any) -> None:
    def also(message: Any, **_: Any) -> None:
        if message.subject == "Subject 1":
            backend.send_messages([_message(2)])

    _message = message
    receive(also)
    backend.send_messages([message(1)])

    assert [payload["subject"] for payload in api.payloads] == ["Subject 2", "Subject 1"]


# Suppressions


@pytest.fixture
def suppressing(api: RecordingApi, settings: Any) -> EmailBackend:
    settings.POSTSTACK["SUPPRESSIONS"] = True
    Suppression.objects.create(address="gone@example.com")
    return EmailBackend()


def test_suppressed_addresses_are_left_out(suppressing: EmailBackend, api: RecordingApi) -> None:
    one = message(to=["b@example.com", "Gone <GONE@example.com>"], cc=["gone@example.com"])

    assert suppressing.send_messages([one]) == 1
    assert api.payload["to"] == ["b@example.com"]
    assert "cc" not in api.payload
    assert status_of(one).left_out == 2
    row = SentEmail.objects.get()
    assert list(row.recipients.values_list("kind", "address", "status")) == [
        ("to", "b@example.com", "queued"),
        ("to", "gone@example.com", "suppressed"),
        ("cc", "gone@example.com", "suppressed"),
    ]


def test_with_everybody_suppressed_it_is_an_error(
    suppressing: EmailBackend, api: RecordingApi, told: list[dict[str, Any]]
) -> None:
    one = message(to=["gone@example.com"])
    with pytest.raises(SuppressedRecipientsError, match="suppressed") as caught:
        suppressing.send_messages([one])

    row = SentEmail.objects.get()
    assert (api.requests, status_of(one).status, status_of(one).code) == ([], "refused", "suppressed")
    assert (row.status, row.error_code, row.recipients.get().status) == ("refused", "suppressed", "suppressed")
    assert [(heard["signal"], heard["error"]) for heard in told] == [(send_failed, caught.value)]
    assert "gone@example.com" not in str(caught.value)
    assert isinstance(caught.value, PostStackError)


def test_it_is_silenced_like_every_failure_of_delivery(api: RecordingApi, suppressing: EmailBackend) -> None:
    backend = EmailBackend(fail_silently=True)

    assert backend.send_messages([message(1, to=["gone@example.com"]), message(2)]) == 1
    assert list(SentEmail.objects.values_list("status", flat=True).order_by("id")) == ["refused", "queued"]


def test_the_others_of_one_call_are_sent(suppressing: EmailBackend) -> None:
    three = [message(1), message(2, to=["gone@example.com"]), message(3)]
    with pytest.raises(NotAllSentError) as caught:
        suppressing.send_messages(three)

    assert caught.value.sent == [three[0], three[2]]
    assert [one for one, _ in caught.value.unsent] == [three[1]]


def test_a_copied_recipient_takes_the_place_of_the_suppressed_one(suppressing: EmailBackend, api: RecordingApi) -> None:
    suppressing.send_messages([message(to=["gone@example.com"], cc=["c@example.com"], bcc=["d@example.com"])])

    assert (api.payload["to"], api.payload["bcc"]) == (["c@example.com"], ["d@example.com"])
    assert "cc" not in api.payload


def test_one_hidden_recipient_may_take_it_too(suppressing: EmailBackend, api: RecordingApi) -> None:
    suppressing.send_messages([message(to=["gone@example.com"], bcc=["d@example.com"])])

    assert api.payload["to"] == ["d@example.com"]


def test_several_hidden_recipients_never_learn_of_each_other(suppressing: EmailBackend, api: RecordingApi) -> None:
    with pytest.raises(SuppressedRecipientsError, match="visible"):
        suppressing.send_messages([message(to=["gone@example.com"], bcc=["d@example.com", "e@example.com"])])

    row = SentEmail.objects.get()
    assert api.requests == []
    assert {one.address: one.status for one in row.recipients.all()} == {
        "gone@example.com": "suppressed",
        "d@example.com": "refused",
        "e@example.com": "refused",
    }


def test_after_the_suppression_is_deleted_the_same_key_sends(suppressing: EmailBackend) -> None:
    one = message(to=["gone@example.com"])
    vars(one)["idempotency_key"] = "order-1"
    with pytest.raises(SuppressedRecipientsError):
        suppressing.send_messages([one])
    Suppression.objects.all().delete()
    suppressing.send_messages([one])

    row = SentEmail.objects.get()
    assert (row.status, row.recipients.get().status) == ("queued", "queued")


@pytest.mark.parametrize("stored", ["hashed", "none"])
def test_they_are_found_by_their_fingerprint(api: RecordingApi, settings: Any, stored: str) -> None:
    settings.POSTSTACK |= {"SUPPRESSIONS": True, "STORE_RECIPIENTS": stored}
    Suppression.objects.create(address=fingerprint("gone@example.com"))
    with pytest.raises(SuppressedRecipientsError):
        EmailBackend().send_messages([message(to=["Gone <gone@example.com>"])])


def test_without_the_setting_they_are_sent_to(api: RecordingApi) -> None:
    Suppression.objects.create(address="gone@example.com")

    assert EmailBackend().send_messages([message(to=["gone@example.com"])]) == 1


def test_without_recording_they_are_left_out_all_the_same(suppressing: EmailBackend, settings: Any) -> None:
    settings.POSTSTACK["RECORD"] = False
    with pytest.raises(SuppressedRecipientsError):
        suppressing.send_messages([message(to=["gone@example.com"])])


def test_a_database_that_fails_does_not_keep_mail_from_getting_out(
    suppressing: EmailBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: object) -> set[str]:
        raise DatabaseError("down")

    monkeypatch.setattr(suppressions, "suppressed_among", down)
    with transaction.atomic():
        assert suppressing.send_messages([message()]) == 1
        assert Suppression.objects.count() == 1

    assert "Looking for suppressed addresses failed with DatabaseError" in caplog.text


def test_thousands_of_recipients_are_looked_for_in_parts(suppressing: EmailBackend, api: RecordingApi) -> None:
    many = [message(n, bcc=[f"{n}-{m}@example.com" for m in range(40)]) for n in range(100)]
    many[50].bcc.append("gone@example.com")

    assert suppressing.send_messages(many) == 100
    assert [one.subject for one in many if status_of(one).left_out] == ["Subject 50"]
