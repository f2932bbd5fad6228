"""What the drainer makes of each answer: sent, tried again later, given up; and who may send what."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from poststack import PostStack, PostStackError
from poststack.transports.base import HttpResponse, TransportTimeoutError
from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.models import EmailContent, SentEmail
from poststack_django.outbox import delivering, drain
from poststack_django.outbox.claims import claim_due, claim_one, next_due_at
from poststack_django.outbox.delivering import deliver
from poststack_django.outbox.pauses import Pauses
from poststack_django.settings import ClientSettings
from poststack_django.status import Status
from tests.with_django.api import HAS_MAILERS, SECRET, RecordingApi, configured
from tests.with_django.messages import message

pytestmark = pytest.mark.django_db(transaction=True)


def put(*numbers: int, **attributes: Any) -> list[SentEmail]:
    """Put e-mails into the outbox."""
    messages = [message(number) for number in numbers or (1,)]
    for one in messages:
        vars(one).update(attributes)
    OutboxEmailBackend().send_messages(messages)
    return list(SentEmail.objects.order_by("pk"))


def due_now() -> None:
    """Let the time of every row that waits come."""
    SentEmail.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())


def seconds_until(row: SentEmail) -> float:
    row.refresh_from_db()
    assert row.next_attempt_at is not None
    return (row.next_attempt_at - timezone.now()).total_seconds()


PASSING: dict[str, HttpResponse | Exception] = {
    "503": HttpResponse(503, {}, b'{"error": "Down"}'),
    "429": HttpResponse(429, {}, b'{"error": "Slow down", "code": "rate_limit_exceeded"}'),
    "no answer": TransportTimeoutError("no answer"),
    "broken answer": HttpResponse(202, {}, b'{"unexpected": true}'),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_what_may_help_later_is_tried_again_with_the_same_call(
    api: RecordingApi, settings: Any, failure: HttpResponse | Exception
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"WAIT_FOR_QUOTA": True}}
    (row,) = put()
    api.answers.append(failure)

    done = drain()
    row.refresh_from_db()
    assert (done.put_off, row.status, row.attempts, row.claim) == (1, Status.WAITING, 1, "")
    assert row.error

    due_now()
    assert drain().sent == 1
    row.refresh_from_db()
    assert (row.status, row.email_id, row.attempts, row.error) == (Status.QUEUED, "em_2", 2, "")
    assert api.payloads[0] == api.payloads[1]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_would_be_refused_again_is_given_up_and_told(
    api: RecordingApi, told: list[dict[str, Any]], status: int
) -> None:
    (row,) = put()
    api.will_answer(status, {"error": "No", "code": "why"})

    assert drain().given_up == 1
    row.refresh_from_db()
    assert (row.status, row.error_code, row.next_attempt_at) == (Status.REFUSED, "why", None)
    assert row.recipients.get().status == Status.REFUSED
    (heard,) = told
    assert (heard["email"], heard["status"].status, heard["message"].subject) == (row, "refused", "Subject 1")
    assert isinstance(heard["error"], PostStackError)
    assert EmailContent.objects.exists(), "it can be sent again once the reason is mended"


def test_receivers_hear_of_acceptance(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    (row,) = put()
    drain()

    (heard,) = told
    assert (heard["email"], heard["status"].id, heard["message"].body) == (row, "em_1", "Body")


def test_retry_after_is_obeyed_for_the_row_and_for_the_mailer(api: RecordingApi) -> None:
    first, second = put(1, 2)
    SentEmail.objects.filter(pk=second.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    headers = {"retry-after": "120"}
    api.answers.append(HttpResponse(429, headers, json.dumps({"error": "x", "code": "rate_limit_exceeded"}).encode()))
    pauses = Pauses(900.0)
    delivering.drain(pauses=pauses)
    due_now()
    SentEmail.objects.filter(pk=first.pk).update(next_attempt_at=timezone.now() + timedelta(seconds=119))

    assert delivering.drain(pauses=pauses).total == 0, "the mailer was told to wait"
    left = pauses.seconds_left()
    assert left is not None
    assert 100 < left <= 120
    assert 100 < seconds_until(first) <= 120
    assert len(api.requests) == 1


def test_a_refused_element_of_a_batch_does_not_hold_up_the_others(api: RecordingApi) -> None:
    put(1, 2, 3)
    api.will_refuse("Subject 2", "Domain not verified")

    done = drain()
    assert (done.sent, done.given_up) == (2, 1)
    assert list(SentEmail.objects.order_by("pk").values_list("status", flat=True)) == ["queued", "refused", "queued"]


def test_a_used_up_quota_is_given_up_unless_the_settings_want_to_wait(api: RecordingApi, settings: Any) -> None:
    quota = {"error": "Monthly limit reached", "code": "monthly_limit_exceeded"}
    put()
    api.will_answer(429, quota)
    assert drain().given_up == 1

    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"WAIT_FOR_QUOTA": True}}
    put(2)
    api.will_answer(429, quota)
    assert drain().put_off == 1


def test_it_gives_up_when_the_horizon_has_ended(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"HORIZON": 3600.0}}
    (row,) = put()
    api.will_raise(TransportTimeoutError("no answer"))
    drain()
    SentEmail.objects.update(first_attempt_at=timezone.now() - timedelta(hours=2))
    due_now()

    assert drain().given_up == 1
    row.refresh_from_db()
    assert (row.status, row.next_attempt_at) == (Status.GAVE_UP, None)
    assert "horizon" in row.error
    assert len(api.requests) == 1, "the API may have forgotten the key: it was not asked again"


def test_however_long_nobody_drained_it_a_first_attempt_is_made(api: RecordingApi) -> None:
    put()
    SentEmail.objects.update(queued_at=timezone.now() - timedelta(days=9))

    assert drain().sent == 1


def test_mail_that_is_worthless_when_late_expires(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"EXPIRES": 600.0}}
    (row,) = put()
    SentEmail.objects.update(queued_at=timezone.now() - timedelta(minutes=11))

    assert drain().given_up == 1
    row.refresh_from_db()
    assert (row.status, api.requests) == (Status.GAVE_UP, [])
    assert "expired" in row.error


def test_while_the_api_is_down_only_one_call_is_tried(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"BATCH_SIZE": 2}}
    put(*range(10))
    api.answers = [HttpResponse(503, {}, b'{"error": "Down"}')] * 9

    assert drain().put_off == 2
    assert len(api.requests) == 1
    assert SentEmail.objects.filter(attempts=0).count() == 8


def test_a_lost_content_is_given_up_visibly(api: RecordingApi) -> None:
    (row,) = put()
    EmailContent.objects.all().delete()

    assert drain().given_up == 1
    row.refresh_from_db()
    assert (row.status, api.requests) == (Status.REFUSED, [])
    assert "content" in row.error


# Who may send what


def test_a_row_belongs_to_one_drainer_until_its_lease_ends(api: RecordingApi) -> None:
    (row,) = put()
    (claimed,) = claim_due(10)

    assert claim_due(10) == []
    assert claim_one(row.pk) is None
    assert 100 < seconds_until(row) <= 120

    due_now()  # The drainer has died, and its lease has ended.
    assert drain().sent == 1
    row.refresh_from_db()
    assert row.attempts == 2
    assert deliver([claimed]).total == 0, "the first one was not dead after all"
    row.refresh_from_db()
    assert (len(api.requests), row.status) == (1, Status.QUEUED)


def test_one_that_lost_its_lease_does_not_overrule_the_one_that_took_over(api: RecordingApi) -> None:
    (row,) = put()
    (lost,) = claim_due(10)
    api.will_answer(422, {"error": "No"})

    def take_over(payload: dict[str, Any]) -> None:
        api.on_send = lambda payload: None
        due_now()
        assert drain().sent == 1

    api.on_send = take_over
    deliver([lost])

    row.refresh_from_db()
    assert (row.status, row.email_id) == (Status.QUEUED, "em_2")
    assert api.payloads[0] == api.payloads[1]


def test_many_that_ask_at_once_get_different_rows(api: RecordingApi) -> None:
    from django.db import connections

    put(*range(20))
    taken: list[list[int]] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        barrier.wait()
        try:
            taken.append([row.pk for _ in range(10) for row in claim_due(2)])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = [key for some in taken for key in some]
    assert sorted(keys) == sorted(set(keys))
    assert len(keys) == 20


def test_one_that_is_told_to_stop_gives_back_what_it_has_not_tried(api: RecordingApi) -> None:
    put(1, 2)
    rows = claim_due(10)

    assert deliver(rows, stopping=lambda: True).total == 0
    assert [(row.attempts, row.claim) for row in SentEmail.objects.all()] == [(0, ""), (0, "")]
    assert drain().sent == 2


def test_the_time_limit_of_a_task_gets_through_and_loses_nothing(api: RecordingApi, settings: Any) -> None:
    class SoftTimeLimitExceeded(Exception):
        """As a queue raises it, in the middle of a call."""

    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"BATCH_SIZE": 1}}
    put(1, 2)
    api.will_raise(SoftTimeLimitExceeded())
    with pytest.raises(SoftTimeLimitExceeded):
        drain()

    assert list(SentEmail.objects.values_list("status", flat=True)) == ["waiting", "waiting"]
    due_now()
    assert drain().sent == 2


def test_the_next_time_is_known(api: RecordingApi) -> None:
    assert next_due_at() is None
    (row,) = put()
    assert next_due_at() == row.next_attempt_at


# Mailers and tenants


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_a_mailer_that_is_gone_is_waited_for(api: RecordingApi) -> None:
    backend = "poststack_django.backends.OutboxEmailBackend"
    with configured("MAILERS", backend=backend):
        OutboxEmailBackend(alias="default").send_messages([message()])
    with override_settings(MAILERS={"other": {"BACKEND": backend}}):
        assert drain().put_off == 1
    assert "'default'" in SentEmail.objects.get().error

    due_now()
    with configured("MAILERS", backend=backend):
        assert drain().sent == 1


class Tenants:
    """The API as tenants with keys of their own see it."""

    def __init__(self, settings: Any, patch: pytest.MonkeyPatch, keys: dict[str, str]) -> None:
        self.api = RecordingApi()
        self._keys = keys
        settings.POSTSTACK = {"API_KEY": self.key_of, "WEBHOOK_SECRETS": [SECRET]}
        patch.setattr(OutboxEmailBackend, "client_for", self.client_for)
        patch.setattr(EmailBackend, "client_for", self.client_for)

    def key_of(self, one: Any) -> str:
        return self._keys.get(one.metadata["tenant"], "")

    def client_for(self, configuration: ClientSettings) -> PostStack:
        assert isinstance(configuration.api_key, str)
        return PostStack(configuration.api_key, max_retries=0, transport=self.api)


def test_a_tenants_key_is_found_again_from_what_is_stored(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = Tenants(settings, monkeypatch, {"a": "sk_test_a", "b": "sk_test_b"})
    put(1, metadata={"tenant": "a"})
    put(2, metadata={"tenant": "b"})

    assert drain().sent == 2
    keys = {request.headers["Authorization"] for request in tenants.api.requests}
    assert keys == {"Bearer sk_test_a", "Bearer sk_test_b"}
    assert not any("sk_test" in content for content in EmailContent.objects.values_list("payload", flat=True))


def test_a_tenant_whose_key_is_gone_holds_up_nobody_else(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"a": "sk_test_a", "b": "sk_test_b"}
    tenants = Tenants(settings, monkeypatch, keys)
    put(1, metadata={"tenant": "a"})
    put(2, metadata={"tenant": "b"})
    del keys["b"]

    done = drain()
    assert (done.sent, done.put_off, len(tenants.api.requests)) == (1, 1, 1)
    assert "api_key" not in SentEmail.objects.get(email_id="em_1").error
