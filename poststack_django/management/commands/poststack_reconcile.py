"""`manage.py poststack_reconcile`: find out what became of e-mails whose webhooks never came."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from poststack_django.database import is_recording

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from poststack_django.sweeping import Reconciled

__all__ = ["Command"]


class Command(BaseCommand):
    """Ask about e-mails under way, and send those again whose call was never confirmed. Prints counts."""

    help = (
        "Asks PostStack what became of the e-mails that are under way, for webhooks that never came, and sends e-mails "
        "whose call was never confirmed again with the same key, which cannot double them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the limits."""
        parser.add_argument(
            "--older-than",
            type=_number,
            default=600.0,
            metavar="SECONDS",
            help="leave younger e-mails to their webhooks (default: 600)",
        )
        parser.add_argument(
            "--days", type=_number, default=3.0, metavar="N", help="leave e-mails older than this alone (default: 3)"
        )
        parser.add_argument("--limit", type=int, metavar="N", help="at most so many e-mails, oldest first")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        if not is_recording():
            raise CommandError(
                "Nothing is stored, so there is nothing to ask about. Add 'poststack_django' to INSTALLED_APPS and "
                "leave POSTSTACK['RECORD'] on."
            )
        limit: int | None = options["limit"]
        if limit is not None and limit < 1:
            raise CommandError("--limit is 1 or more.")
        from poststack_django.sweeping import reconcile

        done = reconcile(older_than=options["older_than"], days=options["days"], limit=limit)
        self.stdout.write(_counts(done))
        if done.left:
            self.stdout.write(
                f"{done.left} unconfirmed left alone: without stored content (POSTSTACK['STORE_BODIES']), older than "
                "OUTBOX['HORIZON'], or at a provider that minds no keys, they cannot be sent again without the risk of "
                "doubling them."
            )
        if done.failed:
            self.stderr.write(f"{done.failed} failed; the log says which, and why.")
        if done.retry_after is not None:
            self.stderr.write(
                f"Stopped: PostStack asks to wait{f' {done.retry_after:g} seconds' if done.retry_after else ''}. "
                "Run the command again later; it begins with what is left."
            )


def _counts(done: Reconciled) -> str:
    return (
        f"{done.asked} asked about, {done.changed} changed, {done.gone} no longer at PostStack, "
        f"{done.sent_again} sent again, {done.failed} failed."
    )


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 10**9:
        raise ArgumentTypeError("a number, 0 or more")
    return number
