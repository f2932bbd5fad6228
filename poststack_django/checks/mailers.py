"""The project's mailers that are of this package. Nothing here makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.muted import muted_deprecations
from poststack_django.settings import Settings, get_settings

__all__ = ["Mailer", "own_mailers", "readable_settings"]


@dataclass(frozen=True)
class Mailer:
    """One that sends through PostStack."""

    name: str
    """How the settings name it."""
    alias: str | None
    backend: type[EmailBackend]
    options: Mapping[str, Any] = field(repr=False)
    make: Callable[[], EmailBackend] = field(repr=False)

    @property
    def uses_outbox(self) -> bool:
        """Whether it writes into the outbox."""
        return issubclass(self.backend, OutboxEmailBackend)


def own_mailers() -> list[Mailer]:
    """Return them. Django's test runner has put others in their place, so there are none in a test run."""
    mailers: Any = getattr(mail, "mailers", None)
    if mailers is None or not hasattr(settings, "MAILERS"):
        with muted_deprecations():
            backend = _own_class(settings.EMAIL_BACKEND)
        return [] if backend is None else [Mailer("EMAIL_BACKEND", None, backend, {}, backend)]
    found: list[Mailer] = []
    for alias, entry in _as_mapping(settings.MAILERS).items():
        given = _as_mapping(entry)
        backend = _own_class(given.get("BACKEND"))
        if backend is not None:
            options = _as_mapping(given.get("OPTIONS"))
            found.append(
                Mailer(f"MAILERS[{alias!r}]", alias, backend, options, lambda alias=alias: mailers[alias])  # type: ignore[misc]
            )
    return found


def readable_settings() -> Settings | None:
    """Return the settings, `None` when they are wrong, which a check of its own reports."""
    try:
        return get_settings()
    except ImproperlyConfigured:
        return None


def _own_class(path: object) -> type[EmailBackend] | None:
    try:
        found: object = import_string(path) if isinstance(path, str) else None
    except Exception:  # noqa: BLE001  # the module of somebody else's backend may raise anything
        return None
    return found if isinstance(found, type) and issubclass(found, EmailBackend) else None


def _as_mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
