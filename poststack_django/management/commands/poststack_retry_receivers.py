"""`manage.py poststack_retry_receivers`: call again the receivers that have not dealt with an event."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from poststack_django.management.access import require_tables

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Calls receivers again. Any number of these may run at once; run it every few minutes."""

    help = (
        "Call again the receivers of webhook events that failed, and all receivers of events whose process died before "
        "it called them. Ends with status 1 if some still fail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--older-than",
            type=float,
            default=300.0,
            metavar="SECONDS",
            help="after how long an event that no receiver has dealt with is taken up; longer than your slowest "
            "receiver takes (default: 300)",
        )
        parser.add_argument("--limit", type=int, metavar="N", help="take up at most so many events")
        parser.add_argument(
            "--forget-missing",
            action="store_true",
            help="give up on receivers that failed and are no longer connected, such as renamed ones",
        )

    def handle(
        self, *_: Any, older_than: float, limit: int | None, forget_missing: bool, verbosity: int, **options: Any
    ) -> None:
        """Run."""
        require_tables()
        if older_than < 0 or (limit is not None and limit < 1):
            raise CommandError("--older-than is 0 or more seconds, and --limit 1 or more events.")
        from poststack_django.telling import event_of, taken_over, unfinished
        from poststack_django.webhooks import WebhookView

        handled = failed = 0
        for stored in unfinished(timedelta(seconds=older_than), limit):
            turn = taken_over(stored)
            if turn is None:  # Another process was quicker.
                continue
            if turn.tell(event_of(stored), stored.sent_email, WebhookView, forget_missing=forget_missing):
                handled += 1
                continue
            failed += 1
            if verbosity > 1:
                for failure in stored.failures:
                    self.stdout.write(f"{stored.event_id}: {failure['receiver']} failed with {failure['error']}")
        if verbosity:
            self.stdout.write(f"{handled} events dealt with, {failed} still failing.")
        if failed:
            raise CommandError(
                f"Receivers of {failed} events still fail. The log of 'poststack.django' says why; --verbosity 2 lists "
                "them."
            )
