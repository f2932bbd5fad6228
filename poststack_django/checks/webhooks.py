"""Whether the webhook can tell PostStack's calls from everybody else's."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.urls import resolve, reverse

from poststack_django.checks.mailers import readable_settings

__all__ = ["check_webhooks"]

SHORTEST_SECRET: Final = 16


def check_webhooks(**_: Any) -> list[checks.CheckMessage]:
    """Check the signing secrets of the address that `poststack_django.urls` mounts."""
    known = readable_settings()
    if known is None or not getattr(settings, "ROOT_URLCONF", None):  # A project of workers and commands only.
        return []
    try:
        view = resolve(reverse("poststack:webhook")).func
    except Exception:  # noqa: BLE001  # not mounted; or the project's addresses are broken, which Django reports
        return []
    options: dict[str, Any] = getattr(view, "view_initkwargs", {})
    if options.get("source") is not None:  # It checks its own settings, when it is made.
        return []
    secrets = options.get("secrets") or known.webhook_secrets
    if not secrets:
        return [
            checks.Warning(
                "The PostStack webhook is mounted without a signing secret, so every call is refused.",
                hint="Set POSTSTACK = {'WEBHOOK_SECRETS': ['…']}, or POSTSTACK_WEBHOOK_SECRETS in the environment.",
                id="poststack.W001",
            )
        ]
    if any(len(secret) < SHORTEST_SECRET for secret in ([secrets] if isinstance(secrets, str) else secrets)):
        hint = "Use the secret that PostStack made, or rotate the webhook's secret."
        text = f"A PostStack webhook secret has fewer than {SHORTEST_SECRET} characters."
        return [checks.Warning(text, hint=hint, id="poststack.W002")]
    return []
