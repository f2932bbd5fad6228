"""Another mailer for the length of a test, whichever way this Django names them."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.core import mail
from django.test.utils import TestContextDecorator, override_settings

from poststack_django.muted import muted_deprecations
from poststack_django.settings import ClientSettings, Settings

__all__ = ["TEST_BACKEND", "mailer_settings", "override_mailer"]

TEST_BACKEND: Final = "poststack_django.testing.EmailBackend"

TestClass = TypeVar("TestClass", bound=type)

_OF_THE_CLIENT: Final = (frozenset(one.name for one in fields(ClientSettings)) - {"factory"}) | {"provider_options"}
_OF_THE_SETTING: Final = (frozenset(one.name for one in fields(Settings)) - {"client"}) | _OF_THE_CLIENT


class override_mailer(TestContextDecorator):  # noqa: N801  # named like Django's override_settings
    """Replace a mailer: as a context manager, or as the decorator of a function or of a test class.

        @override_mailer()
        class OrderTests(TestCase): ...

        with override_mailer("poststack_django.backends.EmailBackend", base_url="http://127.0.0.1:8025"): ...

    Without a backend it is the test mailer. `alias` names one of `MAILERS`, `None` means all of them; the options are
    its `OPTIONS`. Django 6.0 and older have one mailer only, and there the options go into `POSTSTACK`. A decorated
    class has the mailer from `setUpClass` on.
    """

    def __init__(self, backend: str = TEST_BACKEND, alias: str | None = "default", **options: Any) -> None:
        super().__init__()
        self.backend = backend
        self.alias = alias
        self.options = options
        self._enabled: list[override_settings] = []

    def enable(self) -> None:
        """Replace it."""
        # Read now, not when a class is decorated: the test runner replaces the mailers in between.
        override = override_settings(**mailer_settings(self.backend, self.alias, self.options))
        override.enable()
        self._enabled.append(override)

    def disable(self) -> None:
        """Bring back what was there."""
        self._enabled.pop().disable()

    def decorate_class(self, cls: TestClass) -> TestClass:
        """Replace the mailer for a test class."""
        if not issubclass(cls, unittest.TestCase):
            raise TypeError("Only functions and subclasses of unittest.TestCase can be decorated with override_mailer.")
        own: Any = cast("Any", cls).setUpClass.__func__

        def set_up_class(inner: type[unittest.TestCase]) -> None:
            self.enable()
            inner.addClassCleanup(self.disable)
            own(inner)

        cast("Any", cls).setUpClass = classmethod(set_up_class)
        return cls


def mailer_settings(backend: str, alias: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that make this backend the mailer. Raises `ValueError` for what this Django cannot have."""
    if hasattr(mail, "mailers"):
        mailers: dict[str, Any] = getattr(settings, "MAILERS", None) or {"default": {"BACKEND": _email_backend()}}
        entry = {"BACKEND": backend, "OPTIONS": dict(options)} if options else {"BACKEND": backend}
        return {"MAILERS": {**mailers, **dict.fromkeys(mailers if alias is None else [alias], entry)}}
    if alias not in {None, "default"}:
        raise ValueError(f"This version of Django has one mailer, and none called {alias!r}. Leave `alias` out.")
    if not options:
        return {"EMAIL_BACKEND": backend}
    if unknown := sorted(options.keys() - _OF_THE_SETTING):
        raise ValueError(f"{unknown[0]!r} is no key of POSTSTACK, and this version of Django has no MAILERS for it.")
    poststack: dict[str, Any] = dict(getattr(settings, "POSTSTACK", None) or {})
    if options.keys() & _OF_THE_CLIENT:
        # As in MAILERS: a mailer with options of its own has a client of its own.
        poststack.pop("CLIENT", None)
    if "api_key" in options:
        for name in ("PROVIDER", "PROVIDER_OPTIONS"):
            poststack.pop(name, None)
    for name, value in options.items():
        before = poststack.get(name.upper())
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        poststack[name.upper()] = {**cast("dict[str, Any]", before), **value} if both else value
    return {"EMAIL_BACKEND": backend, "POSTSTACK": poststack}


def _email_backend() -> str:
    with muted_deprecations():
        path: str = settings.EMAIL_BACKEND
    return path
