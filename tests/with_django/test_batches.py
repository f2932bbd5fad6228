"""Several messages in one `send_messages`: what leaves in which call, and what becomes of each message."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.core.mail import EmailMessage

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError
from poststack.transports.base import TransportTimeoutError
from poststack_django.backends import EmailBackend
from poststack_django.errors import NotAllSentError
from poststack_django.models import SentEmail
from tests.with_django.api import RecordingApi
from tests.with_django.messages import TimeLimit, keyed, message, messages, states, status_of

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db


def sizes(api: RecordingApi) -> list[int]:
    bodies = [json.loads(request.body or b"{}") for request in api.requests]
    return [len(body["emails"]) if "emails" in body else 1 for body in bodies]


# What leaves


def test_a_thousand_messages_are_ten_requests_in_order(backend: EmailBackend, api: RecordingApi) -> None:
    many = messages(1_000)

    assert backend.send_messages(many) == 1_000
    assert sizes(api) == [100] * 10
    assert [payload["subject"] for payload in api.payloads] == [one.subject for one in many]
    assert [status_of(one).id for one in many] == [f"em_{number}" for number in range(1, 1_001)]
    assert SentEmail.objects.filter(status="queued").count() == 1_000


def test_the_emulator_takes_what_is_sent(poststack_emulator: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {"CLIENT": poststack_emulator.client}
    many = messages(101)

    assert EmailBackend().send_messages(many) == 101
    assert [email.subject for email in poststack_emulator.sent] == [one.subject for one in many]
    assert [email.id for email in poststack_emulator.sent] == [status_of(one).id for one in many]


def test_one_message_is_no_batch(backend: EmailBackend, api: RecordingApi) -> None:
    backend.send_messages(messages(101))

    assert [request.url.rpartition("/")[2] for request in api.requests] == ["batch", "emails"]


def test_recording_a_call_takes_few_queries(
    backend: EmailBackend, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(24):  # However many messages, savepoints included.
        backend.send_messages(messages(100))
    assert SentEmail.objects.filter(status="queued").count() == 100


def test_repeating_a_call_with_its_keys_takes_few_queries(
    backend: EmailBackend, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    backend.send_messages([keyed(number, f"key-{number}") for number in range(50)])
    with django_assert_max_num_queries(24):  # However many messages, savepoints included.
        backend.send_messages([keyed(number, f"key-{number}") for number in range(100)])

    assert SentEmail.objects.count() == 100


@pytest.mark.parametrize("heavy", ["file", "text", "html"])
def test_large_messages_are_spread_over_calls(backend: EmailBackend, api: RecordingApi, heavy: str) -> None:
    def large(number: int) -> EmailMessage:
        one = message(number)
        if heavy == "file":
            one.attach("a.bin", b"x" * 6_000_000, "application/octet-stream")
        else:
            one.body = "x" * 8_000_000
            one.content_subtype = "plain" if heavy == "text" else "html"
        return one

    assert backend.send_messages([large(number) for number in range(4)]) == 4
    assert sizes(api) == [3, 1]


def test_a_generator_is_read_once(backend: EmailBackend, api: RecordingApi) -> None:
    assert backend.send_messages(cast("Any", (one for one in messages(3)))) == 3
    assert sizes(api) == [3]


# What is refused


def test_one_refused_message_does_not_keep_the_others_back(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_refuse("Subject 1", "Domain not verified")
    three = messages(3)
    with pytest.raises(NotAllSentError, match=r"1 of 3 messages were not sent.*Domain not verified") as caught:
        backend.send_messages(three)

    assert states(three) == ["queued", "refused", "queued"]
    assert status_of(three[1]).error == "Domain not verified"
    assert caught.value.sent == [three[0], three[2]]
    ((unsent, error),) = caught.value.unsent
    assert unsent is three[1]
    assert isinstance(error, PostStackError)
    assert (caught.value.status_code, caught.value.transient, caught.value.first) == (422, False, error)
    assert list(SentEmail.objects.order_by("id").values_list("status", "error")) == [
        ("queued", ""),
        ("refused", "Domain not verified"),
        ("queued", ""),
    ]


def test_a_failure_of_one_message_alone_is_raised_as_it_is(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_answer(422, {"error": "Domain not verified"})
    with pytest.raises(PostStackError) as caught:
        backend.send_messages([message(1), message(2, to=[])])

    assert type(caught.value) is PostStackError


def test_the_count_when_failures_are_silenced_is_of_those_accepted(api: RecordingApi) -> None:
    api.will_refuse("Subject 1", "Domain not verified")

    assert EmailBackend(fail_silently=True).send_messages(messages(3)) == 2


def test_a_quota_that_ends_in_the_middle_leaves_the_later_calls_untried(
    backend: EmailBackend, api: RecordingApi
) -> None:
    for number in (98, 99):
        api.will_refuse(f"Subject {number}", "Monthly limit reached", "monthly_limit_exceeded")
    many = messages(150)
    with pytest.raises(NotAllSentError) as caught:
        backend.send_messages(many)

    assert states(many) == ["queued"] * 98 + ["refused"] * 2 + ["unsent"] * 50
    assert (caught.value.status_code, caught.value.code) == (429, "monthly_limit_exceeded")
    assert caught.value.first.quota_exceeded
    assert [error for _, error in caught.value.unsent[2:]] == [None] * 50
    assert SentEmail.objects.count() == 100


def test_the_error_survives_a_pickle(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_refuse("Subject 0", "Daily limit", "daily_limit_exceeded")
    with pytest.raises(NotAllSentError) as caught:
        backend.send_messages(messages(2))

    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.status_code, copy.code) == (str(caught.value), 429, "daily_limit_exceeded")
    assert [one.subject for one in copy.sent] == ["Subject 1"]
    assert [(one.subject, error.code) for one, error in copy.unsent] == [("Subject 0", "daily_limit_exceeded")]
    assert status_of(copy.sent[0]).id == "em_2"


def test_a_key_that_is_refused_leaves_the_later_calls_untried(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_answer(401, {"error": "Invalid API key"})
    many = messages(150)
    with pytest.raises(NotAllSentError):
        backend.send_messages(many)

    assert states(many) == ["refused"] * 100 + ["unsent"] * 50
    assert len(api.requests) == 1


def test_a_used_up_quota_is_a_refusal_of_one_message_too(backend: EmailBackend, api: RecordingApi) -> None:
    api.will_answer(429, {"error": "Monthly limit reached", "code": "monthly_limit_exceeded"})
    one = message()
    with pytest.raises(PostStackError):
        backend.send_messages([one])

    assert (status_of(one).status, SentEmail.objects.get().status) == ("refused", "refused")


# What is unknown


def test_a_call_without_an_answer_is_unknown_and_the_rest_is_not_tried(
    backend: EmailBackend, api: RecordingApi, told: list[dict[str, Any]]
) -> None:
    api.will_raise(TransportTimeoutError("read timed out"))
    many = messages(150)
    with pytest.raises(NotAllSentError) as caught:
        backend.send_messages(many)

    assert states(many) == ["unknown"] * 100 + ["unsent"] * 50
    assert all(status_of(one).idempotency_key for one in many)
    assert isinstance(caught.value.first, PostStackConnectionError)
    assert (len(api.requests), len(caught.value.unsent), caught.value.sent) == (1, 150, [])
    assert list(SentEmail.objects.values_list("status", flat=True)) == ["unknown"] * 100
    assert len(told) == 100


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "em_1"}]},
        {"data": [{"id": "em_1"}, {"id": "em_2"}, {"id": "em_3"}]},
        {"data": {"id": "em_1"}},
        {"data": [None, 7]},
        {"data": [{}, {"id": 5}]},
    ],
)
def test_an_answer_that_does_not_say_what_became_of_each_is_unknown(
    backend: EmailBackend, api: RecordingApi, body: dict[str, object]
) -> None:
    api.will_answer(202, body)
    two = messages(2)
    with pytest.raises(NotAllSentError) as caught:
        backend.send_messages(two)

    assert states(two) == ["unknown", "unknown"]
    assert isinstance(caught.value.first, PostStackResponseError)
    assert list(SentEmail.objects.values_list("status", flat=True)) == ["unknown", "unknown"]


@pytest.mark.parametrize("silently", [False, True])
def test_a_time_limit_is_neither_swallowed_nor_silenced(settings: Any, silently: bool) -> None:
    def interrupted(payload: object) -> None:
        raise TimeLimit

    class Client:
        def __init__(self) -> None:
            self.emails = self

        def send(self, input: object, /) -> object:
            raise NotImplementedError

        batch = staticmethod(interrupted)

    settings.POSTSTACK = {"CLIENT": Client}
    many = messages(150)
    with pytest.raises(TimeLimit):
        EmailBackend(fail_silently=silently).send_messages(many)

    assert states(many) == ["unknown"] * 100 + ["unsent"] * 50
    assert SentEmail.objects.filter(status="unknown").count() == 100


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_process_that_is_told_to_end_leaves_rows_that_can_be_sent_again(
    backend: EmailBackend, api: RecordingApi, end: type[BaseException]
) -> None:
    def interrupted(payload: dict[str, Any]) -> None:
        raise end

    api.on_send = interrupted
    many = messages(150)
    with pytest.raises(end):
        backend.send_messages(many)

    assert states(many) == ["unknown"] * 100 + ["unsent"] * 50
    assert list(SentEmail.objects.order_by("id").values_list("status", "idempotency_key")) == [
        ("pending", status_of(one).idempotency_key) for one in many[:100]
    ]


def test_an_earlier_status_does_not_outlive_an_interrupted_send(backend: EmailBackend, api: RecordingApi) -> None:
    one = message()
    backend.send_messages([one])

    def interrupted(payload: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    api.on_send = interrupted
    with pytest.raises(KeyboardInterrupt):
        backend.send_messages([one])

    assert (status_of(one).status, status_of(one).id) == ("unknown", None)


# Mistakes


@pytest.mark.parametrize("silently", [False, True])
def test_a_mistake_in_one_message_sends_and_stores_none_and_names_it(api: RecordingApi, silently: bool) -> None:
    many = messages(10)
    many[2].to = []
    many[7].subject = "a\nBcc: x@example.com"
    with pytest.raises(ValueError, match=r"messages\[7\]: `subject`.* None of the 10 messages was sent") as caught:
        EmailBackend(fail_silently=silently).send_messages(many)

    assert "x@example.com" not in str(caught.value)
    assert (api.requests, SentEmail.objects.count()) == ([], 0)


@pytest.mark.parametrize("place", ["subject", "body", "tags", "variables", "headers"])
def test_half_a_surrogate_pair_is_a_mistake_too(backend: EmailBackend, api: RecordingApi, place: str) -> None:
    two: list[Any] = messages(2)
    half = "\ud800"
    value = {"tags": [half], "variables": {"a": half}, "headers": {"X-A": half}}.get(place, half)
    setattr(two[1], "extra_headers" if place == "headers" else place, value)
    with pytest.raises(ValueError, match=r"messages\[1\]: .*surrogate"):
        backend.send_messages(two)

    assert (api.requests, SentEmail.objects.count()) == ([], 0)
