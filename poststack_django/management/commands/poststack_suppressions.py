"""`manage.py poststack_suppressions`: the addresses that nothing is sent to any more."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from poststack import PostStackError
from poststack_django.choices import SuppressionReason
from poststack_django.management.access import add_mailer_option, client_called, failures_in_words, require_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

BATCH = 500


class Command(BaseCommand):
    """Shows and edits this project's own list, and copies PostStack's into it."""

    help = (
        "List the suppressed addresses, add or remove one, or pull PostStack's list into the project's own. The "
        "project keeps to its list while POSTSTACK['SUPPRESSIONS'] is on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="print address, reason and date of each, newest first")
        add = actions.add_parser("add", help="send nothing to an address any more")
        add.add_argument("address")
        add.add_argument("--reason", choices=SuppressionReason.values, default=SuppressionReason.MANUAL.value)
        remove = actions.add_parser("remove", help="send to an address again")
        remove.add_argument("address")
        remove.add_argument(
            "--also-at-poststack", action="store_true", help="remove it from PostStack's list, too, which counts there"
        )
        add_mailer_option(remove)
        pull = actions.add_parser("pull", help="add everything that is on PostStack's list")
        add_mailer_option(pull)

    def handle(self, *_: Any, action: str, verbosity: int, **options: Any) -> None:
        """Run."""
        require_tables()
        done: dict[str, Callable[..., str]] = {
            "list": self._list,
            "add": self._add,
            "remove": self._remove,
            "pull": self._pull,
        }
        with failures_in_words():
            said = done[action](**options)
        if verbosity and said:
            self.stdout.write(said)

    def _list(self, **_: Any) -> str:
        from poststack_django.models import Suppression
        from poststack_django.writing import database

        for one in Suppression.objects.using(database()).iterator(chunk_size=BATCH):
            self.stdout.write(f"{one.address}\t{one.reason}\t{one.created_at:%Y-%m-%d}")
        return ""

    def _add(self, address: str, reason: str, **_: Any) -> str:
        from poststack_django.suppressions import suppress

        return "Added." if suppress(address, reason) else "It was on the list already."

    def _remove(self, address: str, also_at_poststack: bool, mailer: str | None, **_: Any) -> str:
        from poststack_django.privacy import bare_address
        from poststack_django.suppressions import unsuppress

        if also_at_poststack:
            try:
                client_called(mailer).suppressions.remove(bare_address(address))
            except PostStackError as error:
                if error.status_code != HTTPStatus.NOT_FOUND:  # Removed there already.
                    raise
        # Ours last: if the API fails, nothing has changed.
        return "Removed." if unsuppress(address) else "It was not on the project's list."

    def _pull(self, mailer: str | None, **_: Any) -> str:
        from poststack_django.suppressions import suppress_all

        found = client_called(mailer).suppressions.iterate({"per_page": 100})
        there = added = 0
        while batch := [(one["email"], one["reason"]) for one in islice(found, BATCH)]:
            there += len(batch)
            added += suppress_all(batch)
        return f"{there} addresses at PostStack, {added} of them new here."
