"""Cancel and resend: only when it can be done, once, and without doubling anything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group

from poststack import PostStackError
from poststack_django.actions import NotPossibleError, cancel, resend
from poststack_django.models import EmailContent, EmailEvent, SentEmail, Suppression
from poststack_django.reconciling import refresh
from poststack_django.status import Status
from tests.with_django.emulated import made_earlier, send

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db


def tomorrow() -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=1)


def in_outbox(**fields: Any) -> SentEmail:
    row = SentEmail.objects.create(
        idempotency_key="k",
        from_email="a@example.com",
        status=Status.WAITING,
        next_attempt_at=datetime.now(timezone.utc),
        **fields,
    )
    row.recipients.create(kind="to", address="ada@example.com", status=Status.WAITING)
    payload = {"from": "a@example.com", "to": ["ada@example.com"], "subject": "x", "text": "y"}
    EmailContent.objects.create(sent_email=row, payload=json.dumps(payload))
    return row


# Cancel


def test_a_scheduled_email_is_canceled_at_poststack(emu: EmulatorSession, heard: list[str]) -> None:
    email = cancel(send(scheduled_at=tomorrow()))

    assert email.status == Status.CANCELED
    assert [one.status for one in email.recipients.all()] == ["canceled"]
    assert EmailEvent.objects.get().event_id == f"canceled:{email.email_id}"
    emu.clock.advance(2 * 86_400)
    assert [event.type for event in emu.events] == ["queued"]
    assert refresh(email).status == Status.CANCELED
    with pytest.raises(NotPossibleError, match="canceled already"):
        cancel(email)


def test_an_email_that_has_left_cannot_be_canceled(emu: EmulatorSession) -> None:
    with pytest.raises(NotPossibleError, match="scheduled"):
        cancel(send())
    late = send(scheduled_at=tomorrow())
    emu.clock.advance(2 * 86_400)
    with pytest.raises(NotPossibleError, match="no longer cancels"):
        cancel(late)
    assert SentEmail.objects.get(pk=late.pk).status == Status.QUEUED


def test_a_failure_of_the_api_is_no_answer(emu: EmulatorSession) -> None:
    email = send(scheduled_at=tomorrow())
    emu.fail(500, times=1)
    with pytest.raises(PostStackError):
        cancel(email)
    assert SentEmail.objects.get(pk=email.pk).status == Status.QUEUED


@pytest.mark.parametrize(("stores", "contents"), [(True, 1), (False, 0)])
def test_an_email_in_the_outbox_is_taken_out(emu: EmulatorSession, settings: Any, stores: bool, contents: int) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": stores}
    email = cancel(in_outbox(claimed_until=datetime(2026, 1, 1, tzinfo=timezone.utc)))

    assert (email.status, email.next_attempt_at, email.claimed_until) == (Status.CANCELED, None, None)
    assert [one.status for one in email.recipients.all()] == ["canceled"]
    assert EmailContent.objects.count() == contents


def test_an_email_that_a_drainer_holds_is_left_to_it(emu: EmulatorSession) -> None:
    email = in_outbox(claimed_until=tomorrow(), claim="drainer")
    with pytest.raises(NotPossibleError, match="at this moment"):
        cancel(email)
    email.refresh_from_db()
    assert (email.status, email.claim) == (Status.WAITING, "drainer")


def test_there_is_nothing_to_cancel(emu: EmulatorSession) -> None:
    with pytest.raises(NotPossibleError, match="nothing to cancel"):
        cancel(SentEmail.objects.create(idempotency_key="k", from_email="a@example.com", status=Status.REFUSED))


# Resend


def test_an_accepted_email_becomes_another_one(emu: EmulatorSession, told: list[dict[str, Any]]) -> None:
    about = Group.objects.create(name="customers")
    first = send(html="<b>Hi</b>", tags=["receipt"], metadata={"order": 7}, related_to=about, cc=["c@example.com"])
    again = resend(first)

    assert again.pk != first.pk
    assert again.idempotency_key != first.idempotency_key
    assert again.metadata == {"order": 7, "resend_of": first.email_id}
    assert set(SentEmail.objects.related_to(about)) == {first, again}
    assert [(one.subject, one.html, one.cc, one.tags) for one in emu.sent] == [
        ("Hello", "<b>Hi</b>", ["c@example.com"], ["receipt"])
    ] * 2
    assert [one["email"] for one in told] == [first, again]


def test_an_unconfirmed_email_is_not_doubled(emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1)
    with pytest.raises(PostStackError):
        send()
    row = SentEmail.objects.get()

    assert resend(row).email_id == emu.sent[0].id
    assert len(emu.sent) == 1 == SentEmail.objects.count()


def test_a_refused_email_keeps_its_row_and_key(emu: EmulatorSession) -> None:
    emu.fail(422, times=2)
    with pytest.raises(PostStackError):
        send()
    row = made_earlier(SentEmail.objects.get(), days=10)
    with pytest.raises(PostStackError):
        resend(row)
    row.refresh_from_db()
    assert row.status == Status.REFUSED

    assert resend(row).status == Status.QUEUED
    assert SentEmail.objects.count() == 1


def test_a_key_that_may_be_forgotten_is_not_used(emu: EmulatorSession) -> None:
    emu.fail(500, times=1)
    with pytest.raises(PostStackError):
        send()
    row = made_earlier(SentEmail.objects.get(), days=2)
    with pytest.raises(NotPossibleError, match="as_new=True"):
        resend(row)
    assert emu.sent == []

    again = resend(row, as_new=True)
    assert again.pk != row.pk
    assert again.metadata == {"resend_of": row.idempotency_key}


def test_what_was_scheduled_is_sent_at_once(emu: EmulatorSession) -> None:
    again = resend(cancel(send(scheduled_at=tomorrow())))

    assert again.scheduled_at is None
    assert [one.scheduled_at is None for one in emu.sent] == [False, True]


def test_without_content_it_says_what_to_switch_on(emu: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": False}
    with pytest.raises(NotPossibleError, match="STORE_BODIES"):
        resend(send())


def test_the_outbox_sends_its_own(emu: EmulatorSession) -> None:
    with pytest.raises(NotPossibleError, match="outbox"):
        resend(in_outbox())


def test_the_staging_guard_holds_for_what_is_sent_again(emu: EmulatorSession, settings: Any) -> None:
    both = send(to=["ada@example.com", "bob@test.example"])
    emu.fail(500, times=1)
    with pytest.raises(PostStackError):
        send()
    unknown = SentEmail.objects.get(status=Status.UNKNOWN)
    settings.POSTSTACK = {**settings.POSTSTACK, "ALLOWED_RECIPIENTS": ["@test.example"]}

    again = resend(both)
    assert emu.sent[-1].to == ["bob@test.example"]
    assert {one.address: one.status for one in again.recipients.all()} == {
        "ada@example.com": "withheld",
        "bob@test.example": "queued",
    }
    for row, as_new in ((unknown, False), (unknown, True)):
        with pytest.raises(NotPossibleError, match="staging guard"):
            resend(row, as_new=as_new)
    SentEmail.objects.filter(pk=unknown.pk).update(status=Status.WITHHELD)
    with pytest.raises(NotPossibleError, match="staging guard"):
        resend(unknown)
    assert len(emu.sent) == 2


def test_a_redirected_email_is_sent_again_as_it_was(emu: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "REDIRECT_TO": "me@test.example"}
    emu.fail(500, times=1)
    with pytest.raises(PostStackError):
        send()

    assert resend(SentEmail.objects.get()).status == Status.QUEUED
    assert emu.sent[0].to == ["me@test.example"]


def test_suppressed_addresses_stay_suppressed(emu: EmulatorSession, settings: Any) -> None:
    both = send(to=["ada@example.com", "bob@example.com"])
    emu.fail(500, times=1)
    with pytest.raises(PostStackError):
        send(to=["ada@example.com", "bob@example.com"])
    unknown = SentEmail.objects.get(status=Status.UNKNOWN)
    settings.POSTSTACK = {**settings.POSTSTACK, "SUPPRESSIONS": True}
    Suppression.objects.create(address="ada@example.com")

    with pytest.raises(NotPossibleError, match="suppressed by now"):
        resend(unknown)
    resend(both)
    assert emu.sent[-1].to == ["bob@example.com"]
    Suppression.objects.create(address="bob@example.com")
    with pytest.raises(NotPossibleError, match="All recipients are suppressed"):
        resend(both)
