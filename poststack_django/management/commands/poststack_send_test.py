"""`manage.py poststack_send_test`: send a short e-mail, and see what becomes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMessage
from django.core.management.base import BaseCommand, CommandError

from poststack_django.database import is_recording
from poststack_django.management.access import add_mailer_option, failures_in_words, mailer_called
from poststack_django.result import SendStatus, status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

    from poststack import PostStack
    from poststack_django.backends import EmailBackend

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
UNDER_WAY = frozenset({"queued", "sending", "deferred", "waiting"})


class Command(BaseCommand):
    """Sends one e-mail as the project would."""

    help = "Send a short e-mail through the configured mailer; print its id and its status."

    sleep: Callable[[float], object] = staticmethod(time.sleep)
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("address", help="where to send it")
        add_mailer_option(parser)
        parser.add_argument(
            "--wait", type=float, default=0.0, metavar="SECONDS", help="follow it for so long, until it is at an end"
        )

    def handle(self, *_: Any, address: str, mailer: str | None, wait: float, verbosity: int, **options: Any) -> None:
        """Run."""
        backend = mailer_called(mailer)
        if wait and backend.configuration.provider is not None:
            raise CommandError("--wait asks PostStack, and another provider cannot be asked. Leave it out.")
        message = EmailMessage(
            "PostStack works", "This e-mail was sent by manage.py poststack_send_test.", to=[address]
        )
        with failures_in_words():
            backend.send_messages([message])
        status = status_of(message)
        if status is None or status.status not in {"queued", "waiting"}:
            raise CommandError(self._why_not(status))
        ends_at = self.clock() + wait
        email_id = status.id or self._id_from_outbox(status, ends_at, verbosity)
        if email_id is None:
            if wait:
                raise CommandError("It is still in the outbox. Is `manage.py poststack_outbox` running?")
            self.stdout.write("It is in the outbox. `manage.py poststack_outbox` sends it.")
            return
        self.stdout.write(f"{email_id} queued")
        if wait:
            self._follow(email_id, backend, message, ends_at, verbosity)

    def _why_not(self, status: SendStatus | None) -> str:
        state = "not sent" if status is None else status.status
        if state == "withheld":
            return "Not sent: POSTSTACK['ALLOWED_RECIPIENTS'] does not allow this address."
        if state == "canceled":
            return "Not sent: a receiver of pre_send has canceled it."
        return f"Not sent ({state}): {status.error if status else 'the backend did not say why'}"

    def _id_from_outbox(self, status: SendStatus, ends_at: float, verbosity: int) -> str | None:
        if not is_recording():
            return None
        from poststack_django.models import SentEmail
        from poststack_django.writing import database

        rows = SentEmail.objects.using(database()).filter(idempotency_key=status.idempotency_key)
        pause = FIRST_PAUSE
        while True:
            found = rows.values_list("email_id", "status", "error").first()
            if found is None or found[0] is not None or self.clock() >= ends_at:
                return found[0] if found else None
            if found[1] not in {"waiting", "pending", "unknown"}:
                raise CommandError(f"Not sent ({found[1]}): {found[2]}")
            pause = self._pause(pause, ends_at, verbosity, "waiting")

    def _follow(
        self, email_id: str, backend: EmailBackend, message: EmailMessage, ends_at: float, verbosity: int
    ) -> None:
        client = self._client(backend, message)
        seen, pause = "queued", FIRST_PAUSE
        while True:
            with failures_in_words():
                state: str = client.emails.get(email_id)["email"]["status"]
            if state != seen:
                self.stdout.write(f"{email_id} {state}")
                seen = state
            if state == "delivered":
                return
            if state not in UNDER_WAY:
                raise CommandError(f"It ended as {state}. See the e-mail at PostStack for the reason.")
            if self.clock() >= ends_at:
                raise CommandError(f"It is still {state}. Wait longer, or look at it at PostStack.")
            pause = self._pause(pause, ends_at, verbosity, state)

    def _pause(self, pause: float, ends_at: float, verbosity: int, state: str) -> float:
        if verbosity > 1:
            self.stdout.write(f"… {state}")
        self.sleep(max(0.0, min(pause, ends_at - self.clock())))
        return min(pause * 2, LONGEST_PAUSE)

    def _client(self, backend: EmailBackend, message: EmailMessage) -> PostStack:
        from poststack_django.clients import with_key_for

        with failures_in_words():
            client: Any = backend.client_for(with_key_for(message, backend.configuration))
        if not hasattr(client.emails, "get"):
            raise CommandError("The client that POSTSTACK['CLIENT'] makes can only send, so nothing can be followed.")
        checked: PostStack = client
        return checked
