"""What is deleted after how long, and what never."""

from __future__ import annotations

import io
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models.deletion import ProtectedError
from django.db.models.signals import pre_delete
from django.utils import timezone

from poststack_django.models import EmailContent, EmailEvent, EmailRecipient, SentEmail
from poststack_django.retention import ENDS, prune
from poststack_django.status import Status

pytestmark = pytest.mark.django_db

UNDER_WAY = {Status.QUEUED, Status.SENDING, Status.DEFERRED, Status.UNKNOWN}


def days_ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


def email(key: str, status: str = Status.DELIVERED, age: float = 100, **fields: Any) -> SentEmail:
    """An e-mail with a recipient, a stored content and an event."""
    row = SentEmail.objects.create(
        idempotency_key=key, from_email="a@example.com", status=status, created_at=days_ago(age), **fields
    )
    EmailRecipient.objects.create(sent_email=row, kind="to", address="ada@example.com")
    EmailContent.objects.create(sent_email=row, payload="{}")
    EmailEvent.objects.create(event_id=f"evt_{key}", type="email.delivered", sent_email=row)
    return row


def run(**options: Any) -> str:
    out, err = io.StringIO(), io.StringIO()
    call_command("poststack_prune", stdout=out, stderr=err, **options)
    return err.getvalue() + out.getvalue()


def keys() -> set[str]:
    return set(SentEmail.objects.values_list("idempotency_key", flat=True))


def test_old_emails_go_with_everything_about_them() -> None:
    email("old")
    email("young", age=10)

    assert run(days=90) == "1 e-mails and 1 events were deleted.\n"
    assert keys() == {"young"}
    assert EmailRecipient.objects.count() == EmailContent.objects.count() == EmailEvent.objects.count() == 1


@pytest.mark.parametrize("status", list(Status))
def test_only_what_is_at_an_end_goes(status: Status) -> None:
    email("one", status)
    run(days=90)

    assert (keys() == set()) is (status in ENDS)
    assert (status in ENDS) is (status not in {*UNDER_WAY, Status.PENDING, Status.WAITING})


@pytest.mark.parametrize("status", list(Status))
def test_what_has_no_known_end_goes_if_asked_and_what_may_be_sent_never(status: Status) -> None:
    email("one", status)
    run(days=90, also_unfinished=True)

    assert (keys() == {"one"}) is (status in {Status.PENDING, Status.WAITING})


@pytest.mark.parametrize(
    "fields",
    [
        {"next_attempt_at": timezone.now()},
        {"status": Status.UNKNOWN, "next_attempt_at": timezone.now()},
        {"status": Status.QUEUED, "scheduled_at": timezone.now() + timedelta(days=1)},
        {"status": Status.CANCELED, "scheduled_at": timezone.now() - timedelta(days=1)},
    ],
)
def test_what_waits_or_was_scheduled_for_later_stays(fields: dict[str, Any]) -> None:
    email("one", **fields)
    run(days=90, content_days=90, also_unfinished=True)

    assert keys() == {"one"}
    assert EmailContent.objects.count() == 1


def test_events_of_no_email_go_by_their_own_age() -> None:
    for number, age in enumerate((100, 10)):
        EmailEvent.objects.create(event_id=f"{number}", type="contact.created", received_at=days_ago(age))

    assert run(days=90) == "0 e-mails and 1 events were deleted.\n"
    assert EmailEvent.objects.get().event_id == "1"


def test_a_dry_run_counts_the_same_and_deletes_nothing() -> None:
    email("old")
    EmailEvent.objects.create(event_id="0", type="contact.created", received_at=days_ago(100))

    assert run(days=90, content_days=1, dry_run=True) == "1 contents and 1 e-mails and 2 events would be deleted.\n"
    assert keys() == {"old"}
    assert run(days=90, content_days=1) == "1 contents and 1 e-mails and 2 events were deleted.\n"


def test_contents_alone_can_go() -> None:
    email("old")
    email("pending", Status.PENDING)
    email("under way", Status.QUEUED)
    email("young", age=1)

    assert run(content_days=7, batch=1) == "2 contents were deleted.\n"
    assert keys() == {"old", "pending", "under way", "young"}
    left = EmailContent.objects.values_list("sent_email__idempotency_key", flat=True)
    assert set(left) == {"pending", "young"}


def test_everything_goes_however_small_the_batches() -> None:
    for number in range(7):
        email(f"{number}")
        EmailEvent.objects.create(event_id=f"o{number}", type="x", received_at=days_ago(100))

    assert run(days=90, batch=3) == "7 e-mails and 14 events were deleted.\n"
    assert keys() == set()


def test_the_setting_says_how_old(settings: Any) -> None:
    email("old")
    with pytest.raises(CommandError, match="RETENTION_DAYS"):
        run()
    settings.POSTSTACK = {"RETENTION_DAYS": 101}
    assert run() == "0 e-mails and 0 events were deleted.\n"
    settings.POSTSTACK = {"RETENTION_DAYS": 99}

    assert run(verbosity=0) == ""
    assert keys() == set()


@pytest.mark.parametrize("options", [{"days": 0}, {"content_days": 0}, {"days": 1, "batch": 0}])
def test_nonsense_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="1 or more"):
        run(**options)


def test_the_command_needs_tables(settings: Any) -> None:
    settings.POSTSTACK = {"RECORD": False}
    with pytest.raises(CommandError, match="INSTALLED_APPS"):
        run(days=1)


def test_what_has_no_known_end_is_mentioned() -> None:
    email("under way", Status.QUEUED)

    assert "1 old e-mails of no known end stay" in run(days=90)


def test_emails_that_the_project_protects_stay_and_the_others_go() -> None:
    for key in ("one", "protected", "three"):
        email(key)

    def protect(instance: SentEmail, **_: Any) -> None:
        if instance.idempotency_key == "protected":
            raise ProtectedError("Orders refer to it.", {instance})

    pre_delete.connect(protect, sender=SentEmail)
    try:
        said = run(days=90)
    finally:
        pre_delete.disconnect(protect, sender=SentEmail)

    assert said == ("1 e-mails stay: rows of this project's own protect them.\n2 e-mails and 2 events were deleted.\n")
    assert keys() == {"protected"}
    assert EmailEvent.objects.get().event_id == "evt_protected"


def test_an_email_that_starts_to_wait_meanwhile_stays() -> None:
    row = email("resent")
    statements: list[str] = []

    def resend_before_the_first_write(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not statements:
            statements.append(sql)
            SentEmail.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now())
        return execute(sql, *rest)

    with connection.execute_wrapper(resend_before_the_first_write):
        done = prune(days_ago(90))

    assert (done.emails, done.events, len(statements)) == (0, 0, 1)
    assert keys() == {"resent"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("deadlocks", "left"), [(2, set[str]()), (3, {"old"})])
def test_a_batch_that_the_database_ended_is_tried_again_but_not_for_ever(deadlocks: int, left: set[str]) -> None:
    email("old")
    ended: list[str] = []

    def end_some(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("DELETE") and len(ended) < deadlocks:
            ended.append(sql)
            raise OperationalError("deadlock")
        return execute(sql, *rest)

    with connection.execute_wrapper(end_some), nullcontext() if not left else pytest.raises(OperationalError):
        prune(days_ago(90))

    assert keys() == left
    assert EmailEvent.objects.count() == len(left)
