"""The outbox in the application: what is stored, in whose transaction, and what the sender is told."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from poststack import PostStackError
from poststack_django.actions import cancel
from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.message import PostStackEmail
from poststack_django.models import EmailContent, SentEmail, Suppression
from poststack_django.outbox import drain
from poststack_django.status import Status
from tests.with_django.api import RecordingApi, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = "poststack_django.backends.OutboxEmailBackend"


@pytest.fixture(params=["EMAIL_BACKEND", "MAILERS"])
def outbox(request: pytest.FixtureRequest, api: RecordingApi) -> Iterator[str]:
    from tests.with_django.api import CONFIGURATIONS

    if request.param not in CONFIGURATIONS:
        pytest.skip("MAILERS came with Django 6.1")
    with configured(request.param, backend=BACKEND):
        yield request.param


def test_a_commit_leaves_the_email_in_the_outbox_and_draining_sends_it(outbox: str, api: RecordingApi) -> None:
    with transaction.atomic():
        assert send_mail("Hi", "Text", "a@example.com", ["b@example.com"]) == 1
    row = SentEmail.objects.get()
    assert (row.status, row.email_id, api.payloads) == (Status.WAITING, None, [])

    done = drain()

    row.refresh_from_db()
    assert (done.sent, done.put_off, done.given_up) == (1, 0, 0)
    assert (row.status, row.email_id, row.attempts, row.next_attempt_at) == (Status.QUEUED, "em_1", 1, None)
    assert api.payloads == [
        {
            "from": "a@example.com",
            "to": ["b@example.com"],
            "subject": "Hi",
            "text": "Text",
            "idempotency_key": row.idempotency_key,
        }
    ]
    assert not EmailContent.objects.exists()
    assert row.recipients.get().status == Status.QUEUED


def test_a_rollback_sends_nothing(outbox: str, api: RecordingApi) -> None:
    with transaction.atomic():
        send_mail("Hi", "Text", "a@example.com", ["b@example.com"])
        transaction.set_rollback(True)

    assert drain().total == 0
    assert (api.payloads, SentEmail.objects.count()) == ([], 0)


def test_a_message_learns_that_it_waits(api: RecordingApi) -> None:
    one = message()
    OutboxEmailBackend().send_messages([one])

    assert (status_of(one).status, status_of(one).id) == ("waiting", None)
    assert status_of(one).idempotency_key == SentEmail.objects.get().idempotency_key


def test_several_messages_leave_in_one_call(api: RecordingApi) -> None:
    assert OutboxEmailBackend().send_messages([message(number) for number in range(5)]) == 5

    assert drain().sent == 5
    assert [request.url.rpartition("/")[2] for request in api.requests] == ["batch"]
    assert [payload["subject"] for payload in api.payloads] == [f"Subject {number}" for number in range(5)]


def test_what_cannot_be_sent_raises_at_once_and_nothing_is_stored(api: RecordingApi) -> None:
    with pytest.raises(ValueError, match=r"messages\[1\].*line break"):
        OutboxEmailBackend().send_messages([message(), message(headers={"X-A": "1\n2"})])

    assert SentEmail.objects.count() == 0


def test_a_database_that_fails_raises_since_nothing_else_has_the_email(
    api: RecordingApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    monkeypatch.setattr(SentEmail, "save", down)
    with pytest.raises(DatabaseError):
        OutboxEmailBackend(fail_silently=True).send_messages([message()])


@pytest.mark.parametrize("change", [{"RECORD": False}])
def test_without_tables_there_is_no_outbox(api: RecordingApi, settings: Any, change: dict[str, Any]) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, **change}

    with pytest.raises(ImproperlyConfigured, match="INSTALLED_APPS"):
        OutboxEmailBackend().send_messages([message()])


def test_a_key_that_is_in_the_outbox_is_stored_once(api: RecordingApi) -> None:
    for _ in range(2):
        one = message()
        vars(one)["idempotency_key"] = "order-1"
        OutboxEmailBackend().send_messages([one])

    assert drain().sent == 1
    assert SentEmail.objects.get().idempotency_key == "order-1"


def test_a_key_that_was_sent_is_not_sent_again(api: RecordingApi) -> None:
    one = message()
    vars(one)["idempotency_key"] = "order-1"
    for _ in range(2):
        OutboxEmailBackend().send_messages([one])
        drain()

    assert len(api.payloads) == 1
    assert (status_of(one).status, status_of(one).id, status_of(one).replayed) == ("queued", "em_1", True)


def test_a_key_that_was_refused_waits_again_with_what_the_message_says_now(api: RecordingApi) -> None:
    api.will_answer(422, {"error": "Domain not verified"})
    for subject in ("1", "2"):
        one = message(subject)
        vars(one)["idempotency_key"] = "order-1"
        OutboxEmailBackend().send_messages([one])
        drain()

    row = SentEmail.objects.get()
    assert (row.status, row.email_id, row.error) == (Status.QUEUED, "em_2", "")
    assert [payload["subject"] for payload in api.payloads] == ["Subject 1", "Subject 2"]


def test_what_the_outbox_holds_is_the_very_call(api: RecordingApi) -> None:
    one = message(cc=["Ada Lovelace <c@example.com>"], bcc=["d@example.com"], reply_to=["r@example.com"])
    one.attach("a.txt", "ü\x00", "text/plain")
    vars(one).update(tags=["t"], metadata={"order": 7}, scheduled_at="2027-01-31T09:00:00Z")
    OutboxEmailBackend().send_messages([one])
    stored = json.loads(EmailContent.objects.get().payload)
    drain()

    assert api.payloads == [stored]
    assert stored["scheduled_at"] == "2027-01-31T09:00:00Z"
    assert "metadata" not in stored
    assert SentEmail.objects.get().metadata == {"order": 7}


def test_content_is_kept_if_the_settings_say_so(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": True}
    OutboxEmailBackend().send_messages([message()])
    drain()

    assert json.loads(EmailContent.objects.get().payload)["text"] == "Body"


def test_recipients_that_are_not_stored_are_sent_to_all_the_same(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_RECIPIENTS": "none", "STORE_SUBJECTS": False}
    OutboxEmailBackend().send_messages([message()])
    drain()

    assert api.payload["to"] == ["b@example.com"]
    assert SentEmail.objects.get().to == []


def test_withheld_messages_do_not_enter_it(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "ALLOWED_RECIPIENTS": ["@staff.example"]}
    one = message()

    assert OutboxEmailBackend().send_messages([one]) == 0
    assert drain().total == 0
    assert (status_of(one).status, SentEmail.objects.get().status) == ("withheld", Status.WITHHELD)


def test_suppressed_recipients_are_refused_before_it(api: RecordingApi, settings: Any) -> None:
    from poststack_django.errors import SuppressedRecipientsError

    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="b@example.com")
    with pytest.raises(SuppressedRecipientsError):
        OutboxEmailBackend().send_messages([message(), message(to=["c@example.com"])])

    assert drain().sent == 1
    assert api.payload["to"] == ["c@example.com"]


def test_asynchronous_code_stores_without_calling_the_api(api: RecordingApi) -> None:
    from poststack_django.aio import asend_messages

    one = message()

    async def view() -> int:
        plain = OutboxEmailBackend().send_messages([message(2)])
        with configured("EMAIL_BACKEND", backend=BACKEND):
            return plain + await asend_messages([one])

    assert asyncio.run(view()) == 2
    assert (status_of(one).status, api.payloads) == ("waiting", [])
    assert drain().sent == 2


def test_nothing_of_it_is_lost_when_the_update_after_acceptance_fails(
    api: RecordingApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    OutboxEmailBackend().send_messages([message()])

    def down(*_: Any, **__: Any) -> None:
        raise DatabaseError("down")

    with monkeypatch.context() as patch:
        api.on_send = lambda payload: patch.setattr(QuerySet, "update", down)
        with pytest.raises(DatabaseError):
            drain()
    api.on_send = lambda payload: None
    SentEmail.objects.update(next_attempt_at=SentEmail.objects.get().created_at)  # The lease has ended.
    api.will_answer(202, {"id": "em_1", "replayed": True})

    assert drain().sent == 1
    assert SentEmail.objects.get().email_id == "em_1"
    assert api.payloads[0] == api.payloads[1]


# What must not be kept, and what must not be late


def test_sensitive_content_is_kept_only_while_it_waits(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": True}
    OutboxEmailBackend().send_messages(
        [PostStackEmail("1", "link", "a@example.com", ["b@example.com"], sensitive=True)]
    )
    assert EmailContent.objects.count() == 1
    drain()
    EmailBackend().send_messages([PostStackEmail("2", "link", "a@example.com", ["b@example.com"], sensitive=True)])

    assert EmailContent.objects.count() == 0
    assert list(SentEmail.objects.values_list("sensitive", "status")) == [(True, "queued")] * 2


def test_sensitive_content_does_not_outlast_a_refusal(api: RecordingApi) -> None:
    OutboxEmailBackend().send_messages(
        [PostStackEmail("1", "link", "a@example.com", ["b@example.com"], sensitive=True)]
    )
    api.will_answer(422, {"error": "No"})
    drain()

    assert (SentEmail.objects.get().status, EmailContent.objects.count()) == ("refused", 0)


def test_nobody_reads_sensitive_content_in_the_admin(admin_client: Client, api: RecordingApi) -> None:
    OutboxEmailBackend().send_messages(
        [PostStackEmail("1", "link", "a@example.com", ["b@example.com"], sensitive=True)]
    )
    row = SentEmail.objects.get()
    page = admin_client.get(f"/admin/poststack/sentemail/{row.pk}/change/").content.decode()

    assert "iframe" not in page
    assert admin_client.get(f"/admin/poststack/sentemail/{row.pk}/content/").status_code == 404


@pytest.mark.parametrize("after", [3600, timedelta(hours=1)])
def test_a_message_says_how_late_it_may_be(api: RecordingApi, after: float | timedelta) -> None:
    OutboxEmailBackend().send_messages(
        [
            PostStackEmail("1", "link", "a@example.com", ["b@example.com"], expires_after=after),
            PostStackEmail("2", "news", "a@example.com", ["b@example.com"]),
        ]
    )
    late = SentEmail.objects.get(subject="1")
    assert late.queued_at is not None
    assert late.expires_at == late.queued_at + timedelta(hours=1)
    SentEmail.objects.filter(pk=late.pk).update(expires_at=late.queued_at)
    done = drain()

    assert (done.sent, done.given_up) == (1, 1)
    late.refresh_from_db()
    assert (late.status, "expired" in late.error) == ("gave_up", True)
    assert api.payload["subject"] == "2"


@pytest.mark.parametrize("wrong", [0, -5, "tomorrow", True])
def test_a_limit_that_is_none_is_refused(api: RecordingApi, wrong: Any) -> None:
    with pytest.raises(ValueError, match="expires_after"):
        OutboxEmailBackend().send_messages([PostStackEmail("1", "x", "a@e.com", ["b@e.com"], expires_after=wrong)])


def test_what_was_tried_so_long_ago_that_its_key_is_forgotten_is_not_tried_again(api: RecordingApi) -> None:
    one = message()
    vars(one)["idempotency_key"] = "order-1"
    api.will_answer(503, {"error": "Down"})
    with pytest.raises(PostStackError):
        EmailBackend().send_messages([one])
    SentEmail.objects.update(created_at=timezone.now() - timedelta(days=30))
    OutboxEmailBackend().send_messages([one])

    assert drain().given_up == 1
    assert (SentEmail.objects.get().status, len(api.requests)) == ("gave_up", 1)


def test_what_was_canceled_untried_is_sent_however_old_it_is(api: RecordingApi) -> None:
    one = message()
    vars(one)["idempotency_key"] = "order-1"
    OutboxEmailBackend().send_messages([one])
    cancel(SentEmail.objects.get())
    SentEmail.objects.update(created_at=timezone.now() - timedelta(days=30))
    OutboxEmailBackend().send_messages([one])

    assert drain().sent == 1
    assert (SentEmail.objects.get().status, len(api.requests)) == ("queued", 1)
