"""`manage.py poststack_outbox`: send what is in the outbox."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from poststack_django.database import is_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Sends e-mails of the outbox until it is told to stop. Any number of these may run at once."""

    help = (
        "Send the e-mails that poststack_django.backends.OutboxEmailBackend has stored. Runs until SIGTERM or Ctrl-C, "
        "which end it after the call in hand. Run as many as you like."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--once", action="store_true", help="send what is due now, then end")

    def handle(self, *_: Any, once: bool, verbosity: int, **options: Any) -> None:
        """Run."""
        if not is_recording():
            raise CommandError(
                "There is no outbox: add 'poststack_django' to INSTALLED_APPS, and do not set POSTSTACK['RECORD'] to "
                "False."
            )
        from poststack_django.outbox.delivering import drain
        from poststack_django.outbox.drainer import Drainer

        if once:
            done = drain()
        else:
            with Drainer() as drainer:
                self._stop_on_signals(drainer.stop)
                if verbosity:
                    self.stdout.write("Sending what is in the outbox. Stop with Ctrl-C.")
                done = drainer.run()
        if verbosity:
            self.stdout.write(f"{done.sent} sent, {done.put_off} put off, {done.given_up} given up.")

    def _stop_on_signals(self, stop: Callable[[], None]) -> None:
        # Tests run commands in threads, where no handler can be set.
        if threading.current_thread() is not threading.main_thread():
            return

        def stop_on(number: int, frame: FrameType | None) -> None:
            stop()

        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:  # Windows has no SIGHUP.
                signal.signal(number, stop_on)
