"""Projects that do not install the app: the backend and the webhook work, and nothing is stored."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    USE_TZ=True,
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="poststack_django.urls",
    DEFAULT_FROM_EMAIL="a@example.com",
    POSTSTACK={"CLIENT": "tests.with_django.test_without_app.client", "WEBHOOK_SECRETS": "secret"},
    %s
)
django.setup()

from django.core.mail import EmailMessage, send_mail
from django.test import Client
from poststack.events import sign
from poststack_django.signals import tracking

message = EmailMessage("Hi", "Text", "a@example.com", ["b@example.com"])
assert message.send() == 1
assert message.poststack_status.id == "em_1"

heard = []
tracking.connect(lambda **given: heard.append(given["event"].type), weak=False)
body = b'{"type": "email.sent", "data": {}}'
headers = {"X-PostStack-Signature": sign(body, "secret")}
answer = Client().post("/", body, content_type="application/json", headers=headers)
assert answer.status_code == 200, answer.content
assert heard == ["email.sent"]
print("models" if "poststack_django.models" in __import__("sys").modules else "no models")
"""


def client() -> object:
    """Named in the settings above."""
    from tests.with_django.api import RecordingApi

    return RecordingApi().client()


def test_nothing_of_the_app_is_needed() -> None:
    import django

    backend = "poststack_django.backends.EmailBackend"
    mailers = f"MAILERS={{'default': {{'BACKEND': '{backend}'}}}}"
    setting = mailers if django.VERSION >= (6, 1) else f"EMAIL_BACKEND='{backend}'"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM % setting], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "no models"), done.stderr
