"""What works without any extra, and what is said when one is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run_without(*absent: str, program: str) -> subprocess.CompletedProcess[str]:
    # None in sys.modules makes an import fail as if the package were not installed.
    hidden = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
    return subprocess.run([sys.executable, "-c", hidden + program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("package", "dependency", "extra"),
    [
        ("poststack_django", "django", "django"),
        ("poststack_flask", "flask", "flask"),
        ("poststack_fastapi", "starlette", "fastapi"),
    ],
)
def test_a_missing_framework_names_the_extra(package: str, dependency: str, extra: str) -> None:
    done = run_without(dependency, program=f"import {package}")

    assert done.returncode == 1
    assert f"ImportError: {package} needs " in done.stderr
    assert f'pip install "poststack[{extra}]"' in done.stderr


@pytest.mark.parametrize("dependency", ["starlette", "uvicorn", "jinja2"])
def test_the_emulator_names_its_extra_in_one_line(dependency: str) -> None:
    done = run_without(
        dependency,
        program="sys.argv = ['poststack', 'emulator', '--port', '0']\nfrom poststack.cli import main\nsys.exit(main())",
    )

    assert done.returncode == 2
    assert 'pip install "poststack[emulator]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_file_can_be_sent_without_any_extra(tmp_path: Path) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text('{"from": "a@example.com", "to": ["b@example.com"], "subject": "S", "text": "T"}\n')

    done = run_without(
        "rich", "starlette", "uvicorn",
        program=f"from poststack.cli import main\nsys.exit(main(['send-many', {str(file)!r}, '--dry-run']))",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "1 rows, 1 can be sent" in done.stdout


def test_the_client_and_the_task_policy_need_nothing() -> None:
    done = run_without(
        "django", "flask", "fastapi", "starlette", "uvicorn", "jinja2", "celery", "rq", "aiohttp", "email_validator",
        program="import poststack, poststack_tasks; print(poststack.PostStack('sk_test_x').emails)",
    )  # fmt: skip

    assert "Emails object" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("module", "absent", "extra"),
    [("aiohttp", "aiohttp", "aiohttp"), ("httpx2", "httpcore2", "httpx2")],
)
def test_a_transport_names_its_extra(module: str, absent: str, extra: str) -> None:
    done = run_without(absent, program=f"import poststack.transports.{module}")

    assert done.returncode == 1
    assert f'pip install "poststack[{extra}]"' in done.stderr.splitlines()[-1]


def test_amazon_ses_names_its_extra_when_it_is_asked_for() -> None:
    done = run_without(
        "botocore",
        program="from poststack.mailbridge import MailBridge; MailBridge('ses', region_name='eu-central-1')",
    )

    assert done.returncode == 1
    assert "ConfigurationError: The provider 'ses' needs " in done.stderr
    assert "pip install 'poststack[ses]'" in done.stderr


@pytest.mark.parametrize("made", ["SendGridEvents(public_key='MAo=')", "SesEvents(topic_arns='arn:aws:sns:a:1:b')"])
def test_sources_with_signatures_by_key_name_their_extra(made: str) -> None:
    done = run_without("cryptography", program=f"from poststack.providers.events import *\n{made}")

    assert "pip install 'poststack[webhooks]'" in done.stderr.splitlines()[-1]


def test_other_sources_need_no_extra() -> None:
    made = "PostmarkEvents(headers={'X-Key': 'abc'}), BrevoEvents(token='abc'), MailgunEvents(signing_key='abc')"
    done = run_without("cryptography", program=f"from poststack.providers.events import *\nprint({made})")

    assert done.stdout.count("Events()") == 3, done.stderr


STARLETTE_ALONE = """
import asyncio
import poststack_fastapi
from poststack.testing import webhook_call
from poststack_fastapi import get_poststack, make_lifespan, webhook_route
from starlette.applications import Starlette

hook = webhook_route()
seen = []

@hook.on("email.bounced")
async def note(event, request):
    seen.append((event.id, type(get_poststack(request)).__name__))

app = Starlette(routes=[hook], lifespan=make_lifespan(api_key="sk_test_x", webhook_secrets="secret"))
call = webhook_call("email.bounced", secret="secret", event_id="evt_1")
headers = [(name.lower().encode(), value.encode()) for name, value in call.headers.items()]

async def main():
    async def receive():
        return {"type": "http.request", "body": call.body}

    async def send(message):
        seen.append(message.get("status"))

    async with app.router.lifespan_context(app) as state:
        scope = {"type": "http", "method": "POST", "path": "/webhooks/poststack", "headers": headers, "state": state}
        await app({**scope, "query_string": b""}, receive, send)

asyncio.run(main())
print(seen)
for name in ("PostStackDep", "SyncPostStackDep", "VerifiedEvent", "verified_event", "WebhookRouter", "webhook_router"):
    try:
        getattr(poststack_fastapi, name)
    except ImportError as error:
        print(error)
"""


def test_starlette_alone_is_enough_for_the_client_and_for_webhooks() -> None:
    pytest.importorskip("starlette")

    done = run_without("fastapi", "pydantic", program=STARLETTE_ALONE)

    assert "[('evt_1', 'AsyncPostStack'), 200, None]" in done.stdout, done.stderr
    assert done.stdout.count('needs FastAPI. Install it with: pip install "poststack[fastapi]"') == 6
