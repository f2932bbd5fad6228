"""Projects that send through another provider than PostStack: settings, sending at once, and what they cannot have."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from poststack import OutcomeUnknownError, PostStackError
from poststack.mailbridge import AsyncMailBridge, Failover, MailBridge, MemoryKeyStore, SqliteKeyStore
from poststack_django.actions import NotPossibleError, cancel, refresh, resend
from poststack_django.aio import asend, asend_messages
from poststack_django.backends import EmailBackend
from poststack_django.checks import check_mailers, check_outbox, check_settings
from poststack_django.errors import NotAllSentError
from poststack_django.models import ProviderKey, SentEmail
from poststack_django.status import Status
from poststack_django.testing import emulated_poststack, override_mailer
from tests.providers.fakes.base import Fault, answers
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.with_django.emulated import made_earlier
from tests.with_django.messages import keyed, message, messages, states, status_of

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = "poststack_django.backends.EmailBackend"
OUTBOX = "poststack_django.backends.OutboxEmailBackend"


@pytest.fixture
def fake(settings: Any) -> Generator[FakeSendGrid]:
    """A SendGrid that the project sends through."""
    with FakeSendGrid() as server:
        settings.POSTSTACK = {"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": server.settings(), "STORE_BODIES": True}
        with override_mailer(BACKEND):
            yield server


def send(one: EmailMessage) -> SentEmail:
    EmailBackend().send_messages([one])
    return SentEmail.objects.order_by("-id")[0]


def lost() -> Fault:
    """The provider takes the e-mail, and its answer is lost."""
    return Fault(taken=True, reset=True)


# Sending


def test_an_email_goes_there_and_its_row_says_so(fake: FakeSendGrid, told: list[dict[str, Any]]) -> None:
    one = message(to=["Ada <ada@example.com>"], cc=["bob@example.com"])

    row = send(one)

    (delivered,) = fake.delivered
    assert (delivered.to, delivered.cc) == ([("Ada", "ada@example.com")], [("", "bob@example.com")])
    assert (row.email_id, row.provider, row.status) == (delivered.message_id, "sendgrid", Status.QUEUED)
    assert (row.to, row.cc) == (["Ada <ada@example.com>"], ["bob@example.com"])
    assert (status_of(one).id, [said["status"].status for said in told]) == (delivered.message_id, ["queued"])


def test_each_email_has_an_id_of_its_own(fake: FakeSendGrid) -> None:
    three = [message("the same", to=[f"u{number}@example.com"]) for number in range(3)]

    assert EmailBackend().send_messages(three) == 3

    assert len({status_of(one).id for one in three}) == 3
    assert SentEmail.objects.filter(provider="sendgrid").count() == 3


def test_nothing_is_noted_of_a_key_that_nobody_has(fake: FakeSendGrid) -> None:
    with transaction.atomic():
        send(message())

    assert len(fake.delivered) == 1
    assert not ProviderKey.objects.exists()


def test_a_key_of_ones_own_is_sent_once(fake: FakeSendGrid) -> None:
    first, second = keyed(1, "welcome/1"), keyed(1, "welcome/1")
    send(first)
    send(second)

    assert len(fake.delivered) == 1
    assert (status_of(second).id, status_of(second).replayed) == (status_of(first).id, True)
    assert ProviderKey.objects.get().done


def test_a_key_whose_note_could_be_undone_is_refused(fake: FakeSendGrid) -> None:
    one = keyed(1, "welcome/1")

    with transaction.atomic(), pytest.raises(ValueError, match="sendgrid minds none"):
        EmailBackend().send_messages([message(0), one])

    assert fake.requests == []


def test_a_store_elsewhere_serves_transactions(fake: FakeSendGrid, settings: Any, tmp_path: Path) -> None:
    options = {**fake.settings(), "keys": SqliteKeyStore(tmp_path / "keys.db")}
    settings.POSTSTACK = {**settings.POSTSTACK, "PROVIDER_OPTIONS": options}
    for _ in range(2):
        with transaction.atomic():
            send(keyed(1, "welcome/1"))
            transaction.set_rollback(True)

    assert len(fake.delivered) == 1
    assert not ProviderKey.objects.exists()


def test_what_the_provider_cannot_say_is_found_before_anything_is_sent(fake: FakeSendGrid) -> None:
    one = message(2)
    vars(one)["unsubscribe"] = True

    with pytest.raises(ValueError, match=r"messages\[1\]: `unsubscribe`: only PostStack knows it"):
        EmailBackend().send_messages([message(1), one])

    assert fake.requests == []
    assert not SentEmail.objects.exists()


def test_an_email_that_may_have_been_sent_is_unknown_and_not_sent_again(fake: FakeSendGrid) -> None:
    fake.faults.append(lost())
    one = message()

    with pytest.raises(OutcomeUnknownError):
        send(one)

    row = SentEmail.objects.get()
    assert (status_of(one).status, row.status, row.error_code) == ("unknown", Status.UNKNOWN, "outcome_unknown")
    assert "may have been sent" in row.error
    with pytest.raises(NotPossibleError, match="sendgrid cannot tell a repetition"):
        resend(row)
    assert len(fake.delivered) == 1
    assert resend(row, as_new=True).email_id == fake.delivered[1].message_id


def test_one_unknown_email_does_not_keep_the_others_from_being_sent(fake: FakeSendGrid) -> None:
    fake.faults.append(lost())
    three = messages(3)

    with pytest.raises(NotAllSentError) as caught:
        EmailBackend().send_messages(three)

    assert states(three) == ["unknown", "queued", "queued"]
    assert (len(caught.value.sent), len(fake.delivered)) == (2, 3)


@pytest.mark.parametrize("status", [429, 503, 400])
def test_an_email_that_was_certainly_not_taken_can_be_sent_again(
    fake: FakeSendGrid, settings: Any, status: int
) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "MAX_RETRIES": 0}
    fake.faults.append(answers(status))
    one = message()

    with pytest.raises(PostStackError):
        send(one)

    row = SentEmail.objects.get()
    assert (status_of(one).status, row.status) == ("refused", Status.REFUSED)
    again = resend(row)
    assert (again.pk, again.email_id) == (row.pk, fake.delivered[0].message_id)


def test_asynchronous_code_sends_without_a_thread_for_the_call(fake: FakeSendGrid) -> None:
    fake.faults.append(lost())

    async def main() -> None:
        with pytest.raises(OutcomeUnknownError):
            await asend(message(1))
        assert await asend_messages([message(2), keyed(3, "k3")]) == 2
        assert await asend(keyed(3, "k3")) == 1

    asyncio.run(main())

    assert len(fake.delivered) == 3
    assert sorted(SentEmail.objects.values_list("status", flat=True)) == ["queued", "queued", "unknown"]


def test_connections_of_an_event_loop_end_with_it(fake: FakeSendGrid) -> None:
    for number in range(3):
        assert async_to_sync(asend)(message(number)) == 1

    assert len(fake.delivered) == 3


# Settings


def test_a_function_makes_the_mailer(fake: FakeSendGrid, settings: Any) -> None:
    def mailer() -> Failover:
        away = MailBridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)
        return Failover([away, MailBridge("sendgrid", **fake.settings())])

    for how in ("PROVIDER", "CLIENT"):
        settings.POSTSTACK = {how: mailer}
        assert send(message()).provider == "sendgrid"
        assert async_to_sync(asend)(message()) == 1
    assert len(fake.delivered) == 4


def named_mailer() -> MailBridge:
    """Return the mailer that a dotted path leads to."""
    return MailBridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)


def test_a_dotted_path_names_the_function(fake: FakeSendGrid, settings: Any) -> None:
    settings.POSTSTACK = {"PROVIDER": f"{__name__}.named_mailer"}

    with pytest.raises(PostStackError, match="could not be reached"):
        send(message())


def test_the_environment_names_the_provider_unless_the_settings_have_a_key(
    fake: FakeSendGrid, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTSTACK_PROVIDER", "sendgrid")
    monkeypatch.setenv("POSTSTACK_PROVIDER_OPTIONS", json.dumps(fake.settings()))
    settings.POSTSTACK = {}

    assert send(message()).provider == "sendgrid"
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    assert EmailBackend().configuration.provider is None


def test_options_of_a_mailer_go_before_the_settings(fake: FakeSendGrid, settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    EmailBackend(provider="sendgrid", provider_options=fake.settings()).send_messages([message()])
    assert len(fake.delivered) == 1

    settings.POSTSTACK = {"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": {"api_key": "SG.other"}}
    EmailBackend(provider_options=fake.settings(), timeout=3).send_messages([message()])
    assert len(fake.delivered) == 2
    assert EmailBackend(timeout=3).configuration.provider is not None
    assert EmailBackend(api_key="sk_test_x").configuration.provider is None
    assert EmailBackend(provider="poststack").configuration.provider is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PROVIDER": "sendgrid", "CLIENT": named_mailer}, "both CLIENT and PROVIDER"),
        ({"PROVIDER": "no.such.function"}, r"POSTSTACK\['PROVIDER'\]: .*cannot be imported"),
        ({"PROVIDER": 7}, "not int"),
        ({"PROVIDER_OPTIONS": {"api_key": "SG.secret"}}, "no provider"),
        ({"PROVIDER": named_mailer, "PROVIDER_OPTIONS": {"api_key": "SG.secret"}}, "no effect"),
        ({"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": "SG.secret"}, "is a dictionary"),
    ],
)
def test_wrong_settings_are_found_by_check(settings: Any, given: dict[str, Any], told: str) -> None:
    settings.POSTSTACK = given

    (found,) = check_settings()

    assert found.id == "poststack.E001"
    with pytest.raises(ImproperlyConfigured, match=told) as caught:
        EmailBackend().open()
    assert "secret" not in str(caught.value) + found.msg


@pytest.mark.parametrize(
    ("given", "check_id", "told"),
    [
        ({"PROVIDER": "sendgird"}, "poststack.E002", "There is no provider 'sendgird'"),
        ({"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": {"api_key": "x", "regoin": "eu"}}, "poststack.E002", "'region'"),
        ({"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": {"api_key": None}}, "poststack.W004", "needs the setting"),
        ({"PROVIDER": lambda: AsyncMailBridge("sendgrid", api_key="x")}, "poststack.E002", "not AsyncMailBridge"),
        ({"PROVIDER": lambda: 1 / 0}, "poststack.E002", "raised ZeroDivisionError"),
    ],
)
def test_a_mailer_that_cannot_be_made_is_found_by_check(
    settings: Any, given: dict[str, Any], check_id: str, told: str
) -> None:
    settings.POSTSTACK = given
    with override_mailer(BACKEND):
        (found,) = check_mailers()

    assert (found.id, told in found.msg) == (check_id, True)


def test_settings_of_poststack_beside_a_provider_are_noted(settings: Any) -> None:
    settings.POSTSTACK = {"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": {"api_key": "x"}, "API_KEY": "sk_test_x"}

    (found,) = check_settings()

    assert (found.id, found.level) == ("poststack.I001", checks.INFO)
    assert "'API_KEY'" in found.msg


@pytest.mark.parametrize("keys", [None, MemoryKeyStore()])
def test_an_outbox_whose_mailer_keeps_no_keys_is_found_by_check(settings: Any, keys: Any) -> None:
    settings.POSTSTACK = {"PROVIDER": lambda: MailBridge("sendgrid", api_key="SG.x", keys=keys)}
    with override_mailer(OUTBOX):
        assert [found.id for found in check_outbox()] == ["poststack.E008"]
        settings.POSTSTACK = {"PROVIDER": "sendgrid", "PROVIDER_OPTIONS": {"api_key": "SG.x"}}
        assert check_outbox() == []


def test_the_emulator_stands_in_for_the_whole_project(fake: FakeSendGrid) -> None:
    with emulated_poststack(webhook=False) as emulated:
        assert send(message()).email_id == emulated.sent[0].id

    assert fake.requests == []


# What only PostStack has


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_only_poststack_can_be_asked_about_an_email(fake: FakeSendGrid) -> None:
    row = send(message())

    for does in (refresh, cancel):
        SentEmail.objects.update(scheduled_at=row.created_at)
        row.refresh_from_db()
        with pytest.raises(ImproperlyConfigured, match="Only PostStack can be asked"):
            does(row)


def test_an_email_of_poststack_is_not_asked_about_with_another_providers_key(fake: FakeSendGrid) -> None:
    row = send(message())
    SentEmail.objects.update(provider="")
    row.refresh_from_db()

    with pytest.raises(ImproperlyConfigured, match="sends through sendgrid by now"):
        refresh(row)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("poststack_webhook", ["list"]), ("poststack_suppressions", ["pull"])],
)
def test_commands_for_an_account_at_poststack_say_so(fake: FakeSendGrid, command: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="sends through sendgrid, and this command is about an account at PostStack"):
        run(command, *arguments)


def test_a_test_email_is_sent_and_cannot_be_followed(fake: FakeSendGrid) -> None:
    said = run("poststack_send_test", "ada@example.com")

    assert said == f"{fake.delivered[0].message_id} queued\n"
    with pytest.raises(CommandError, match="cannot be asked"):
        run("poststack_send_test", "ada@example.com", "--wait", "5")
    assert len(fake.delivered) == 1


def test_reconciling_leaves_other_providers_alone(fake: FakeSendGrid) -> None:
    made_earlier(send(message(1)), hours=2)
    fake.faults.append(lost())
    with pytest.raises(OutcomeUnknownError):
        send(message(2))
    for row in SentEmail.objects.all():
        made_earlier(row, hours=2)

    said = run("poststack_reconcile")

    assert said.startswith("0 asked about, 0 changed, 0 no longer at PostStack, 0 sent again, 0 failed.\n1 unconfirmed")
    assert len(fake.delivered) == 2


def test_the_admin_shows_the_provider_and_the_doubt(fake: FakeSendGrid, admin_client: Client) -> None:
    sent = send(message(1))
    fake.faults.append(lost())
    with pytest.raises(OutcomeUnknownError):
        send(message(2))
    doubtful = SentEmail.objects.get(status=Status.UNKNOWN)

    addresses = [f"/admin/poststack/sentemail/{row.pk}/change/" for row in (sent, doubtful)]
    pages = [admin_client.get(address).content.decode() for address in addresses]

    assert "sendgrid" in pages[0]
    assert ">Refresh</a>" not in pages[0]
    assert "Not confirmed" in pages[1]
    assert "outcome_unknown" in pages[1]
    answer = admin_client.post(f"/admin/poststack/sentemail/{doubtful.pk}/resend/", {"confirmed": "yes"}, follow=True)
    assert "sendgrid cannot tell a repetition" in answer.content.decode()
    assert len(fake.delivered) == 2
