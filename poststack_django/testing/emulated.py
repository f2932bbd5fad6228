"""The emulator in memory behind a whole project: its mailers send to it, and it calls the project's webhook."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings as django_settings
from django.test import Client
from django.test.utils import override_settings

from poststack_django.settings import get_settings
from poststack_django.testing.mailers import mailer_settings
from poststack_django.testing.webhooks import mounted_path, mounted_secrets, post

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession, Settings

__all__ = ["emulated_poststack", "emulated_settings"]

REAL_BACKEND: Final = "poststack_django.backends.EmailBackend"
SECRET: Final = "whsec_test_of_the_emulated_project"  # noqa: S105  # a made-up secret for tests


@contextmanager
def emulated_poststack(
    backend: str = REAL_BACKEND,
    *,
    settings: Settings | None = None,
    start: datetime | None = None,
    path: str | None = None,
    webhook: bool = True,
    max_retries: int = 0,
) -> Generator[EmulatorSession]:
    """Put the emulator in memory behind the project for a block; no sockets, no waiting.

        with emulated_poststack() as post:
            welcome(customer)
            post.clock.advance(60)
            assert SentEmail.objects.get().status == "delivered"

    Every mailer sends by the real backend to it, and it calls the project's own webhook view while its clock advances.
    `settings` are the emulator's, `start` is what its clock shows at first, by default the present. `path` is where
    your view is, if not where `poststack_django.urls` is mounted; with `webhook=False` none is called. Retries of the
    client, none by default, advance the clock.
    """
    from poststack.testing import emulator

    with emulator(settings, start=start or datetime.now(timezone.utc)) as session:
        overrides = emulated_settings(session, backend, path=path, webhook=webhook, max_retries=max_retries)
        with override_settings(**overrides):
            yield session


def emulated_settings(
    session: EmulatorSession,
    backend: str = REAL_BACKEND,
    *,
    path: str | None = None,
    webhook: bool = True,
    max_retries: int = 0,
) -> dict[str, Any]:
    """Return the settings that make a project send to an emulator, whose webhooks call the project from now on."""
    poststack: dict[str, Any] = dict(getattr(django_settings, "POSTSTACK", None) or {})
    deadline = get_settings().client.deadline
    # Its clients are the emulator's, so that the key and the address of the real service are out of reach.
    for name in ("PROVIDER", "PROVIDER_OPTIONS"):
        poststack.pop(name, None)
    poststack["CLIENT"] = lambda: session.client(max_retries=max_retries, deadline=deadline)
    if webhook:
        address = path or mounted_path()
        secrets = mounted_secrets(address)
        if not secrets:
            secrets = poststack["WEBHOOK_SECRETS"] = [SECRET]
        session.on_webhook(_posting_to(address), secret=secrets[0])
    return {**mailer_settings(backend, None, {}), "POSTSTACK": poststack}


def _posting_to(path: str) -> Callable[[bytes, dict[str, str]], int]:
    # A view that raises is answered with 500 and logged, as on a server.
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def receive(body: bytes, headers: dict[str, str]) -> int:
        return post(client, path, body, headers).status_code

    return receive
