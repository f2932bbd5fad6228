"""The fixture for FastAPI applications: there by itself, and harmless without FastAPI."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

APP = """
from fastapi import FastAPI, Request
from poststack.receiving import AsyncWebhookReceiver
from poststack_fastapi import PostStackDep, lifespan

app = FastAPI(lifespan=lifespan)
receiver = AsyncWebhookReceiver("whsec_of_the_app")
delivered = []


@receiver.on("email.delivered")
async def note(event):
    delivered.append(event.email_id)


@app.post("/signup")
async def signup(client: PostStackDep):
    return await client.emails.send(
        {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "x"}
    )


@app.post("/hooks/poststack")
async def hook(request: Request):
    return await receiver.receive(await request.body(), request.headers.get("x-poststack-signature"))
"""

TESTS = """
import httpx
import pytest
from fastapi.testclient import TestClient

import main


@pytest.fixture
def app():
    return main.app


@pytest.fixture
def fastapi_poststack_options():
    return {"webhook": "/hooks/poststack", "secret": "whsec_of_the_app"}


@pytest.fixture
def browser(app, fastapi_poststack):
    with TestClient(app) as browser:
        yield browser


@pytest.mark.parametrize("again", [1, 2])
def test_each_starts_empty(browser, fastapi_poststack, again):
    email_id = browser.post("/signup").json()["id"]
    assert [sent.id for sent in fastapi_poststack.sent] == [email_id]
    fastapi_poststack.clock.advance(60)
    assert main.delivered[-1] == email_id


@pytest.mark.anyio
async def test_asynchronous_tests(app, fastapi_poststack, anyio_backend):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
        await browser.post("/signup")
    assert len(fastapi_poststack.sent) == 1


def test_everything_is_as_before(app):
    assert not hasattr(app.state, "poststack")
"""

needs_fastapi = pytest.mark.skipif(find_spec("fastapi") is None, reason="FastAPI is an extra")


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", *WITHOUT_OTHER_PLUGINS, *arguments, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@needs_fastapi
def test_the_fixture_works_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "test_signup.py").write_text(TESTS)
    done = pytest_in(tmp_path)

    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


@needs_fastapi
def test_without_a_fixture_app_pytest_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_signup.py").write_text("def test_signup(fastapi_poststack):\n    pass\n")
    done = pytest_in(tmp_path)

    assert done.returncode == 1
    assert "fixture 'app' not found" in done.stdout


def test_projects_without_fastapi_are_not_disturbed(tmp_path: Path) -> None:
    hidden = "import sys\nsys.modules['starlette'] = sys.modules['fastapi'] = None\n"
    (tmp_path / "hide_fastapi.py").write_text(hidden)
    (tmp_path / "test_any.py").write_text("def test_any():\n    pass\n")
    done = pytest_in(tmp_path, "-p", "hide_fastapi")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_loading_the_plugin_loads_nothing_else() -> None:
    program = (
        "import sys, poststack.testing.fastapi_plugin\n"
        "print([name for name in ('httpx', 'starlette', 'fastapi', 'poststack.emulator', 'poststack_fastapi')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
