"""Whether what the settings want stored can be, and is not kept for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.core import checks

from poststack_django.checks.mailers import readable_settings

__all__ = ["check_storage"]


def check_storage(**_: Any) -> list[checks.CheckMessage]:
    """Check that rows can be stored where the settings want them, and that stored bodies are deleted some day."""
    known = readable_settings()
    if known is None:
        return []
    found: list[checks.CheckMessage] = []
    installed = apps.is_installed("poststack_django")
    given = cast("Mapping[str, Any]", getattr(settings, "POSTSTACK", None) or {})
    wanting = [key for key in ("RECORD", "STORE_BODIES", "SUPPRESSIONS") if given.get(key) is True]
    if wanting and not (installed and known.record):
        found.append(
            checks.Warning(
                f"POSTSTACK[{wanting[0]!r}] is on, and no rows are stored, so it has no effect.",
                hint="Do not set POSTSTACK['RECORD'] to False."
                if installed
                else "Add 'poststack_django' to INSTALLED_APPS and run `manage.py migrate`.",
                id="poststack.W005",
            )
        )
    if installed and known.record and not settings.USE_TZ:
        found.append(
            checks.Error(
                "USE_TZ is False, and the rows of poststack_django hold moments of other time zones, which some "
                "databases then refuse.",
                hint="Set USE_TZ = True, Django's default, or POSTSTACK = {'RECORD': False}.",
                id="poststack.E004",
            )
        )
    if known.store_bodies and known.retention_days is None:
        found.append(
            checks.Warning(
                "STORE_BODIES keeps the content of every e-mail, password resets included, and nothing deletes it.",
                hint="Set POSTSTACK['RETENTION_DAYS'], and run `manage.py poststack_prune` daily.",
                id="poststack.W009",
            )
        )
    return found
