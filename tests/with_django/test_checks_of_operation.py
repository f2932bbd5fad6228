"""What `manage.py check` says about rows, the outbox, reports and deployments; and that the lists of ids are true."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.test import override_settings
from django.utils.log import AdminEmailHandler

import poststack_django.checks
from poststack_django import checks as our_checks
from poststack_django.checks import check_deployment, check_outbox, check_reports, check_storage
from poststack_django.testing import override_mailer
from tests.with_django.api import BACKEND, HAS_MAILERS

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTBOX = "poststack_django.backends.OutboxEmailBackend"
ROOT = Path(__file__).parents[2]
ALL = [getattr(our_checks, name) for name in our_checks.__all__ if name.startswith("check_")]


def ids(found: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def no_module(name: str) -> None:
    """Find nothing."""


@pytest.fixture
def _no_app(settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "poststack_django"]
    assert not apps.is_installed("poststack_django")


@pytest.fixture
def _outbox(settings: Any) -> Iterator[None]:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    with override_mailer(OUTBOX):
        yield


# The lists


def table_of(text: str) -> list[str]:
    return re.findall(r"^\| `(poststack\.[EWI]\d{3})` \|", text, re.MULTILINE)


def test_the_code_and_both_tables_have_the_same_ids() -> None:
    sources = Path(poststack_django.checks.__file__).parent.glob("*.py")
    used = {found for source in sources for found in re.findall(r'id="(poststack\.\w+)"', source.read_text("utf-8"))}
    documented = table_of((ROOT / "docs" / "django.md").read_text("utf-8"))

    assert table_of(our_checks.__doc__ or "") == documented == sorted(used, key=lambda one: ("EWI".index(one[10]), one))


def test_all_are_registered() -> None:
    registry: Any = checks.registry.registry

    assert set(ALL) <= set(registry.get_checks(include_deployment_checks=True))
    assert check_deployment not in registry.get_checks()
    assert {tag for check in ALL for tag in check.tags} == {"mail", "security"}


@pytest.mark.parametrize("poststack", [None, {"API_KEYS": 1}, {"RECORD": False}, {}])
def test_no_check_raises_warns_or_finds_fault_with_a_test_run(settings: Any, poststack: object) -> None:
    settings.POSTSTACK = poststack
    settings.ADMINS = ["admin@example.com"] if HAS_MAILERS else [("Admin", "admin@example.com")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [one for check in ALL for one in check(app_configs=None)]

    assert set(ids(found)) <= {"poststack.E001", "poststack.W001"}


def test_manage_py_runs_them(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.POSTSTACK = {"STORE_BODIES": True}
    call_command("check", "--tag", "mail")

    assert "poststack.W009" in capsys.readouterr().err


# Rows


@pytest.mark.usefixtures("_no_app")
@pytest.mark.parametrize(
    ("poststack", "found"),
    [
        ({}, []),
        ({"RECORD": False}, []),
        ({"RECORD": True}, ["poststack.W005"]),
        ({"SUPPRESSIONS": True}, ["poststack.W005"]),
    ],
)
def test_rows_are_wanted_and_the_app_is_missing(settings: Any, poststack: dict[str, Any], found: list[str]) -> None:
    settings.POSTSTACK = poststack

    assert ids(check_storage()) == found
    assert all("INSTALLED_APPS" in str(one.hint) for one in check_storage())


def test_suppressions_need_rows(settings: Any) -> None:
    settings.POSTSTACK = {"SUPPRESSIONS": True, "RECORD": False}
    (warning,) = check_storage()

    assert (warning.id, "RECORD" in str(warning.hint)) == ("poststack.W005", True)


def test_bodies_without_an_end(settings: Any) -> None:
    settings.POSTSTACK = {"STORE_BODIES": True}
    assert ids(check_storage()) == ["poststack.W009"]

    settings.POSTSTACK = {"STORE_BODIES": True, "RETENTION_DAYS": 30}
    assert check_storage() == []


@pytest.mark.parametrize(("record", "found"), [(True, ["poststack.E004"]), (False, [])])
def test_rows_need_time_zones(settings: Any, record: bool, found: list[str]) -> None:
    settings.POSTSTACK = {"RECORD": record}
    with override_settings(USE_TZ=False):
        assert ids(check_storage()) == found


# The outbox


@pytest.mark.usefixtures("_outbox")
def test_a_complete_outbox_is_silent() -> None:
    assert check_outbox() == []


@pytest.mark.usefixtures("_outbox", "_no_app")
def test_an_outbox_without_the_app() -> None:
    assert ids(check_outbox()) == ["poststack.E003"]
    assert check_deployment() == []


@pytest.mark.usefixtures("_outbox")
@pytest.mark.parametrize(
    ("poststack", "found"),
    [
        ({"RECORD": False}, ["poststack.E003"]),
        ({"OUTBOX": {"LEASE": 25}}, ["poststack.W007"]),
        ({"OUTBOX": {"LEASE": 26}}, []),
        ({"DEADLINE": None}, ["poststack.W007"]),
        ({"RETENTION_DAYS": 1}, []),
        ({"RETENTION_DAYS": 1, "OUTBOX": {"HORIZON": 86_401}}, ["poststack.W008"]),
    ],
)
def test_an_outbox_that_cannot_do_what_is_wanted(settings: Any, poststack: dict[str, Any], found: list[str]) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, **poststack}

    assert ids(check_outbox()) == found


def test_the_deadline_of_the_mailer_counts(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    with override_mailer(OUTBOX, deadline=200):
        assert ids(check_outbox()) == ["poststack.W007"]


def test_without_an_outbox_its_settings_do_not_matter(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "OUTBOX": {"LEASE": 1, "TASKS": True, "TASK_QUEUE": "no such"}}
    with override_mailer(BACKEND):
        assert check_outbox() == []


@pytest.mark.usefixtures("_outbox")
def test_tasks_where_there_are_none(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poststack_django.checks.outbox.find_spec", no_module)
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "OUTBOX": {"TASKS": True}}

    assert ids(check_outbox()) == ["poststack.E005"]


class Backend:
    """Stands for one without priorities."""

    supports_priority = False


@pytest.mark.usefixtures("_outbox")
@pytest.mark.parametrize(
    ("outbox", "tasks", "problem"),
    [
        ({}, {"default": {}}, None),
        ({}, None, None),
        ({"TASK_QUEUE": "mail"}, {"default": {"QUEUES": ["default"]}}, "no queue 'mail'"),
        ({"TASK_QUEUE": "mail"}, {"default": {}}, "no queue 'mail'"),
        ({"TASK_QUEUE": "mail"}, {"default": {"QUEUES": []}}, None),
        ({"TASK_BACKEND": "db"}, {"default": {}}, "no backend 'db'"),
        ({"TASK_PRIORITY": 101}, {"default": {}}, "from -100 to 100"),
        ({"TASK_PRIORITY": 5}, {"default": {"BACKEND": f"{__name__}.Backend"}}, "no priorities"),
        ({"TASK_PRIORITY": 5}, {"default": {"BACKEND": "no.such.Backend"}}, None),
        ({"TASK_PRIORITY": 5}, {"default": {}}, None),
        ({}, [], None),
        ({}, ["default"], "no backend 'default'"),
    ],
)
def test_tasks_that_cannot_be_enqueued(
    settings: Any, monkeypatch: pytest.MonkeyPatch, outbox: dict[str, Any], tasks: Any, problem: str | None
) -> None:
    monkeypatch.setattr("poststack_django.checks.outbox.find_spec", str)
    settings.TASKS = tasks
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "OUTBOX": {"TASKS": True, **outbox}}

    found = check_outbox()
    assert ids(found) == ([] if problem is None else ["poststack.E006"])
    assert problem is None or problem in found[0].msg


# Reports


@pytest.fixture
def handler(settings: Any) -> Iterator[AdminEmailHandler]:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    settings.ADMINS = ["admin@example.com"]
    with override_settings(MAILERS={"default": {"BACKEND": BACKEND}}):
        added = AdminEmailHandler(using="admin")  # type: ignore[call-arg,unused-ignore]
        default = [one for one in logging.getLogger("django").handlers if isinstance(one, AdminEmailHandler)]
        for one in default:
            logging.getLogger("django").removeHandler(one)
        logging.getLogger("shop").addHandler(added)
        yield added
        logging.getLogger("shop").removeHandler(added)
        for one in default:
            logging.getLogger("django").addHandler(one)


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize(
    ("admin", "found"),
    [
        ({"BACKEND": BACKEND}, ["poststack.W006"]),
        ({"BACKEND": BACKEND, "OPTIONS": {"fail_silently": True}}, []),
        ({"BACKEND": OUTBOX, "OPTIONS": {"fail_silently": True}}, ["poststack.W006"]),
        ({"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}, []),
    ],
)
def test_reports_that_raise(handler: AdminEmailHandler, settings: Any, admin: dict[str, Any], found: list[str]) -> None:
    with override_settings(MAILERS={"default": {"BACKEND": BACKEND}, "admin": admin}):
        assert ids(check_reports()) == found
        settings.ADMINS = []
        assert check_reports() == []


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_reports_are_sent_by_the_default_mailer(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}
    settings.ADMINS = ["admin@example.com"]
    with override_settings(MAILERS={"default": {"BACKEND": BACKEND}}):
        assert ids(check_reports()) == ["poststack.W006"]  # Django's own LOGGING has a handler.


# Deployments


def test_a_mailer_for_tests_is_not_deployed() -> None:
    with override_mailer():
        (error,) = check_deployment()

    assert (error.id, error.level) == ("poststack.E007", checks.ERROR)


@pytest.mark.parametrize(
    ("poststack", "found"),
    [
        ({}, []),
        ({"ALLOWED_RECIPIENTS": ["*@example.com"]}, ["poststack.W010"]),
        ({"ALLOWED_RECIPIENTS": []}, ["poststack.W010"]),
        ({"REDIRECT_TO": "dev@example.com"}, ["poststack.W010"]),
        ({"API_KEYS": "wrong"}, []),
    ],
)
def test_a_staging_guard_is_not_deployed(settings: Any, poststack: dict[str, Any], found: list[str]) -> None:
    settings.POSTSTACK = poststack
    with override_mailer(BACKEND):
        assert ids(check_deployment()) == found


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_a_mailer_may_lift_the_guard(settings: Any) -> None:
    settings.POSTSTACK = {"REDIRECT_TO": "dev@example.com"}
    with override_mailer(BACKEND, redirect_to=None):
        assert check_deployment() == []


@pytest.mark.usefixtures("_outbox")
def test_an_outbox_on_sqlite(settings: Any) -> None:
    on_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")

    assert ids(check_deployment()) == (["poststack.I002"] if on_sqlite else [])
