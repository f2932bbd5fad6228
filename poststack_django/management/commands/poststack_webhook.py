"""`manage.py poststack_webhook`: the webhooks at PostStack that call this project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from poststack_django.management.access import add_mailer_option, client_called, failures_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import CommandParser

    from poststack import PostStack

LONGEST_GRACE = 168


class Command(BaseCommand):
    """Creates, lists, tests webhooks and rotates their secrets. A secret is printed once, and stored nowhere."""

    help = (
        "Create a webhook at PostStack, list those that there are, rotate a secret, or have a test event sent. With "
        "--verbosity 0, `create` and `rotate` print the signing secret and nothing else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="have PostStack call an address of this project")
        create.add_argument("url", help="the full address, such as https://example.com/webhooks/poststack/")
        create.add_argument(
            "--events", nargs="+", default=["*"], metavar="TYPE", help="such as email.bounced (default: all)"
        )
        listed = actions.add_parser("list", help="print id, state, address and events of each")
        rotate = actions.add_parser("rotate", help="replace the signing secret")
        rotate.add_argument("id", type=int)
        rotate.add_argument(
            "--grace-hours",
            type=int,
            metavar="N",
            help=f"how long events are signed with the old one as well, 0 to {LONGEST_GRACE} (default: 24)",
        )
        test = actions.add_parser("test", help="have PostStack send a sample event")
        test.add_argument("id", type=int)
        for action in (create, listed, rotate, test):
            add_mailer_option(action)

    def handle(self, *_: Any, action: str, mailer: str | None, **options: Any) -> None:
        """Run."""
        done: dict[str, Callable[..., None]] = {
            "create": self._create,
            "list": self._list,
            "rotate": self._rotate,
            "test": self._test,
        }
        client = client_called(mailer)
        with failures_in_words():
            done[action](client, **options)

    def _create(self, client: PostStack, *, url: str, events: list[str], verbosity: int, **_: Any) -> None:
        if not url.startswith(("https://", "http://")):
            raise CommandError("Give the full address, such as https://example.com/webhooks/poststack/.")
        made = client.webhooks.create({"url": url, "events": events})
        if verbosity:
            self.stdout.write(f"Webhook {made['webhook']['id']} is created. Its signing secret, shown this once:")
        self.stdout.write(made["signingSecret"])
        if verbosity:
            self.stdout.write(
                "Put it into the environment variable POSTSTACK_WEBHOOK_SECRETS or into "
                "POSTSTACK['WEBHOOK_SECRETS'], and restart the project."
            )

    def _list(self, client: PostStack, **_: Any) -> None:
        for one in client.webhooks.list()["webhooks"]:
            state = "active" if one["active"] else "disabled"
            self.stdout.write(f"{one['id']}\t{state}\t{one['url']}\t{' '.join(one['events'])}")

    def _rotate(self, client: PostStack, *, id: int, grace_hours: int | None, verbosity: int, **_: Any) -> None:
        if grace_hours is not None and not 0 <= grace_hours <= LONGEST_GRACE:
            raise CommandError(f"--grace-hours is from 0 to {LONGEST_GRACE}.")
        made = client.webhooks.rotate_secret(id, grace_hours=grace_hours)
        if verbosity:
            self.stdout.write(f"The new signing secret of webhook {id}, shown this once:")
        self.stdout.write(made["signingSecret"])
        if verbosity:
            until = made["webhook"]["previousSecretExpiresAt"]
            old = f"keep the old one there until {until}" if until else "take the old one out: it counts no more"
            self.stdout.write(
                f"Put it first in POSTSTACK_WEBHOOK_SECRETS or POSTSTACK['WEBHOOK_SECRETS'], {old}, and restart."
            )

    def _test(self, client: PostStack, *, id: int, verbosity: int, **_: Any) -> None:
        client.webhooks.test(id)
        if verbosity:
            self.stdout.write("PostStack sends a sample event. See its log of deliveries for the answer.")
