"""What is right on a developer's machine and wrong where real people get mail."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import connections

from poststack_django.checks.mailers import Mailer, own_mailers, readable_settings
from poststack_django.settings import Settings

__all__ = ["check_deployment"]


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Check that mail reaches its recipients: `manage.py check --deploy`."""
    known = readable_settings()
    if known is None:
        return []
    mailers = own_mailers()
    found: list[checks.CheckMessage] = []
    for mailer in mailers:
        if _is_for_tests(mailer):
            found.append(
                checks.Error(
                    "The mailer is one for tests: it keeps every e-mail in memory, and nobody gets it.",
                    hint="Use 'poststack_django.backends.EmailBackend'.",
                    obj=mailer.name,
                    id="poststack.E007",
                )
            )
        elif _is_guarded(mailer, known):
            found.append(
                checks.Warning(
                    "The staging guard is on: mail goes to ALLOWED_RECIPIENTS or REDIRECT_TO only.",
                    hint="Take both out of POSTSTACK and of the mailer's options where mail is meant for everybody.",
                    obj=mailer.name,
                    id="poststack.W010",
                )
            )
    if any(mailer.uses_outbox for mailer in mailers) and _is_on_sqlite():
        found.append(
            checks.Info(
                "The outbox is on SQLite, which lets one process write at a time: sending waits for the drainer.",
                hint="Use PostgreSQL or MySQL where several processes send.",
                id="poststack.I002",
            )
        )
    return found


def _is_for_tests(mailer: Mailer) -> bool:
    # By name: to look at the class, the package for tests would have to be imported.
    return any(base.__module__.startswith("poststack_django.testing.") for base in mailer.backend.__mro__)


def _is_guarded(mailer: Mailer, known: Settings) -> bool:
    allowed: object = mailer.options.get("allowed_recipients", known.allowed_recipients)
    return allowed is not None or bool(mailer.options.get("redirect_to", known.redirect_to))


def _is_on_sqlite() -> bool:
    if not apps.is_installed("poststack_django"):
        return False
    from poststack_django.settling import database

    return connections[database()].vendor == "sqlite"
