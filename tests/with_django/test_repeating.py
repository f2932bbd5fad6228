"""The same idempotency key again: in one call, after a failure, after a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStackError
from poststack_django.backends import EmailBackend
from poststack_django.errors import NotAllSentError
from poststack_django.models import SentEmail
from tests.with_django.messages import keyed, messages, states, status_of

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession
    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db


def test_the_same_key_twice_in_one_call_is_one_email(poststack_emulator: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {"CLIENT": poststack_emulator.client}
    pair = [keyed(1, "order-1"), keyed(1, "order-1")]

    assert EmailBackend().send_messages(pair) == 2
    assert len(poststack_emulator.sent) == 1
    assert [status_of(one).replayed for one in pair] == [False, True]
    row = SentEmail.objects.get()
    assert (row.email_id, row.status) == (status_of(pair[0]).id, "queued")


def test_the_same_key_for_other_content_is_refused_and_the_first_stays_sent(
    poststack_emulator: EmulatorSession, settings: Any
) -> None:
    settings.POSTSTACK = {"CLIENT": poststack_emulator.client}
    pair = [keyed(1, "order-1"), keyed(2, "order-1")]
    with pytest.raises(NotAllSentError):
        EmailBackend().send_messages(pair)

    assert states(pair) == ["queued", "refused"]
    assert SentEmail.objects.get().status == "queued"


def test_an_unconfirmed_call_repeated_with_its_keys_uses_its_rows(
    poststack_emulator: EmulatorSession, settings: Any
) -> None:
    settings.POSTSTACK = {"CLIENT": lambda: poststack_emulator.client(max_retries=0)}
    poststack_emulator.fail(lost_answer=True, times=1)
    first = messages(5)
    with pytest.raises(NotAllSentError):
        EmailBackend().send_messages(first)
    again = [keyed(number, status_of(one).idempotency_key) for number, one in enumerate(first)]

    assert EmailBackend().send_messages(again) == 5
    assert len(poststack_emulator.sent) == 5
    assert all(status_of(one).replayed for one in again)
    assert list(SentEmail.objects.values_list("status", flat=True)) == ["queued"] * 5


def test_a_refusal_after_an_attempt_without_an_answer_leaves_it_open_whether_the_email_is_out(
    poststack_emulator: EmulatorSession, settings: Any
) -> None:
    settings.POSTSTACK = {"CLIENT": poststack_emulator.client}
    poststack_emulator.fail(lost_answer=True, times=1)  # accepted
    poststack_emulator.fail(403, times=1)  # and the client's second attempt is refused
    (message,) = messages(1)
    with pytest.raises(PostStackError) as caught:
        EmailBackend().send_messages([message])
    unsure = status_of(message)
    again = keyed(0, unsure.idempotency_key)

    assert (caught.value.status_code, states([message])) == (403, ["unknown"])
    assert EmailBackend().send_messages([again]) == 1
    assert status_of(again).replayed
    assert len(poststack_emulator.sent) == 1


def test_a_refused_email_that_is_sent_again_with_its_key_is_stored_as_it_is_now(
    backend: EmailBackend, api: RecordingApi
) -> None:
    api.will_answer(422, {"error": "Domain not verified", "code": "unprocessable_entity"})
    with pytest.raises(PostStackError):
        backend.send_messages([keyed(1, "order-1")])
    seen: list[tuple[str, str]] = []
    api.on_send = lambda payload: seen.extend(SentEmail.objects.values_list("status", "error"))
    changed = keyed(2, "order-1")
    changed.to = ["new@example.com"]
    backend.send_messages([changed])

    row = SentEmail.objects.get()
    assert seen == [("pending", "")]
    assert (row.status, row.subject, row.to, row.error_code) == ("queued", "Subject 2", ["new@example.com"], "")
