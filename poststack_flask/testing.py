"""For tests of applications that send through PostStack: what was sent, signed webhooks, and the emulator.

    from poststack_flask.testing import post_webhook, record_messages

    def test_a_new_customer_is_welcomed(app):
        with record_messages(app) as outbox:
            app.test_client().post("/sign-up", data={"email": "ada@example.com"})

        assert outbox[0].recipients == ["ada@example.com"]
        assert post_webhook(app, "email.bounced", email_id=outbox[0].id).status_code == 200

With pytest the fixtures `flask_poststack_outbox`, `flask_poststack_webhook` and `flask_poststack` are there besides.
No other part of the package imports this one.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask

from poststack.mailbridge.configured import is_mailer
from poststack.testing import webhook_call
from poststack_flask.outlet import SUPPRESS_SEND
from poststack_flask.recording import record_messages
from poststack_flask.sent import SentAttachment, SentMessage
from poststack_flask.state import client_of, state_of
from poststack_flask.webhooks import mounted_webhook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from poststack.testing import EmulatorSession
    from poststack_flask.webhooks import MountedWebhook

__all__ = [
    "SentAttachment",
    "SentMessage",
    "emulator_session",
    "post_webhook",
    "record_messages",
    "suppressed_sending",
]


def post_webhook(
    to: Flask | FlaskClient,
    event_type: str = "email.delivered",
    *,
    email_id: str | None = None,
    recipient: str | None = None,
    path: str | None = None,
    secret: str | None = None,
    event_id: str | None = None,
    timestamp: datetime | None = None,
    data: Mapping[str, Any] | None = None,
    bad_signature: bool = False,
) -> TestResponse:
    """Post an event to an application's webhook, signed as PostStack does it, and return the answer.

    It goes to the first webhook that is mounted, or to the one at `path`, and is signed with its first secret, or with
    `secret`; `bad_signature` signs it with another one. Each call is a new event, happening now, unless you give
    `event_id` and `timestamp`. `data` is added to what the event says.

    Raises `RuntimeError` where no webhook is mounted.
    """
    client, app = (to.test_client(use_cookies=False), to) if isinstance(to, Flask) else (to, to.application)
    mounted = mounted_webhook(app, path)
    address = path or (mounted and mounted.path)
    signing = secret or (mounted and mounted.secrets[0])
    if not address or not signing:
        raise RuntimeError(
            "No webhook with a secret is mounted there. Set POSTSTACK_WEBHOOK_SECRETS in the configuration of your "
            "tests before init_app, or give `path` and `secret`."
        )
    call = webhook_call(
        event_type,
        secret=f"not {signing}" if bad_signature else signing,
        email_id=email_id,
        recipient=recipient,
        event_id=event_id,
        timestamp=timestamp,
        data=data,
    )
    return _post(client, address, mounted, call.body, dict(call.headers))


def emulator_session(app: Flask, *, fresh: bool = False) -> EmulatorSession:
    """Return the emulator in memory that an application's e-mails go to while sending is suppressed.

        emulated = emulator_session(app)
        emulated.fail(503, times=1)
        emulated.clock.advance(60)  # e-mails are delivered, and the application's webhook hears of it

    It is the same one as long as the application lives; `fresh` puts an empty one in its place. Raises `RuntimeError`
    while sending is not suppressed.
    """
    outlet = state_of(app).outlet
    if is_mailer(client_of(app)):
        raise RuntimeError(
            "This application sends through another provider, which the emulator does not stand in for. "
            "`record_messages` has what it sends."
        )
    if not outlet.suppressed:
        raise RuntimeError(
            "This application sends for real, or through a transport of its own, so no emulator has its e-mails. Set "
            "TESTING, or POSTSTACK_SUPPRESS_SEND."
        )
    if fresh:
        outlet.forget_session()
    session = outlet.session
    mounted = mounted_webhook(app)
    if mounted is not None:
        address = f"https://application.test{mounted.path}"
        if all(known.url != address for known in session.emulator.store.webhooks.all()):

            def receive(body: bytes, headers: dict[str, str]) -> int:
                return _post(app.test_client(use_cookies=False), mounted.path, mounted, body, headers).status_code

            session.on_webhook(receive, secret=mounted.secrets[0], url=address)
    return session


@contextmanager
def suppressed_sending(app: Flask) -> Generator[None]:
    """Let nothing leave the process inside the block, unless the application has chosen otherwise.

    It has when it was given a transport of its own, or when POSTSTACK_SUPPRESS_SEND is set.
    """
    if not state_of(app).outlet.suppressible:
        yield
        return
    app.config[SUPPRESS_SEND] = True
    try:
        yield
    finally:
        app.config[SUPPRESS_SEND] = None


def _post(
    client: FlaskClient, path: str, mounted: MountedWebhook | None, body: bytes, headers: dict[str, str]
) -> TestResponse:
    # Over HTTPS, as PostStack does: an application may redirect everything else.
    subdomain = mounted.subdomain if mounted else None
    return client.post(path, data=body, headers=headers, url_scheme="https", subdomain=subdomain)
