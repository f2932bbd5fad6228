"""The commands that speak with PostStack, against the emulator."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from poststack.testing import emulator
from poststack_django.management.commands.poststack_send_test import Command as SendTest
from poststack_django.models import SentEmail
from poststack_django.outbox import drain
from poststack_django.signals import CancelSend, pre_send
from tests.with_django.api import BACKEND, HAS_MAILERS, configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db

URL = "https://example.com/webhooks/poststack/"
ADA = "ada@example.com"
OUTBOX = "poststack_django.backends.OutboxEmailBackend"


@pytest.fixture
def post(settings: Any) -> Iterator[EmulatorSession]:
    with emulator() as session:
        settings.POSTSTACK = {"CLIENT": session.client}
        yield session


def run(command: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


# poststack_webhook


def test_a_webhook_is_created_and_its_secret_shown_once(
    post: EmulatorSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = run("poststack_webhook", "create", URL, "--events", "email.bounced", "email.complained")

    first, secret, last = said.splitlines()
    webhook = post.client().webhooks.get(1)["webhook"]
    assert (webhook["url"], webhook["events"]) == (URL, ["email.bounced", "email.complained"])
    assert "shown this once" in first
    assert "POSTSTACK_WEBHOOK_SECRETS" in last
    assert secret
    assert secret not in caplog.text
    assert secret not in run("poststack_webhook", "list")


def test_a_script_is_given_the_secret_and_nothing_else(post: EmulatorSession) -> None:
    said = run("poststack_webhook", "create", URL, verbosity=0)

    assert len(said.splitlines()) == 1
    assert post.client().webhooks.get(1)["webhook"]["events"] == ["*"]


def test_webhooks_are_listed(post: EmulatorSession) -> None:
    run("poststack_webhook", "create", URL)

    assert run("poststack_webhook", "list") == f"1\tactive\t{URL}\t*\n"


def test_a_secret_is_rotated(post: EmulatorSession) -> None:
    old = run("poststack_webhook", "create", URL, verbosity=0).strip()
    said = run("poststack_webhook", "rotate", "1", "--grace-hours", "2")
    at_once = run("poststack_webhook", "rotate", "1", "--grace-hours", "0")

    assert said.splitlines()[1] != old
    assert "keep the old one there until 20" in said
    assert "take the old one out" in at_once


def test_a_sample_event_is_sent(post: EmulatorSession) -> None:
    called: list[bytes] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        called.append(body)
        return 200

    post.on_webhook(receive, url=URL)
    said = run("poststack_webhook", "test", "1")
    post.clock.advance(1)

    assert "sample event" in said
    assert len(called) == 1


@pytest.mark.parametrize(
    ("arguments", "explained"),
    [
        (["create", "example.com"], "full address"),
        (["rotate", "1", "--grace-hours", "169"], "0 to 168"),
        (["rotate", "7"], "status 404"),
        (["test", "7"], "status 404"),
        (["rotate", "seven"], "invalid int value"),
        (["list", "--mailer", "other"], "no mailer 'other'"),
        ([], "required"),
    ],
)
def test_what_is_wrong_is_explained(post: EmulatorSession, arguments: list[str], explained: str) -> None:
    with pytest.raises(CommandError, match=explained):
        run("poststack_webhook", *arguments)


# poststack_send_test


class Sender:
    """The command in a project with this backend, waiting on the emulator's clock while something else happens."""

    def __init__(
        self, post: EmulatorSession, *, backend: str = BACKEND, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        def pause(seconds: float) -> None:
            post.clock.advance(seconds)
            meanwhile()

        class Patient(SendTest):
            sleep = staticmethod(pause)
            clock = staticmethod(post.clock.time)

        self._command = Patient()
        self._backend = backend

    def __call__(self, address: str = ADA, **options: Any) -> list[str]:
        out = io.StringIO()
        with configured("EMAIL_BACKEND", backend=self._backend):
            call_command(self._command, address, stdout=out, **options)
        return out.getvalue().splitlines()


@pytest.fixture
def send(post: EmulatorSession) -> Sender:
    return Sender(post)


def test_a_test_is_sent(post: EmulatorSession, send: Sender) -> None:
    said = send()

    (sent,) = post.sent
    assert sent.to == [ADA]
    assert said == [f"{sent.id} queued"]
    assert SentEmail.objects.get().email_id == sent.id


def test_its_fate_is_followed(post: EmulatorSession, send: Sender) -> None:
    said = send(wait=60)

    assert [line.split()[1] for line in said] == ["queued", "delivered"]
    assert said[0].split()[0] == post.sent[0].id


@pytest.mark.parametrize(("name", "end"), [("bounce", "bounced"), ("complain", "complained"), ("fail", "failed")])
def test_a_bad_end_fails_the_command(post: EmulatorSession, send: Sender, name: str, end: str) -> None:
    # Complaints come after the delivery, which ends the waiting.
    if end == "complained":
        assert send(f"{name}@example.com", wait=60)[-1].endswith("delivered")
        return
    with pytest.raises(CommandError, match=f"ended as {end}"):
        send(f"{name}@example.com", wait=60)


def test_waiting_has_an_end(post: EmulatorSession, send: Sender) -> None:
    began = post.clock.time()
    with pytest.raises(CommandError, match="still deferred"):
        send("defer@example.com", wait=10)

    assert post.clock.time() - began == pytest.approx(10)


def test_what_it_waits_for_is_said_if_asked(send: Sender) -> None:
    assert any(line.startswith("…") for line in send(wait=60, verbosity=2))


def test_a_refusal_is_explained(post: EmulatorSession, send: Sender) -> None:
    post.fail(422, path="/emails", error="The domain is not verified")
    with pytest.raises(CommandError, match=r"The domain is not verified \(status 422\)"):
        send()


def test_an_address_that_is_none_is_explained(send: Sender) -> None:
    with pytest.raises(CommandError, match="is not an e-mail address") as caught:
        send("two words@@")

    assert "two words" not in str(caught.value)


def test_the_staging_guard_is_named(post: EmulatorSession, send: Sender, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "ALLOWED_RECIPIENTS": ["*@staging.example"]}
    with pytest.raises(CommandError, match="ALLOWED_RECIPIENTS"):
        send()

    assert post.sent == []


def test_a_receiver_that_cancels_is_named(send: Sender) -> None:
    def cancel(**_: Any) -> None:
        raise CancelSend

    pre_send.connect(cancel)
    try:
        with pytest.raises(CommandError, match="pre_send"):
            send()
    finally:
        pre_send.disconnect(cancel)


def test_another_backend_is_named(post: EmulatorSession, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with pytest.raises(CommandError, match=r"through django\.core\.mail\.backends\.locmem"):
        run("poststack_send_test", ADA)


def test_the_outbox_is_waited_for(post: EmulatorSession) -> None:
    send = Sender(post, backend=OUTBOX, meanwhile=drain)

    assert send() == ["It is in the outbox. `manage.py poststack_outbox` sends it."]
    said = send(wait=60)
    assert [line.split()[1] for line in said] == ["queued", "delivered"]


def test_an_outbox_that_nobody_empties_is_suspected(post: EmulatorSession) -> None:
    with pytest.raises(CommandError, match="poststack_outbox"):
        Sender(post, backend=OUTBOX)(wait=5)


def test_what_the_outbox_was_told_is_explained(post: EmulatorSession) -> None:
    post.fail(422, path="/emails", error="The domain is not verified")
    with pytest.raises(CommandError, match=r"refused.*The domain is not verified"):
        Sender(post, backend=OUTBOX, meanwhile=drain)(wait=60)


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_a_mailer_can_be_chosen(post: EmulatorSession, settings: Any) -> None:
    backend = {"BACKEND": "poststack_django.backends.EmailBackend"}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}, "own": backend}
    run("poststack_send_test", ADA, mailer="own")
    with pytest.raises(CommandError, match="'default', 'own'"):
        run("poststack_send_test", ADA, mailer="other")
    with pytest.raises(CommandError, match="locmem"):
        run("poststack_send_test", ADA)

    assert SentEmail.objects.get().mailer == "own"
    assert run("poststack_webhook", "list", "--mailer", "own") == ""
