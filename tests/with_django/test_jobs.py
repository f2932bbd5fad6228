"""Jobs of `poststack_tasks` in a project with the app: each attempt is driven as a queue's worker does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

import poststack_tasks
from poststack_django import jobs
from poststack_django.backends import EmailBackend
from poststack_django.models import EmailEvent, SentEmail, Suppression
from poststack_django.signals import post_send, send_failed, tracking
from poststack_django.status import Status
from poststack_tasks import Job, Outcome, job
from tests.with_django.api import RecordingApi, event_body, signed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _worker() -> Iterator[None]:
    """As `AppConfig.ready` leaves a worker process."""
    poststack_tasks.close_clients()
    jobs.register()
    yield
    poststack_tasks.close_clients()


def email(*to: str, **fields: Any) -> dict[str, Any]:
    return {
        "from": "Shop <shop@example.com>", "to": list(to) or ["Ada <ada@example.com>"], "subject": "Hi", "text": "…",
        **fields,
    }  # fmt: skip


def attempt(payload: Any = None, number: int = 1, **of_job: Any) -> Outcome:
    return job.send_email(Job("celery", "j1", attempt=number, **of_job), payload or email())


def batch(*payloads: Any) -> Outcome:
    return job.send_batch(Job("celery", "b1"), list(payloads))


def test_a_sent_email_has_a_row_with_its_id_and_recipients(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    outcome = attempt(email("Ada <ada@example.com>", cc=["bob@example.com"], tags=["welcome"]))

    row = SentEmail.objects.get()
    assert outcome.result == {"id": "em_1"}
    assert (row.email_id, row.status, row.idempotency_key) == ("em_1", Status.QUEUED, "celery-j1")
    assert (row.to, row.cc, row.subject, row.tags) == (
        ["Ada <ada@example.com>"],
        ["bob@example.com"],
        "Hi",
        ["welcome"],
    )
    assert (row.attempts, row.claimed_until, row.next_attempt_at) == (1, None, None)
    (said,) = told
    assert (said["email"], said["status"].id, said["message"].to) == (row, "em_1", ["Ada <ada@example.com>"])


def test_the_row_is_there_before_the_call(api: RecordingApi) -> None:
    seen: list[Any] = []
    api.on_send = lambda payload: seen.extend(SentEmail.objects.values_list("status", "idempotency_key"))

    attempt()

    assert seen == [("pending", "celery-j1")]


@pytest.mark.django_db(transaction=True)
def test_an_event_that_comes_before_the_answer_finds_its_email(api: RecordingApi) -> None:
    heard: list[Any] = []

    def hear(event: Any, email: Any, **_: Any) -> None:
        heard.append((event.type, email and email.email_id))

    def deliver(payload: Any) -> None:
        body = event_body("email.delivered", "em_1", recipient="ada@example.com")
        assert Client().post("/webhooks/poststack/", body, "application/json", headers=signed(body)).status_code == 200
        assert heard == [], "nobody could do anything about an e-mail that is not known yet"

    api.on_send = deliver
    tracking.connect(hear)
    try:
        attempt()
    finally:
        tracking.disconnect(hear)

    assert SentEmail.objects.get().status == Status.DELIVERED
    assert EmailEvent.objects.get().sent_email == SentEmail.objects.get()
    assert heard == [("email.delivered", "em_1")]


def test_an_event_during_a_late_attempt_waits_for_its_email(api: RecordingApi) -> None:
    from datetime import timedelta

    from django.utils import timezone

    api.will_answer(503, {"error": "Down"})
    attempt()
    SentEmail.objects.update(created_at=timezone.now() - timedelta(hours=3))
    states: list[str] = []

    def deliver(payload: Any) -> None:
        body = event_body("email.delivered", "em_2", recipient="ada@example.com")
        Client().post("/webhooks/poststack/", body, "application/json", headers=signed(body))
        states.append(EmailEvent.objects.get().state)

    api.on_send = deliver
    attempt(number=2)

    assert states == ["early"]


def test_a_retry_and_a_redelivery_are_the_same_row(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    api.will_answer(503, {"error": "Down for ada@example.com"})
    first = attempt()
    row = SentEmail.objects.get()
    assert (first.name, row.status, row.error, row.claimed_until) == (
        "retried", Status.UNKNOWN, "Down for ada@example.com", None,
    )  # fmt: skip
    assert told == []  # It is not given up yet.

    attempt(number=2)
    again = attempt(number=2)

    row.refresh_from_db()
    assert (row.status, row.email_id, row.error, row.attempts) == (Status.QUEUED, "em_2", "", 2)
    # The row knows, so PostStack was not asked a third time.
    assert again.result == {"id": "em_2", "replayed": True}
    assert len(api.requests) == 2
    assert [said["status"].replayed for said in told] == [False, True]


def test_a_lost_answer_is_found_again_with_the_same_payload_whoever_was_suppressed_since(
    api: RecordingApi, settings: Any
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="bob@example.com")
    api.will_answer(500, {"error": "Lost"})
    attempt(email("ada@example.com", "bob@example.com"))
    Suppression.objects.create(address="ada@example.com")

    attempt(email("ada@example.com", "bob@example.com"), 2)

    assert api.payloads[0] == api.payloads[1]
    assert api.payloads[0]["to"] == ["ada@example.com"]
    assert SentEmail.objects.get().email_id == "em_2"


def test_what_is_refused_is_on_the_row_and_told_once(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    api.will_answer(422, {"error": "Domain not verified", "code": "domain_not_verified"})

    outcome = attempt()

    row = SentEmail.objects.get()
    assert outcome.name == "given_up"
    assert (row.status, row.error_code) == (Status.REFUSED, "domain_not_verified")
    assert row.error == "Domain not verified (refused with status 422; it would be refused again)"
    assert row.recipients.get().status == Status.REFUSED
    (said,) = told
    assert (said["signal"], said["email"], said["status"].status) == (send_failed, row, "refused")


def test_what_was_never_confirmed_is_given_up_as_such(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    api.will_answer(503, {"error": "Down"})

    outcome = job.send_email(
        Job("celery", "j1", attempt=9, first_attempt_at=1.0), email(), settings=poststack_tasks.current_settings()
    )

    row = SentEmail.objects.get()
    assert outcome.name == "given_up"
    assert (row.status, "horizon" in row.error) == (Status.GAVE_UP, True)
    assert [said["status"].status for said in told] == ["unknown"]


def test_a_job_that_came_too_late_has_a_row_that_says_so(api: RecordingApi, told: list[dict[str, Any]]) -> None:
    attempt(enqueued_at=1_700_000_000.0, expires=60)

    row = SentEmail.objects.get()
    assert (row.status, "expired" in row.error, api.payloads) == (Status.GAVE_UP, True, [])
    assert [said["signal"] for said in told] == [send_failed]


def test_one_that_was_given_up_can_be_tried_again(api: RecordingApi) -> None:
    attempt(enqueued_at=1_700_000_000.0, expires=60)

    attempt()

    row = SentEmail.objects.get()
    assert (row.status, row.email_id, row.error) == (Status.QUEUED, "em_1", "")


def test_a_job_that_is_no_email_leaves_no_row(api: RecordingApi) -> None:
    assert attempt({"from": "a@example.com"}).name == "given_up"
    assert not SentEmail.objects.exists()


def test_a_suppressed_address_is_not_written_to(api: RecordingApi, settings: Any, told: list[dict[str, Any]]) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="bob@example.com")

    attempt(email("ada@example.com", "Bob <bob@example.com>"))

    assert api.payload["to"] == ["ada@example.com"]
    recipients = dict(SentEmail.objects.get().recipients.values_list("address", "status"))
    assert recipients == {"ada@example.com": "queued", "bob@example.com": "suppressed"}
    assert told[0]["status"].left_out == 1


def test_a_job_whose_recipients_are_all_suppressed_is_given_up(
    api: RecordingApi, settings: Any, told: list[dict[str, Any]]
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="bob@example.com")

    outcome = attempt(email("bob@example.com"))
    attempt(email("bob@example.com"))

    assert (outcome.name, getattr(outcome.error, "code", None), api.payloads) == ("given_up", "suppressed", [])
    assert SentEmail.objects.get().status == Status.SUPPRESSED
    assert [said["status"].status for said in told] == ["suppressed", "suppressed"]


def test_the_staging_guard_keeps_jobs_back(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "ALLOWED_RECIPIENTS": ["@example.com"]}

    kept = attempt(email("ada@customer.example"))

    assert (kept.name, kept.result, api.payloads) == ("sent", {"status": "withheld"}, [])
    assert SentEmail.objects.get().status == Status.WITHHELD


def test_the_staging_guard_redirects_jobs(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "REDIRECT_TO": "staging@example.com"}

    attempt(email("ada@customer.example"))

    assert api.payload["to"] == ["staging@example.com"]
    assert api.payload["headers"] == {"X-PostStack-Redirected-From": "ada@customer.example"}


def test_nothing_passes_a_staging_guard_that_is_wrong(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "REDIRECT_TO": "nobody"}

    assert attempt().name == "retried"
    assert api.payloads == []


def test_each_email_of_a_batch_has_its_row(api: RecordingApi, settings: Any, told: list[dict[str, Any]]) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="out@example.com")
    api.will_refuse("No", "Not that one")

    outcome = batch(email("a@example.com"), email("out@example.com"), email("b@example.com", subject="No"))

    assert isinstance(outcome.error, poststack_tasks.BatchNotAllSentError)
    rows = dict(SentEmail.objects.values_list("idempotency_key", "status"))
    assert rows == {"celery-b1-0": "queued", "celery-b1-1": "suppressed", "celery-b1-2": "refused"}
    assert len(api.requests) == 1
    assert sorted(said["status"].status for said in told) == ["queued", "refused", "suppressed"]


def test_a_batch_that_comes_again_asks_only_for_what_has_no_id(api: RecordingApi) -> None:
    batch(email("a@example.com"), email("b@example.com"))
    SentEmail.objects.filter(idempotency_key="celery-b1-1").update(email_id=None, status="unknown")

    batch(email("a@example.com"), email("b@example.com"))

    assert [payload["to"] for payload in api.payloads] == [["a@example.com"], ["b@example.com"], ["b@example.com"]]
    assert not SentEmail.objects.filter(email_id=None).exists()


def test_a_tenant_is_found_by_what_the_job_says(api: RecordingApi, settings: Any, monkeypatch: Any) -> None:
    made: list[Any] = []

    def client_for(self: Any, configuration: Any) -> Any:
        made.append((configuration.api_key, configuration.max_retries))
        return api.client()

    def key_of(message: Any) -> str:
        return f"sk_test_{message.tags[0]}"

    monkeypatch.setattr(EmailBackend, "client_for", client_for)
    settings.POSTSTACK = {"API_KEY": key_of}

    outcome = batch(email(tags=["one"]), email(tags=["two"]))

    assert outcome.name == "sent"
    assert made == [("sk_test_one", 0), ("sk_test_two", 0)] or made == [("sk_test_two", 0), ("sk_test_one", 0)]
    assert len(api.requests) == 2


def test_a_project_without_a_key_tries_again_and_says_why(settings: Any) -> None:
    settings.POSTSTACK = {"BASE_URL": "http://127.0.0.1:9"}

    outcome = attempt()

    assert outcome.name == "retried"
    assert "No PostStack API key" in SentEmail.objects.get().error


def test_nothing_is_stored_where_the_settings_say_so(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}

    assert attempt().result == {"id": "em_1"}
    assert not SentEmail.objects.exists()


class Away:
    """A database that fails from some statement on."""

    def __init__(self) -> None:
        self.is_away = True

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.is_away:
            raise OperationalError("the server is away")
        return execute(sql, params, many, context)


def test_a_database_that_is_away_costs_the_row_and_not_the_email(api: RecordingApi, caplog: Any) -> None:
    with connection.execute_wrapper(Away()):
        outcome = attempt()

    assert (outcome.name, outcome.result, len(api.payloads)) == ("sent", {"id": "em_1"}, 1)
    assert "em_1" in caplog.text
    assert "ada@" not in caplog.text


def test_a_database_that_comes_back_during_the_call_has_the_row(api: RecordingApi) -> None:
    away = Away()
    api.on_send = lambda payload: setattr(away, "is_away", False)
    with connection.execute_wrapper(away):
        attempt()

    row = SentEmail.objects.get()
    assert (row.email_id, row.status, row.to) == ("em_1", Status.QUEUED, ["Ada <ada@example.com>"])


def test_a_database_that_fails_after_the_call_does_not_send_twice(api: RecordingApi) -> None:
    away = Away()
    away.is_away = False
    api.on_send = lambda payload: setattr(away, "is_away", True)
    with connection.execute_wrapper(away):
        outcome = attempt()
    api.on_send = lambda payload: None

    assert outcome.name == "sent"
    row = SentEmail.objects.get()
    assert (row.status, row.email_id) == (Status.PENDING, None)
    # Delivered once more by the broker: the same key, so PostStack answers as before.
    attempt()
    assert api.payloads[0] == api.payloads[1]


def test_a_receiver_that_fails_does_not_fail_the_job(api: RecordingApi) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("mine")

    post_send.connect(fail)
    try:
        assert attempt().name == "sent"
    finally:
        post_send.disconnect(fail)


def test_a_client_of_ones_own_for_jobs_goes_before_the_projects(api: RecordingApi) -> None:
    other = RecordingApi()
    poststack_tasks.configure(client=other.client)
    try:
        attempt()
    finally:
        poststack_tasks.configure(client=None)

    assert (len(api.payloads), len(other.payloads)) == (0, 1)
    assert SentEmail.objects.get().email_id == "em_1"


def test_bodies_are_stored_as_the_settings_say(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": True}

    attempt(email(html="<p>Hello</p>"))

    assert json.loads(SentEmail.objects.get().content.payload)["html"] == "<p>Hello</p>"
