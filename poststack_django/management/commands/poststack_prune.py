"""`manage.py poststack_prune`: delete what has been stored for long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from poststack_django.management.access import failures_in_words, require_tables
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from datetime import datetime

    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Deletes old rows in batches. Run it daily; an interrupted run is made up for by the next."""

    help = (
        "Delete e-mails that are at an end, with their events, and events that belong to none, older than so many "
        "days. What the outbox may still send, and what is pending or scheduled, is never deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--days", type=int, metavar="N", help="default: POSTSTACK['RETENTION_DAYS']")
        parser.add_argument(
            "--content-days", type=int, metavar="N", help="delete the stored contents of e-mails older than this"
        )
        parser.add_argument("--batch", type=int, default=500, metavar="N", help="rows a transaction (default: 500)")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument(
            "--also-unfinished",
            action="store_true",
            help="delete old e-mails of which no end is known, too, as in a project without a webhook",
        )

    def handle(
        self,
        *_: Any,
        days: int | None,
        content_days: int | None,
        batch: int,
        dry_run: bool,
        also_unfinished: bool,
        verbosity: int,
        **options: Any,
    ) -> None:
        """Run."""
        require_tables()
        from poststack_django.retention import prune, prune_contents

        with failures_in_words():
            days = get_settings().retention_days if days is None else days
        if days is None and content_days is None:
            raise CommandError("Give --days N, or set POSTSTACK = {'RETENTION_DAYS': N}.")
        for value in (days, content_days, batch):
            if value is not None and value < 1:
                raise CommandError("--days, --content-days and --batch are 1 or more.")
        said: list[str] = []
        if content_days is not None:
            done = prune_contents(_before(content_days), batch=batch, dry_run=dry_run)
            said.append(f"{done.contents} contents")
        if days is not None:
            done = prune(_before(days), batch=batch, dry_run=dry_run, also_unfinished=also_unfinished)
            said.append(f"{done.emails} e-mails and {done.events} events")
            if done.protected:
                self.stderr.write(f"{done.protected} e-mails stay: rows of this project's own protect them.")
            if done.unfinished and verbosity:
                self.stderr.write(f"{done.unfinished} old e-mails of no known end stay. See --also-unfinished.")
        if not dry_run:
            # Notes of their own: how long e-mails are kept says nothing of how long their keys may be used.
            from poststack_django.provider_keys import prune_keys

            prune_keys()
        if verbosity:
            self.stdout.write(f"{' and '.join(said)} {'would be' if dry_run else 'were'} deleted.")


def _before(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
