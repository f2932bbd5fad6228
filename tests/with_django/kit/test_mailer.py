"""The test mailer: the real backend, with the API in memory."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives, send_mail, send_mass_mail

from poststack import PostStackError
from poststack_django.models import SentEmail
from poststack_django.testing import EmailBackend, fail_next_send, override_mailer
from poststack_django.testing.mailers import TEST_BACKEND
from tests.with_django.api import CONFIGURATIONS, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _test_mailer(settings: Any) -> Iterator[None]:
    settings.POSTSTACK = {}
    with override_mailer():
        yield


def outbox() -> list[Any]:
    sent: list[Any] = mail.outbox
    return sent


def test_sent_messages_are_in_the_outbox() -> None:
    assert send_mail("Hi", "Text", "a@example.com", ["b@example.com"], html_message="<p>Text</p>") == 1

    (sent,) = outbox()
    assert (sent.subject, sent.to, sent.alternatives[0][0]) == ("Hi", ["b@example.com"], "<p>Text</p>")


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_it_may_be_configured_either_way(how: str) -> None:
    with configured(how, backend=TEST_BACKEND):
        assert send_mail("Hi", "Text", "a@example.com", ["b@example.com"]) == 1

    assert status_of(outbox()[0]).status == "queued"


def test_no_two_messages_have_the_same_id() -> None:
    to = ["b@example.com"]
    send_mass_mail([(str(number), "x", "a@example.com", to) for number in range(5)])
    message().send()

    ids = [status_of(sent).id for sent in outbox()]
    assert len(set(ids)) == 6
    assert all(one is not None and one.startswith("em_test_") for one in ids)
    assert list(SentEmail.objects.order_by("id").values_list("email_id", flat=True)) == ids


def test_message_and_copy_have_the_status() -> None:
    one = message()
    one.send()

    assert status_of(one) == status_of(outbox()[0])
    assert (status_of(one).status, status_of(one).test_mode) == ("queued", True)


def test_the_outbox_holds_copies() -> None:
    one = message()
    one.send()
    one.to.append("later@example.com")

    assert outbox()[0].to == ["b@example.com"]


def test_the_copy_names_its_mailer_and_what_the_api_would_have_got() -> None:
    one = message()
    one.tags = ["receipt"]  # type: ignore[attr-defined]
    one.send()

    (sent,) = outbox()
    assert sent.sent_using == ("default" if hasattr(mail, "mailers") else None)
    assert sent.poststack_payload == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "subject": "Subject 1",
        "text": "Body",
        "tags": ["receipt"],
        "idempotency_key": status_of(one).idempotency_key,
    }


def test_what_is_in_the_outbox_can_be_copied_and_pickled() -> None:
    EmailBackend().send_messages([message(1), message(2)])

    for other in (copy.deepcopy(outbox()), pickle.loads(pickle.dumps(outbox()))):
        assert [status_of(sent) for sent in other] == [status_of(sent) for sent in outbox()]


def test_the_id_is_in_the_outbox_before_receivers_hear_of_it() -> None:
    from poststack_django.signals import post_send

    seen: list[int] = []

    def hear(**_: Any) -> None:
        seen.append(len(mail.outbox))

    post_send.connect(hear)
    try:
        message().send()
    finally:
        post_send.disconnect(hear)
    assert seen == [1]


@pytest.mark.parametrize(
    "fields",
    [{"headers": {"X-A": "1\n2"}}, {"reply_to": ["a@example.com", "b@example.com"]}, {"to": [], "cc": ["c@d.e"]}],
)
def test_what_the_real_backend_refuses_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        message(**fields).send()

    assert outbox() == []


def test_a_second_html_body_is_refused() -> None:
    letter = EmailMultiAlternatives("Hi", "x", "a@example.com", ["b@example.com"])
    letter.attach_alternative("<p>1</p>", "text/html")
    letter.attach_alternative("<p>2</p>", "text/html")
    with pytest.raises(ValueError, match="two bodies"):
        letter.send()


def test_a_key_that_was_used_sends_nothing_again() -> None:
    first, again = message(), message()
    for one in (first, again):
        one.idempotency_key = "order-1"  # type: ignore[attr-defined]
        one.send()

    assert len(outbox()) == 1
    assert (status_of(again).id, status_of(again).replayed) == (status_of(first).id, True)


def test_a_key_for_another_message_is_refused() -> None:
    first, other = message(1), message(2)
    for one in (first, other):
        one.idempotency_key = "order-1"  # type: ignore[attr-defined]
    first.send()
    with pytest.raises(PostStackError, match="another payload"):
        other.send()


def test_keys_are_forgotten_with_the_outbox() -> None:
    for _ in range(2):
        one = message()
        one.idempotency_key = "order-1"  # type: ignore[attr-defined]
        one.send()
        assert not status_of(one).replayed
        mail.outbox.clear()
        SentEmail.objects.all().delete()


def test_threads_share_the_outbox(settings: Any) -> None:
    settings.POSTSTACK = {"RECORD": False}
    backend = EmailBackend()
    threads = [threading.Thread(target=backend.send_messages, args=([message(n) for n in range(5)],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({status_of(sent).id for sent in outbox()}) == 20


def test_asynchronous_code_fills_the_outbox() -> None:
    from asgiref.sync import async_to_sync

    from poststack_django.aio import asend_mail

    assert async_to_sync(asend_mail)("Hi", "x", "a@example.com", ["b@example.com"]) == 1
    assert status_of(outbox()[0]).status == "queued"


def test_without_a_test_runner_there_is_an_outbox_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mail, "outbox")
    EmailBackend().send_messages([message()])

    assert len(outbox()) == 1


# Failures


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [(422, "domain_not_verified", "refused"), (503, None, "unknown"), (429, "monthly_limit_exceeded", "refused")],
)
def test_an_answer_that_is_a_failure(status: int, code: str | None, state: str) -> None:
    one = message()
    with fail_next_send(status, code=code, error="Because."), pytest.raises(PostStackError, match="Because") as raised:
        one.send()

    assert (raised.value.status_code, raised.value.code) == (status, code)
    assert (status_of(one).status, SentEmail.objects.get().status) == (state, state)
    assert outbox() == []


def test_retry_after_arrives() -> None:
    with fail_next_send(429, retry_after=7), pytest.raises(PostStackError) as raised:
        message().send()

    assert raised.value.retry_after == 7


def test_no_answer() -> None:
    one = message()
    with fail_next_send(no_answer=True), pytest.raises(PostStackError) as raised:
        one.send()

    assert (raised.value.status_code, status_of(one).status, outbox()) == (0, "unknown", [])


def test_a_lost_answer_and_the_same_key_again() -> None:
    one, again = message(), message()
    one.idempotency_key = again.idempotency_key = "order-1"  # type: ignore[attr-defined]
    with fail_next_send(lost_answer=True), pytest.raises(PostStackError):
        one.send()
    (sent,) = outbox()
    assert status_of(sent).status == status_of(one).status == "unknown"

    again.send()
    assert status_of(again).replayed
    assert len(outbox()) == 1


def test_only_the_next_one_fails_and_only_in_the_block() -> None:
    with fail_next_send(), pytest.raises(PostStackError):
        message(1).send()
    with fail_next_send() as failure:
        with pytest.raises(PostStackError):
            message(2).send()
        message(3).send()
    message(4).send()

    assert failure.hits == 1
    assert [sent.subject for sent in outbox()] == ["Subject 3", "Subject 4"]


def test_every_send_of_a_block_may_fail() -> None:
    with fail_next_send(times=None) as failure:
        for number in range(3):
            with pytest.raises(PostStackError):
                message(number).send()

    assert failure.hits == 3


def test_a_refusal_is_of_one_message_and_anything_else_of_the_call() -> None:
    with fail_next_send(422, code="x"), pytest.raises(PostStackError):
        EmailBackend().send_messages([message(1), message(2)])
    assert [sent.subject for sent in outbox()] == ["Subject 2"]

    with fail_next_send(503), pytest.raises(PostStackError):
        EmailBackend().send_messages([message(3), message(4)])
    assert len(outbox()) == 1


def test_a_block_without_a_send_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing was sent"), fail_next_send(503):
        pass


def test_the_tests_own_failure_counts_more() -> None:
    with pytest.raises(ZeroDivisionError), fail_next_send(503):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "arguments",
    [{"status": 503, "no_answer": True}, {"no_answer": True, "lost_answer": True}, {"status": 200}, {"times": 0}],
)
def test_what_cannot_be_meant(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError), fail_next_send(**arguments):
        pass


def test_the_rest_of_the_api_is_elsewhere() -> None:
    from poststack_django.testing.api import client

    with pytest.raises(PostStackError, match="emulated_poststack"):
        client().emails.get("em_test_1")
