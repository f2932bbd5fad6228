"""A process that is killed after the API has accepted its e-mail and before it has heard so.

The worst moment for a sender: the e-mail is out and nobody knows its id. What counts is that trying again, as a queue
or an operator does, sends nothing twice and learns the id.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from poststack import PostStack
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.types import Email

pytestmark = pytest.mark.slow


PLAIN = """
import sys
from poststack import PostStack
sent = PostStack().emails.send({
    "from": "shop@example.com", "to": [sys.argv[1]], "subject": "Receipt", "text": "Thank you.",
    "idempotency_key": "receipt-" + sys.argv[1],
})
print(sent["id"], sent.get("replayed", False))
"""
DJANGO = """
import sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "poststack_django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[2]}},
    USE_TZ=True,
)
django.setup()
from django.core.mail import EmailMessage
from django.core.management import call_command
from tests.patience import PATIENCE
from poststack_django.backends import EmailBackend
call_command("migrate", verbosity=0)
message = EmailMessage("Receipt", "Thank you.", "shop@example.com", [sys.argv[1]])
message.idempotency_key = "receipt-" + sys.argv[1]
EmailBackend().send_messages([message])
print(message.poststack_status.id, message.poststack_status.replayed)
"""


def start(program: str, url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "POSTSTACK_API_KEY": "sk_test_killed", "POSTSTACK_BASE_URL": url}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def accepted(url: str, recipient: str) -> list[Email]:
    with PostStack("sk_test_killed", url) as client:
        return client.emails.list({"to": recipient})["data"]


def until(condition: Callable[[], Any]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.02)


def kill_once_accepted(process: subprocess.Popen[str], url: str, recipient: str) -> None:
    with process:
        try:
            until(lambda: accepted(url, recipient))
            assert process.poll() is None, "it had its answer before it was killed"
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def hold_back_the_next_answer(url: str) -> None:
    fault = {"path": "/emails", "method": "POST", "delay": 20, "times": 1}
    httpx.post(f"{url}/_emulator/faults", json=fault).raise_for_status()


def test_a_killed_sender_that_tries_again_sends_nothing_twice(emulator_url: str) -> None:
    recipient = "killed-plain@example.com"
    hold_back_the_next_answer(emulator_url)
    kill_once_accepted(start(PLAIN, emulator_url, recipient), emulator_url, recipient)

    with start(PLAIN, emulator_url, recipient) as again:
        out, _ = again.communicate(timeout=PATIENCE)

    [email] = accepted(emulator_url, recipient)
    assert out.split() == [email["publicId"], "True"]


@pytest.mark.skipif(find_spec("django") is None, reason="Django is not installed.")
def test_a_killed_django_process_leaves_its_row_with_the_key_and_finds_the_id_again(
    emulator_url: str, tmp_path: Path
) -> None:
    recipient, database = "killed-django@example.com", tmp_path / "shop.sqlite3"

    def rows() -> list[tuple[str, str | None, str]]:
        connection = sqlite3.connect(database)
        try:
            query = "SELECT idempotency_key, email_id, status FROM poststack_sentemail"
            return list(connection.execute(query))
        finally:
            connection.close()

    hold_back_the_next_answer(emulator_url)
    kill_once_accepted(start(DJANGO, emulator_url, recipient, str(database)), emulator_url, recipient)
    left_behind = rows()

    with start(DJANGO, emulator_url, recipient, str(database)) as again:
        out, _ = again.communicate(timeout=PATIENCE)

    [email] = accepted(emulator_url, recipient)
    assert left_behind == [(f"receipt-{recipient}", None, "pending")]
    assert out.split() == [email["publicId"], "True"]
    assert rows() == [(f"receipt-{recipient}", email["publicId"], "queued")]
