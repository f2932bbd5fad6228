"""The outbox, and jobs of queues, through a provider that knows no idempotency keys: its keys are in the database."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.utils import timezone

import poststack_tasks
from poststack import OutcomeUnknownError
from poststack.mailbridge import MailBridge
from poststack_django import jobs
from poststack_django.actions import NotPossibleError, resend
from poststack_django.backends import OutboxEmailBackend
from poststack_django.models import ProviderKey, SentEmail
from poststack_django.outbox import drain
from poststack_django.outbox.claims import claim_due
from poststack_django.outbox.delivering import deliver
from poststack_django.provider_keys import DatabaseKeyStore, prune_keys
from poststack_django.status import Status
from poststack_tasks import GiveUp, Job, RetryLater, Sent, job
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.with_django.messages import keyed, message
from tests.with_django.test_outbox_draining import due_now

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "it may have been sent, and the provider cannot tell a repetition"


@pytest.fixture
def fake(settings: Any) -> Generator[FakeSendGrid]:
    """A SendGrid that the project sends through."""
    with FakeSendGrid() as server:
        settings.POSTSTACK = {"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": server.settings(), "STORE_BODIES": True}
        yield server


def put(*given: Any) -> list[SentEmail]:
    OutboxEmailBackend().send_messages(list(given))
    return list(SentEmail.objects.order_by("pk"))


def rows() -> list[tuple[str, str | None]]:
    return list(SentEmail.objects.order_by("pk").values_list("status", "email_id"))


def begun(row: SentEmail) -> None:
    """Leave behind what a drainer does that is killed while the provider has the e-mail."""
    DatabaseKeyStore().begin(row.idempotency_key, "sendgrid")


# The outbox


def test_what_waits_is_sent_once_and_its_key_is_kept(fake: FakeSendGrid) -> None:
    (row,) = put(message(to=["Ada <ada@example.com>"]))
    assert fake.requests == []

    done = drain()

    row.refresh_from_db()
    assert (done.sent, row.status, row.provider) == (1, Status.QUEUED, "sendgrid")
    assert row.email_id == fake.delivered[0].message_id
    key = ProviderKey.objects.get()
    assert (key.key, key.provider, key.done, key.message_id) == (row.idempotency_key, "sendgrid", True, row.email_id)


def test_emails_of_the_same_content_have_ids_of_their_own(fake: FakeSendGrid) -> None:
    put(*(message("news", to=[f"u{number}@example.com"]) for number in range(5)))

    assert drain().sent == 5
    assert len({email_id for _, email_id in rows()}) == len(fake.requests) == 5


def test_what_a_killed_drainer_had_begun_is_sent_by_nobody_and_shows(
    fake: FakeSendGrid, told: list[dict[str, Any]]
) -> None:
    row, other = put(message(1), message(2))
    begun(row)

    done = drain()

    row.refresh_from_db()
    assert (done.sent, done.given_up) == (1, 1)
    assert [one.subject for one in fake.delivered] == [other.subject]
    assert (row.status, row.next_attempt_at, row.error_code) == (Status.UNKNOWN, None, "outcome_unknown")
    assert row.error.endswith(f"({REASON})")
    assert [recipient.status for recipient in row.recipients.all()] == [Status.UNKNOWN]
    assert [said["status"].status for said in told] == ["unknown", "queued"]
    assert drain().total == 0


def test_what_a_killed_drainer_had_sent_is_found_by_its_key(fake: FakeSendGrid) -> None:
    (row,) = put(message())
    store = DatabaseKeyStore()
    store.begin(row.idempotency_key, "sendgrid")
    store.finish(row.idempotency_key, "sg1.id")

    assert drain().sent == 1
    assert rows() == [("queued", "sg1.id")]
    assert fake.requests == []


def test_a_lost_answer_ends_the_attempts(fake: FakeSendGrid) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    (row,) = put(keyed(1, "welcome/1"))

    assert drain().given_up == 1
    # Also for whoever puts the same e-mail there once more.
    put(keyed(1, "welcome/1"))
    assert drain().given_up == 1

    row.refresh_from_db()
    assert (row.status, len(fake.delivered)) == (Status.UNKNOWN, 1)
    with pytest.raises(NotPossibleError, match="cannot tell a repetition"):
        resend(row)
    assert resend(row, as_new=True).status == Status.QUEUED


@pytest.mark.parametrize("status", [503, 429])
def test_what_was_certainly_not_taken_is_tried_again(fake: FakeSendGrid, status: int) -> None:
    fake.faults.append(answers(status))
    (row,) = put(message())

    assert drain().put_off == 1
    assert not ProviderKey.objects.exists()
    row.refresh_from_db()
    assert row.status == Status.WAITING
    due_now()
    assert drain().sent == 1
    assert len(fake.delivered) == 1


def test_a_failover_keeps_its_keys_in_the_database(fake: FakeSendGrid, settings: Any) -> None:
    from poststack.mailbridge import Failover

    def mailer() -> Failover:
        away = MailBridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)
        return Failover([away, MailBridge("sendgrid", **fake.settings())], keys=DatabaseKeyStore())

    settings.POSTSTACK = {"PROVIDER": mailer}
    put(message())

    assert drain().sent == 1
    assert ProviderKey.objects.get().done


def test_a_mailer_without_a_store_refuses_at_the_outbox(fake: FakeSendGrid, settings: Any) -> None:
    settings.POSTSTACK = {"PROVIDER": lambda: MailBridge("sendgrid", **fake.settings())}

    with pytest.raises(ValueError, match="sends an e-mail twice when asked twice"):
        put(message())


def test_a_mailer_that_lost_its_store_sends_nothing_and_loses_nothing(fake: FakeSendGrid, settings: Any) -> None:
    (row,) = put(message())
    before = settings.POSTSTACK
    settings.POSTSTACK = {"PROVIDER": lambda: MailBridge("sendgrid", **fake.settings())}

    assert drain().put_off == 1
    row.refresh_from_db()
    assert (row.status, "sendgrid would then send its e-mail twice" in row.error) == (Status.WAITING, True)
    assert fake.requests == []
    settings.POSTSTACK = before
    due_now()
    assert drain().sent == 1


def test_what_the_provider_cannot_say_is_refused_when_it_is_put_there(fake: FakeSendGrid) -> None:
    one = message()
    vars(one)["unsubscribe"] = True

    with pytest.raises(ValueError, match="`unsubscribe`"):
        put(one)


def test_a_call_that_would_outlast_the_claim_is_left_to_the_next_claim(fake: FakeSendGrid, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "OUTBOX": {"LEASE": 60.0}, "DEADLINE": 25.0}
    put(message(1), message(2))
    claimed = claim_due(2)
    for row in claimed:  # As if those before had taken long.
        row.claimed_until = timezone.now() + timedelta(seconds=20)

    assert deliver(claimed).total == 0
    assert fake.requests == []
    assert drain().sent == 2


# Jobs


@pytest.fixture
def _worker() -> Iterator[None]:
    poststack_tasks.close_clients()
    jobs.register()
    yield
    poststack_tasks.close_clients()


EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}


@pytest.mark.usefixtures("_worker")
def test_a_job_is_sent_once_and_has_its_row(fake: FakeSendGrid) -> None:
    first, again = (job.send_email(Job("celery", "j1"), EMAIL) for _ in range(2))

    assert (first.decision, again.decision, len(fake.delivered)) == (Sent(), Sent(), 1)
    assert SentEmail.objects.get().provider == "sendgrid"
    assert ProviderKey.objects.get().key == "celery-j1"


@pytest.mark.usefixtures("_worker")
def test_a_job_of_a_killed_worker_is_given_up_and_its_row_says_why(fake: FakeSendGrid) -> None:
    DatabaseKeyStore().begin("celery-j1", "sendgrid")

    outcome = job.send_email(Job("celery", "j1"), EMAIL)

    assert outcome.decision == GiveUp(REASON)
    assert isinstance(outcome.error, OutcomeUnknownError)
    row = SentEmail.objects.get()
    assert (row.status, row.error_code) == (Status.UNKNOWN, "outcome_unknown")
    assert row.error.endswith(f"({REASON})")
    assert fake.requests == []


@pytest.mark.usefixtures("_worker")
def test_a_batch_of_jobs_tells_of_each(fake: FakeSendGrid) -> None:
    fake.faults.append(Fault(taken=True, reset=True))

    outcome = job.send_batch(Job("celery", "b1"), [{**EMAIL, "text": "one"}, {**EMAIL, "text": "two"}])

    assert isinstance(outcome.decision, GiveUp)
    assert rows()[0][0] == "unknown"
    assert rows()[1] == ("queued", fake.delivered[1].message_id)


@pytest.mark.usefixtures("_worker")
def test_a_job_waits_for_a_mailer_with_a_store(fake: FakeSendGrid, settings: Any) -> None:
    settings.POSTSTACK = {"CLIENT": lambda: MailBridge("sendgrid", **fake.settings())}

    outcome = job.send_email(Job("celery", "j1"), EMAIL)

    assert isinstance(outcome.decision, RetryLater)
    assert "store of idempotency keys" in str(outcome.error)
    assert fake.requests == []


# The store


def test_a_key_is_claimed_once_and_told_of() -> None:
    store = DatabaseKeyStore()

    assert store.begin("k", "sendgrid") == ("new", "sendgrid", None)
    assert store.begin("k", "postmark") == ("in doubt", "sendgrid", None)
    store.finish("k", "id1")
    store.abandon("k")  # What is done stays done.
    assert store.begin("k", "postmark") == ("done", "sendgrid", "id1")
    store.begin("other", "sendgrid")
    store.abandon("other")
    assert store.begin("other", "postmark").state == "new"


def test_a_key_of_any_length_is_kept() -> None:
    store = DatabaseKeyStore()

    assert store.begin("x" * 300, "sendgrid").state == "new"
    assert store.begin("x" * 300, "sendgrid").state == "in doubt"
    assert store.begin("x" * 299 + "y", "sendgrid").state == "new"


def test_event_loops_ask_the_same_store() -> None:
    store = DatabaseKeyStore()

    async def main() -> list[str]:
        claims = [await store.abegin("k", "sendgrid"), await store.abegin("k", "sendgrid")]
        await store.afinish("k", "id1")
        claims.append(await store.abegin("k", "sendgrid"))
        await store.abegin("other", "sendgrid")
        await store.aabandon("other")
        claims.append(await store.abegin("other", "sendgrid"))
        return [claim.state for claim in claims]

    assert async_to_sync(main)() == ["new", "in doubt", "done", "new"]


@pytest.mark.services
def test_of_many_who_claim_a_key_one_gets_it(database: str) -> None:
    store, start = DatabaseKeyStore(), threading.Barrier(8)
    states: list[str] = []
    left_open: list[bool] = []

    def claim() -> None:
        start.wait()
        states.append(store.begin("k", "sendgrid").state)
        left_open.append(connections[database].connection is not None)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(states) == ["in doubt"] * 7 + ["new"]
    assert left_open == [False] * 8


@pytest.mark.services
def test_the_outbox_sends_on_every_database(database: str, fake: FakeSendGrid) -> None:
    row, _ = put(message(1), message(2))
    begun(row)

    done = drain()

    assert (done.sent, done.given_up) == (1, 1)
    assert len(fake.delivered) == 1


def test_old_keys_are_pruned() -> None:
    store = DatabaseKeyStore()
    for key in ("old", "new"):
        store.begin(key, "sendgrid")
    ProviderKey.objects.filter(key="old").update(begun_at=timezone.now() - timedelta(days=15))

    assert prune_keys() == 1
    assert list(ProviderKey.objects.values_list("key", flat=True)) == ["new"]
