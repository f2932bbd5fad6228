"""A project without a queue loads none: it may not be installed, and loading one takes longer than all of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import django
import pytest

PROJECT = """
import json, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["poststack_django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
    POSTSTACK={"CLIENT": lambda: Client(), "OUTBOX": json.loads(sys.argv[1])},
)

class Client:
    @property
    def emails(self):
        return self

    def send(self, email, **options):
        return {"id": f"em_{email['subject']}"}

django.setup()
from django.core.mail import EmailMessage
from django.core.management import call_command
from poststack_django.backends import EmailBackend, OutboxEmailBackend
from poststack_django.models import SentEmail
from poststack_django.outbox import drain
call_command("check", verbosity=0)
call_command("migrate", verbosity=0)
EmailBackend().send_messages([EmailMessage("now", "Body", "a@example.com", ["b@example.com"])])
OutboxEmailBackend().send_messages([EmailMessage("later", "Body", "a@example.com", ["b@example.com"])])
drain()
import poststack_django.urls, poststack_django.tasks
assert set(SentEmail.objects.values_list("email_id", flat=True)) == {"em_now", "em_later"}
queues = {"celery", "kombu", "billiard", "amqp", "rq", "redis", "django_rq", "arq"}
print(json.dumps(sorted(queues & {name.partition(".")[0] for name in sys.modules})))
"""

WITH_TASKS = pytest.mark.skipif(
    django.VERSION < (6, 0) and find_spec("django_tasks") is None, reason="django-tasks is not installed"
)


@pytest.mark.slow
@pytest.mark.parametrize("outbox", [{}, pytest.param({"TASKS": "django"}, marks=WITH_TASKS)])
def test_a_project_that_uses_no_queue_loads_none(outbox: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROJECT, json.dumps(outbox)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[]"]), done.stderr
