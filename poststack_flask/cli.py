"""The commands `flask poststack …`."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import click
from flask.cli import AppGroup

from poststack import PostStackError
from poststack.mailbridge.configured import is_mailer
from poststack.mime import address_from
from poststack_flask.state import app_at_work, client_of, state_of
from poststack_flask.webhooks import mounted_webhook

if TYPE_CHECKING:
    from poststack import PostStack
    from poststack.mailbridge import Mailer
    from poststack.types import Webhook

__all__ = ["commands"]

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
UNDER_WAY: Final = frozenset({"queued", "sending", "deferred"})
LONGEST_GRACE: Final = 168

commands: Final = AppGroup("poststack", help="Send a test e-mail, look after webhooks, run the emulator.")


@commands.command("send-test")
@click.argument("address")
@click.option("--from", "sender", metavar="ADDRESS", help="The sender; by default POSTSTACK_DEFAULT_SENDER.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Follow it for so long.")
def send_test(address: str, sender: str | None, wait: float) -> None:
    """Send a short e-mail as the application would; print its id and its status."""
    from_ = sender or state_of(app_at_work()).settings.default_sender
    if not from_:
        raise click.ClickException("Nobody to send it from: give --from ADDRESS, or set POSTSTACK_DEFAULT_SENDER.")
    client = _client()
    if wait and is_mailer(client):
        raise click.ClickException(f"--wait asks PostStack, and {_provider(client)} cannot be asked. Leave it out.")
    with _failures_in_words():
        sent = client.emails.send(
            {
                "from": address_from(from_, "from"),
                "to": [address],
                "subject": "PostStack works",
                "text": "This e-mail was sent by flask poststack send-test.",
            }
        )
    click.echo(f"{sent['id']} {'accepted by ' + sent['provider'] if 'provider' in sent else 'queued'}")
    if wait:
        _follow(sent["id"], wait)


@commands.group("webhook")
def webhook() -> None:
    """Look after the webhooks at PostStack that call this application."""


@webhook.command("create")
@click.argument("url")
@click.option("--events", multiple=True, metavar="TYPE", help="Such as email.bounced; may be repeated (default: all).")
@click.option("--quiet", is_flag=True, help="Print the signing secret and nothing else.")
def create(url: str, events: tuple[str, ...], quiet: bool) -> None:
    """Have PostStack call URL, the full address of this application's webhook. The secret is shown once."""
    if not url.startswith(("https://", "http://")):
        raise click.ClickException("Give the full address, such as https://example.com/webhooks/poststack.")
    with _failures_in_words():
        made = _poststack().webhooks.create({"url": url, "events": list(events) or ["*"]})
    if not quiet:
        click.echo(f"Webhook {made['webhook']['id']} is created. Its signing secret, shown this once:")
    click.echo(made["signingSecret"])
    if not quiet:
        click.echo("Put it into POSTSTACK_WEBHOOK_SECRETS, and restart the application.")


@webhook.command("list")
def list_webhooks() -> None:
    """Print id, state, address and events of each webhook."""
    with _failures_in_words():
        webhooks = _poststack().webhooks.list()["webhooks"]
    for one in webhooks:
        click.echo(f"{one['id']}\t{_state(one)}\t{one['url']}\t{' '.join(one['events'])}")


@webhook.command("rotate")
@click.argument("webhook_id", metavar="ID", type=int)
@click.option(
    "--grace-hours",
    type=click.IntRange(0, LONGEST_GRACE),
    metavar="N",
    help=f"How long events are signed with the old one as well, 0 to {LONGEST_GRACE} (default: 24).",
)
@click.option("--quiet", is_flag=True, help="Print the signing secret and nothing else.")
def rotate(webhook_id: int, grace_hours: int | None, quiet: bool) -> None:
    """Replace the signing secret of a webhook. The new one is shown once."""
    with _failures_in_words():
        made = _poststack().webhooks.rotate_secret(webhook_id, grace_hours=grace_hours)
    if not quiet:
        click.echo(f"The new signing secret of webhook {webhook_id}, shown this once:")
    click.echo(made["signingSecret"])
    if not quiet:
        until = made["webhook"]["previousSecretExpiresAt"]
        old = f"keep the old one there until {until}" if until else "take the old one out: it counts no more"
        click.echo(f"Put it first in POSTSTACK_WEBHOOK_SECRETS, {old}, and restart.")


@webhook.command("delete")
@click.argument("webhook_id", metavar="ID", type=int)
@click.confirmation_option(prompt="PostStack will call it no more. Delete it?")
def delete(webhook_id: int) -> None:
    """Delete a webhook."""
    with _failures_in_words():
        _poststack().webhooks.delete(webhook_id)
    click.echo(f"Webhook {webhook_id} is deleted.")


@webhook.command("test")
@click.argument("webhook_id", metavar="ID", type=int)
def test(webhook_id: int) -> None:
    """Have PostStack send a sample event."""
    with _failures_in_words():
        _poststack().webhooks.test(webhook_id)
    click.echo("PostStack sends a sample event. See its log of deliveries for the answer.")


@commands.command("emulator", context_settings={"ignore_unknown_options": True})
@click.option("--app-url", metavar="URL", help="Where this application runs (default: where `flask run` does).")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[EMULATOR OPTIONS]")
def emulator(app_url: str | None, options: tuple[str, ...]) -> None:
    """Run PostStack on this machine, with an inbox. Its webhooks call this application.

    EMULATOR OPTIONS are those of `poststack emulator`, such as --port and --data.
    """
    from poststack.cli import main

    mounted = mounted_webhook(app_at_work())
    given = any(option.partition("=")[0] in {"--webhook", "--webhook-secret"} for option in options)
    webhook_options: list[str] = []
    if mounted is None and not given:
        click.echo("No webhook is mounted, so nobody is told of events. Set POSTSTACK_WEBHOOK_SECRETS.", err=True)
    elif mounted is not None and not given:
        address = (app_url or _address_of_flask_run()).rstrip("/") + mounted.path
        webhook_options = ["--webhook", address, "--webhook-secret", mounted.secrets[0]]
        click.echo(f"Webhooks call {address}")
    click.get_current_context().exit(main(["emulator", *webhook_options, *options]))


def _poststack() -> PostStack:
    client = _client()
    if is_mailer(client):
        raise click.ClickException(
            f"This application sends through {_provider(client)}, whose webhooks are set up there, and not by this "
            "command."
        )
    return cast("PostStack", client)


def _provider(client: object) -> str:
    return " and ".join(cast("Mailer", client).providers)


def _client() -> PostStack | Mailer:
    app = app_at_work()
    if state_of(app).outlet.suppressed:
        click.echo("TESTING or POSTSTACK_SUPPRESS_SEND is set, so nothing leaves this process.", err=True)
    return client_of(app)


def _follow(email_id: str, wait: float) -> None:
    # The client's own clock: that of the emulator, where there is one in memory.
    app = app_at_work()
    client, clock = cast("PostStack", client_of(app)), state_of(app).clock
    ends_at = clock.monotonic() + wait
    seen, pause = "queued", FIRST_PAUSE
    while True:
        with _failures_in_words():
            status = client.emails.get(email_id)["email"]["status"]
        if status != seen:
            click.echo(f"{email_id} {status}")
            seen = status
        if status == "delivered":
            return
        if status not in UNDER_WAY:
            raise click.ClickException(f"It ended as {status}. See the e-mail at PostStack for the reason.")
        left = ends_at - clock.monotonic()
        if left <= 0:
            raise click.ClickException(f"It is still {status}. Wait longer, or look at it at PostStack.")
        clock.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)


def _state(one: Webhook) -> str:
    return "active" if one["active"] else "disabled"


def _address_of_flask_run() -> str:
    return f"http://{os.environ.get('FLASK_RUN_HOST', '127.0.0.1')}:{os.environ.get('FLASK_RUN_PORT', '5000')}"


@contextmanager
def _failures_in_words() -> Generator[None]:
    try:
        yield
    except PostStackError as error:
        facts = [f"status {error.status_code}"] if error.status_code else []
        facts += [f"request {error.request_id}"] if error.request_id else []
        about = f" ({', '.join(facts)})" if facts else ""
        raise click.ClickException(f"PostStack: {error}{about} {_advice(error)}".rstrip()) from error
    except (ValueError, ImportError) as error:
        raise click.ClickException(str(error)) from error


def _advice(error: PostStackError) -> str:
    if error.status_code in {401, 403}:
        return "Check POSTSTACK_API_KEY: it must be a key of this account, and allowed to do this."
    if error.status_code == 0:
        return "Check POSTSTACK_BASE_URL, and whether this machine may connect to it."
    if error.quota_exceeded:
        return "The sending quota is used up."
    return "Try again later." if error.transient else ""
