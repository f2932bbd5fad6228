"""The fixtures for Django projects: there by themselves, beside those of pytest-django, and harmless without Django."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

SETTINGS = """
import django

SECRET_KEY = "x"
USE_TZ = True
DEFAULT_FROM_EMAIL = "shop@example.com"
ROOT_URLCONF = "project_urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "poststack_django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
POSTSTACK = {"API_KEY": "sk_live_never_used", "WEBHOOK_SECRETS": ["whsec_of_the_project"]}
BACKEND = "poststack_django.backends.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": BACKEND}, "bulk": {"BACKEND": BACKEND}}
else:
    EMAIL_BACKEND = BACKEND
"""

URLS = """
from django.urls import include, path

urlpatterns = [path("hooks/", include("poststack_django.urls"))]
"""

TESTS = """
import django
import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.mail import EmailMessage, send_mail

from poststack_django.testing import assert_sent


def send(to="ada@example.com"):
    return send_mail("Hi", "x", None, [to])


@pytest.mark.parametrize("again", [1, 2])
def test_outbox(poststack_outbox, mailoutbox, again):
    assert poststack_outbox is mailoutbox is mail.outbox
    assert send() == 1
    (sent,) = poststack_outbox
    assert sent.poststack_status.id.startswith("em_test_")
    assert_sent(to="ada@example.com", count=1)


def test_outbox_with_rows(db, poststack_outbox):
    from poststack_django.models import SentEmail

    send()
    assert SentEmail.objects.get().email_id == poststack_outbox[0].poststack_status.id


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS came with Django 6.1")
def test_every_mailer(poststack_outbox):
    send_mail("Hi", "x", None, ["ada@example.com"], using="bulk")
    assert poststack_outbox[0].sent_using == "bulk"


def test_settings_before(settings, poststack_outbox):
    settings.POSTSTACK = {"SEND_DEFAULTS": {"tags": ["before"]}}
    send()
    assert_sent(tag="before")


def test_settings_after(poststack_outbox, settings):
    settings.POSTSTACK = {"SEND_DEFAULTS": {"tags": ["after"]}}
    send()
    assert_sent(tag="after")


def test_emulated(db, django_poststack, settings):
    from poststack_django.models import SentEmail

    send()
    django_poststack.clock.advance(60)
    assert SentEmail.objects.get().status == "delivered"
    assert django_poststack.sent[0].to == ["ada@example.com"]


def test_webhook(db, client, poststack_outbox, poststack_webhook, django_capture_on_commit_callbacks):
    from poststack_django.models import SentEmail
    from poststack_django.signals import tracking

    heard = []

    def hear(event, email, **_):
        heard.append((event.type, email.pk))

    message = EmailMessage("Hi", "x", None, ["ada@example.com"])
    message.send()
    tracking.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        assert poststack_webhook("email.bounced", email=message).post(client).status_code == 200
    tracking.disconnect(hear)
    email = SentEmail.objects.get()
    assert (email.status, heard) == ("bounced", [("email.bounced", email.pk)])


def test_everything_is_as_before():
    assert django_settings.POSTSTACK == {
        "API_KEY": "sk_live_never_used", "WEBHOOK_SECRETS": ["whsec_of_the_project"]
    }
    assert send() == 1
    assert not hasattr(mail.outbox[0], "poststack_status")
"""

UNITTEST = """
from django.core.mail import send_mail
from django.test import TestCase

from poststack_django.models import SentEmail
from poststack_django.testing import assert_sent, emulated_poststack, override_mailer, signed_webhook


@override_mailer()
class MailTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        send_mail("Before", "x", None, ["ada@example.com"])

    def test_rows(self):
        assert SentEmail.objects.get().email_id.startswith("em_test_")
        assert_sent(count=0)
        send_mail("Hi", "x", None, ["ada@example.com"])
        assert_sent(subject="Hi", count=1)
        signed_webhook(email=SentEmail.objects.get(subject="Hi")).post(self.client)
        assert SentEmail.objects.get(subject="Hi").status == "delivered"

    def test_emulated(self):
        with emulated_poststack() as post:
            send_mail("Hi", "x", None, ["ada@example.com"])
            post.clock.advance(60)
            assert SentEmail.objects.get(subject="Hi").status == "delivered"
"""

needs_django = pytest.mark.skipif(find_spec("django") is None, reason="Django is an extra")


def project(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", *WITHOUT_OTHER_PLUGINS, *arguments, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@needs_django
@pytest.mark.parametrize("order", [[], ["--reverse"]])
def test_the_fixtures_work_beside_those_of_pytest_django(tmp_path: Path, order: list[str]) -> None:
    conftest = (
        "def pytest_addoption(parser):\n    parser.addoption('--reverse', action='store_true')\n"
        "def pytest_collection_modifyitems(config, items):\n    items.reverse() if config.option.reverse else None\n"
    )
    project(tmp_path, project_settings=SETTINGS, project_urls=URLS, test_mail=TESTS, conftest=conftest)
    done = pytest_in(tmp_path, "--ds=project_settings", *order)

    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout


@needs_django
def test_without_pytest_django(tmp_path: Path) -> None:
    conftest = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'project_settings'\nimport django\ndjango.setup()\n"
    tests = (
        "from django.conf import settings\nfrom django.core.mail import send_mail\n"
        "def test_outbox(poststack_outbox):\n"
        "    assert send_mail('Hi', 'x', None, ['ada@example.com']) == 1\n"
        "    assert len(poststack_outbox) == 1\n"
        "def test_it_is_over():\n    assert 'testing' not in str(getattr(settings, 'MAILERS', ''))\n"
    )
    without_rows = SETTINGS.replace('"WEBHOOK_SECRETS"', '"RECORD": False, "WEBHOOK_SECRETS"')
    project(tmp_path, project_settings=without_rows, project_urls=URLS, test_mail=tests, conftest=conftest)
    done = pytest_in(tmp_path, "-p", "no:django")

    assert done.returncode == 0, done.stdout


@needs_django
def test_unittest_needs_no_pytest(tmp_path: Path) -> None:
    project(tmp_path, project_settings=SETTINGS, project_urls=URLS, tests=UNITTEST)
    command = [sys.executable, "-W", "error", "-m", "django", "test", "--settings=project_settings"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr


def test_projects_without_django_are_not_disturbed(tmp_path: Path) -> None:
    # None in sys.modules makes an import fail as if the package were not installed.
    hidden = "import sys\nsys.modules['django'] = None\n"
    project(tmp_path, hide_django=hidden, test_any="def test_any():\n    pass\n")
    done = pytest_in(tmp_path, "-p", "hide_django", "-p", "no:django")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_loading_the_plugin_loads_nothing_else() -> None:
    program = (
        "import sys, poststack.testing.django_plugin\n"
        "print([name for name in ('httpx', 'starlette', 'django', 'poststack.emulator', 'poststack_django')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@needs_django
def test_the_package_imports_no_part_of_the_kit() -> None:
    program = (
        "import sys, poststack_django, poststack_django.backends, poststack_django.apps, poststack_django.aio\n"
        "print([name for name in sys.modules if name.startswith(('poststack_django.testing', 'pytest'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
