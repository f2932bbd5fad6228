"""Webhooks that never came: the API is asked, and what it says is stored and told once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from poststack import PostStackError
from poststack.events import parse_event
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent, SentEmail
from poststack_django.reconciling import refresh
from poststack_django.same_events import not_among
from poststack_django.signals import tracking
from poststack_django.status import Happened, Status
from tests.with_django.api import event_body
from tests.with_django.emulated import made_earlier, send, with_webhooks

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession
    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def test_what_webhooks_did_not_bring_is_stored_and_told_once(emu: EmulatorSession, heard: list[str]) -> None:
    email = send(to=["ada@example.com", "bounce@example.com"])
    emu.clock.advance(60)
    emu.simulate(email.email_id or "", "bounced", recipient="bounce@example.com")

    refreshed = refresh(email)
    assert refreshed.status == Status.BOUNCED
    assert {one.address: one.status for one in refreshed.recipients.all()} == {
        "ada@example.com": "delivered",
        "bounce@example.com": "bounced",
    }
    assert heard.count("email.delivered") == 1
    assert len(heard) == EmailEvent.objects.count()
    before = list(heard)
    assert refresh(email).status == Status.BOUNCED
    assert heard == before


def test_what_a_webhook_brought_is_not_stored_again(emu: EmulatorSession, heard: list[str]) -> None:
    with_webhooks(emu)
    email = send(to=["ada@example.com", "bob@example.com"])
    emu.clock.advance(60)
    before = EmailEvent.objects.count()
    assert before == len(heard) == 4

    refresh(email)
    assert EmailEvent.objects.count() == before == len(heard)


def test_one_of_two_webhooks_is_missing(emu: EmulatorSession, heard: list[str]) -> None:
    with_webhooks(emu)
    email = send(to=["ada@example.com", "bob@example.com"])
    emu.clock.advance(60)
    EmailEvent.objects.filter(type="email.delivered", recipient="bob@example.com").delete()
    heard.clear()

    refresh(email)
    assert heard == ["email.delivered"]
    assert EmailEvent.objects.filter(recipient="bob@example.com").get().event_id.startswith("api:em_")


def test_webhooks_that_come_after_all_are_repetitions(emu: EmulatorSession, heard: list[str]) -> None:
    email = send(to=["ada@example.com", "bob@example.com"])
    emu.clock.advance(60)
    refresh(email)
    told, before = list(heard), EmailEvent.objects.count()
    assert set(EmailEvent.objects.values_list("state", flat=True)) == {"handled"}
    for number, recipient in enumerate(("bob@example.com", "ada@example.com", "ada@example.com")):
        # The last of them is a repetition; the first two are about the two that are stored.
        body = event_body("email.delivered", email.email_id or "", f"late_{min(number, 1)}", recipient=recipient)
        record_event(parse_event(body), lambda turn, row: heard.append("told twice"))

    assert (heard, EmailEvent.objects.count()) == (told, before)
    delivered = EmailEvent.objects.filter(type="email.delivered")
    assert dict(delivered.values_list("recipient", "event_id")) == {
        "bob@example.com": "evt_late_0",
        "ada@example.com": "evt_late_1",
    }
    assert refresh(email).status == Status.DELIVERED
    assert EmailEvent.objects.count() == before
    body = event_body("email.delivered", email.email_id or "", "other", recipient="carl@example.com")
    record_event(parse_event(body), lambda turn, row: heard.append("carl"))
    assert heard == [*told, "carl"]


def test_a_receiver_that_fails_is_called_again_later(emu: EmulatorSession, heard: list[str]) -> None:
    def fail(event: Any, **_: Any) -> None:
        raise ZeroDivisionError

    email = send()
    emu.clock.advance(60)
    tracking.connect(fail)
    try:
        assert refresh(email).status == Status.DELIVERED
    finally:
        tracking.disconnect(fail)
    assert set(EmailEvent.objects.values_list("state", flat=True)) == {"failed"}
    assert heard == ["email.queued", "email.sent", "email.delivered"]


def test_recipients_that_the_api_dropped_are_marked(emu: EmulatorSession) -> None:
    emu.client().suppressions.add({"email": "gone@example.com", "reason": "manual"})
    email = send(to=["ada@example.com"], cc=["Gone <GONE@example.com>"], bcc=["hidden@example.com"])
    emu.clock.advance(60)

    refreshed = refresh(email)
    assert {one.address: one.status for one in refreshed.recipients.all()} == {
        "ada@example.com": "delivered",
        "gone@example.com": "suppressed",
        "hidden@example.com": "delivered",
    }
    assert refreshed.status == Status.DELIVERED


def test_dropped_recipients_are_found_by_their_fingerprints_too(emu: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_RECIPIENTS": "hashed"}
    emu.client().suppressions.add({"email": "gone@example.com", "reason": "manual"})
    email = send(to=["ada@example.com", "gone@example.com"])
    emu.clock.advance(60)

    assert sorted(one.status for one in refresh(email).recipients.all()) == ["delivered", "suppressed"]
    assert "@" not in "".join(EmailEvent.objects.values_list("recipient", flat=True))


def answer(api: RecordingApi, status: str, *, to: list[str], events: list[dict[str, Any]] | None = None) -> None:
    email = {"publicId": "em_1", "status": status, "toAddresses": to, "ccAddresses": None, "bccAddresses": None}
    api.will_answer(200, {"email": {**email, "events": events or []}})


@pytest.mark.parametrize("status", ["sending", "deferred", "delivered", "failed", "bounced", "complained"])
def test_a_status_that_no_event_explains_is_taken_over_without_a_signal(
    api: RecordingApi, heard: list[str], status: str
) -> None:
    email = send()
    answer(api, status, to=["ada@example.com"])

    refreshed = refresh(email)
    assert refreshed.status == status
    assert [one.status for one in refreshed.recipients.all()] == [status]
    assert heard == []


def test_the_event_behind_a_status_that_was_taken_over_is_told_when_it_comes(
    api: RecordingApi, heard: list[str]
) -> None:
    email = send()
    answer(api, "bounced", to=["ada@example.com"])
    refresh(email)
    event = {"id": 7, "eventType": "bounced", "metadata": None, "createdAt": "2026-01-02T03:04:05.000Z"}
    answer(api, "bounced", to=["ada@example.com"], events=[event])

    assert refresh(email).status == Status.BOUNCED
    assert heard == ["email.bounced"]


def test_a_bad_end_of_one_among_several_is_nobodys_in_particular(api: RecordingApi) -> None:
    email = send(to=["ada@example.com", "bob@example.com"])
    answer(api, "bounced", to=["ada@example.com", "bob@example.com"])

    refreshed = refresh(email)
    assert refreshed.status == Status.BOUNCED
    assert {one.status for one in refreshed.recipients.all()} == {"queued"}


@pytest.mark.parametrize("status", ["queued", "sending", "paused"])
def test_a_status_that_says_less_than_is_known_changes_nothing(api: RecordingApi, status: str) -> None:
    email = send()
    SentEmail.objects.filter(pk=email.pk).update(status="delivered")
    answer(api, status, to=["ada@example.com"])

    assert refresh(email).status == Status.DELIVERED


def test_an_answer_without_recipients_suppresses_nobody(api: RecordingApi) -> None:
    email = send()
    answer(api, "queued", to=[])

    assert [one.status for one in refresh(email).recipients.all()] == ["queued"]


def test_without_an_id_there_is_nothing_to_ask_by(emu: EmulatorSession) -> None:
    with pytest.raises(ValueError, match="no id to ask by"):
        refresh(SentEmail(idempotency_key="k"))


def test_a_client_that_only_sends_cannot_be_asked(emu: EmulatorSession, settings: Any) -> None:
    email = send()

    class Group:
        def send(self, input: object) -> None: ...

    class Client:
        emails = Group()

    settings.POSTSTACK = {"CLIENT": Client}
    with pytest.raises(ImproperlyConfigured, match="`get`"):
        refresh(email)


def test_an_email_that_is_gone_says_so(emu: EmulatorSession) -> None:
    email = SentEmail.objects.create(idempotency_key="k", email_id="em_gone", from_email="a@example.com")

    with pytest.raises(PostStackError) as refused:
        refresh(email)
    assert refused.value.status_code == 404


# Which events are the same


def test_each_known_event_accounts_for_one() -> None:
    delivered = Happened("email.delivered", NOON)
    assert not_among([delivered, delivered], [delivered]) == [1]
    assert not_among([delivered, delivered], [delivered, delivered]) == []


def test_what_can_happen_again_is_told_apart_by_its_moment() -> None:
    opened = Happened("email.opened", NOON, "a@example.com")
    later = opened._replace(at=NOON + timedelta(seconds=3))
    assert not_among([opened, later], [opened._replace(at=NOON + timedelta(seconds=1))]) == [1]
    assert not_among([opened], [opened._replace(at=None)]) == []


def test_other_recipients_and_other_types_are_others() -> None:
    one = Happened("email.opened", NOON, "a@example.com")
    assert not_among([one], [one._replace(recipient="b@example.com"), one._replace(type="email.clicked")]) == [0]
    assert not_among([one], [one._replace(recipient="")]) == []


def test_events_that_name_a_recipient_choose_first() -> None:
    unnamed = Happened("email.delivered", NOON)
    ada, bob = unnamed._replace(recipient="ada@example.com"), unnamed._replace(recipient="bob@example.com")
    assert not_among([unnamed, ada], [ada, bob]) == []


# manage.py poststack_reconcile


def reconcile(*arguments: str) -> tuple[str, str]:
    out, errors = StringIO(), StringIO()
    call_command("poststack_reconcile", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def test_the_command_asks_about_those_under_way(emu: EmulatorSession) -> None:
    waiting, old, young = made_earlier(send(), hours=1), made_earlier(send(), days=4), send()
    ended = made_earlier(send(), hours=1)
    SentEmail.objects.filter(pk=ended.pk).update(status="delivered")
    emu.clock.advance(60)

    out, errors = reconcile()
    assert out == "1 asked about, 1 changed, 0 no longer at PostStack, 0 sent again, 0 failed.\n"
    assert errors == ""
    assert [SentEmail.objects.get(pk=one.pk).status for one in (waiting, old, young)] == [
        "delivered",
        "queued",
        "queued",
    ]
    assert reconcile("--older-than", "0", "--days", "9", "--limit", "1")[0].startswith("1 asked about, 1 changed")
    assert reconcile("--older-than", "0", "--days", "9")[0].startswith("1 asked about, 1 changed")


def test_scheduled_emails_are_asked_about_from_their_time_on(emu: EmulatorSession) -> None:
    now = datetime.now(timezone.utc)
    made_earlier(send(scheduled_at=now + timedelta(days=1)), hours=2)
    due = made_earlier(send(scheduled_at=now + timedelta(days=1)), days=20)
    SentEmail.objects.filter(pk=due.pk).update(scheduled_at=now - timedelta(hours=1))

    assert reconcile()[0].startswith("1 asked about")


def test_single_failures_do_not_end_the_run(emu: EmulatorSession, caplog: pytest.LogCaptureFixture) -> None:
    SentEmail.objects.create(idempotency_key="a", email_id="em_gone", from_email="a@example.com", status="queued")
    made_earlier(SentEmail.objects.get(), minutes=30)
    made_earlier(send(), hours=2)
    made_earlier(send(), hours=1)
    emu.clock.advance(60)
    emu.fail(500, times=1, method="GET", path="/emails/em_*")

    out, errors = reconcile()
    assert out == "1 asked about, 1 changed, 1 no longer at PostStack, 0 sent again, 1 failed.\n"
    assert "the log says which" in errors
    assert "status 500" in caplog.text


@pytest.mark.parametrize(("retry_after", "text"), [(17, "asks to wait 17 seconds."), (None, "asks to wait. ")])
def test_the_api_can_ask_to_stop(emu: EmulatorSession, retry_after: float | None, text: str) -> None:
    made_earlier(send(), hours=2)
    made_earlier(send(), hours=1)
    emu.fail(429, method="GET", retry_after=retry_after)

    out, errors = reconcile()
    assert out.startswith("0 asked about")
    assert text in errors


def test_an_unconfirmed_email_is_sent_again_with_the_same_key(emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1)
    with pytest.raises(PostStackError):
        send()
    row = made_earlier(SentEmail.objects.get(), hours=1)
    assert (row.status, row.email_id) == ("unknown", None)

    assert "1 sent again" in reconcile()[0]
    row.refresh_from_db()
    assert row.email_id == emu.sent[0].id
    assert len(emu.sent) == 1


def test_what_cannot_be_sent_again_is_left_and_named(emu: EmulatorSession, settings: Any) -> None:
    for key, hours in (("without content", 1), ("too old", 30)):
        row = SentEmail.objects.create(idempotency_key=key, from_email="a@example.com")
        made_earlier(row, hours=hours)
        if key == "too old":
            from poststack_django.models import EmailContent

            EmailContent.objects.create(sent_email=row, payload="{}")

    out, _ = reconcile()
    assert "2 unconfirmed left alone" in out
    assert "STORE_BODIES" in out
    assert emu.sent == []


def test_rows_of_the_outbox_are_left_to_it(emu: EmulatorSession) -> None:
    row = SentEmail.objects.create(idempotency_key="k", from_email="a@example.com", status="unknown")
    SentEmail.objects.filter(pk=row.pk).update(next_attempt_at=NOON)
    made_earlier(row, hours=1)

    assert reconcile()[0].startswith("0 asked about")


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--days", "-1"), ("--older-than", "soon")])
def test_wrong_limits_are_refused(emu: EmulatorSession, arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        reconcile(*arguments)


def test_without_rows_the_command_says_what_to_do(settings: Any) -> None:
    settings.POSTSTACK = {"RECORD": False}
    with pytest.raises(CommandError, match="INSTALLED_APPS"):
        reconcile()
