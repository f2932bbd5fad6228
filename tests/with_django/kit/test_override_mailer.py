"""Another mailer for a block, a function or a class, on every Django."""

from __future__ import annotations

import unittest
import warnings
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import send_mail
from django.test import SimpleTestCase, override_settings

from poststack_django.settings import get_settings
from poststack_django.testing import override_mailer
from tests.with_django.api import BACKEND, HAS_MAILERS, configured

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


def name_of_the_mailer() -> str:
    """The backend that `send_mail` takes now, without a warning."""
    mailers: Any = getattr(mail, "mailers", None)
    made = mailers.default if mailers else mail.get_connection()
    return type(made).__module__


def test_it_replaces_the_mailer_and_brings_it_back() -> None:
    before = name_of_the_mailer()
    with override_mailer(BACKEND):
        assert name_of_the_mailer() == "poststack_django.backends.email"
        with override_mailer():
            assert name_of_the_mailer() == "poststack_django.testing.backend"
        assert name_of_the_mailer() == "poststack_django.backends.email"
    assert name_of_the_mailer() == before


def test_it_brings_it_back_after_an_exception() -> None:
    before = name_of_the_mailer()
    with pytest.raises(ZeroDivisionError), override_mailer(BACKEND):
        raise ZeroDivisionError

    assert name_of_the_mailer() == before
    assert not hasattr(django_settings, "MAILERS")


@override_mailer()
def test_it_decorates_functions() -> None:
    assert name_of_the_mailer() == "poststack_django.testing.backend"


def test_it_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with override_mailer():
            assert send_mail("Hi", "x", "a@example.com", ["b@example.com"]) == 1
        for alias in ("default", None):
            with override_mailer(alias=alias):
                pass


def ran(case: type[unittest.TestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert (result.errors, result.failures) == ([], [])
    return result


@pytest.mark.parametrize("base", [SimpleTestCase, unittest.TestCase])
def test_it_decorates_test_classes(base: type[unittest.TestCase]) -> None:
    seen: list[str] = []

    @override_mailer()
    class Case(base):  # type: ignore[misc,valid-type]
        @classmethod
        def setUpClass(cls) -> None:
            super().setUpClass()
            seen.append(name_of_the_mailer())

        def test_one(self) -> None:
            seen.append(name_of_the_mailer())

    class Derived(Case):
        pass

    for case in (Case, Derived):
        assert ran(case).testsRun == 1
    assert seen == ["poststack_django.testing.backend"] * 4
    assert name_of_the_mailer() == LOCMEM.rpartition(".")[0]


def test_other_classes_cannot_be_decorated() -> None:
    with pytest.raises(TypeError, match=r"unittest\.TestCase"):
        override_mailer()(type("Plain", (), {}))


def test_options(settings: Any) -> None:
    settings.POSTSTACK = {"CLIENT": "tests.with_django.test_settings.factory", "SEND_DEFAULTS": {"tags": ["a"]}}
    options: dict[str, Any] = {"api_key": "sk_test_own", "deadline": None, "send_defaults": {"unsubscribe": True}}
    with override_mailer(BACKEND, **options):
        made: Any = mail.mailers.default if HAS_MAILERS else mail.get_connection()

        assert (made.configuration.api_key, made.configuration.deadline) == ("sk_test_own", None)
        assert made.configuration.factory is None
        assert made.rules.defaults == {"tags": ["a"], "unsubscribe": True}
    assert get_settings().client.factory is not None


@pytest.mark.skipif(HAS_MAILERS, reason="Django 6.1 and later have MAILERS")
def test_what_a_django_without_mailers_cannot_have() -> None:
    unknown: list[dict[str, Any]] = [{"alias": "bulk"}, {"fail_silently": True}]
    for arguments in unknown:
        with pytest.raises(ValueError, match=r"version of Django"), override_mailer(BACKEND, **arguments):
            pass


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_one_mailer_of_several_or_all() -> None:
    several = {alias: {"BACKEND": LOCMEM} for alias in ("default", "bulk")}
    with override_settings(MAILERS=several):
        with override_mailer(alias="bulk", fail_silently=True):
            assert django_settings.MAILERS["default"] == {"BACKEND": LOCMEM}
            assert mail.mailers["bulk"].fail_silently
            assert send_mail("Hi", "x", "a@example.com", ["b@example.com"], using="bulk") == 1
            assert vars(mail.outbox[0])["sent_using"] == "bulk"
        with override_mailer(alias=None):
            assert {made["BACKEND"] for made in django_settings.MAILERS.values()} == {
                "poststack_django.testing.EmailBackend"
            }
        assert several == django_settings.MAILERS


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_a_project_without_mailers_keeps_its_default() -> None:
    with configured("EMAIL_BACKEND"), override_mailer(alias="bulk"):
        assert django_settings.MAILERS["default"] == {"BACKEND": BACKEND}
