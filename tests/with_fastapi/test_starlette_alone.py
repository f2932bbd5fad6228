"""What works where Starlette is installed and FastAPI is not, and what is said of the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

HIDDEN = "import sys; sys.modules.update(dict.fromkeys(('fastapi', 'pydantic', 'multipart', 'python_multipart')))\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    # None in sys.modules makes an import fail as if the package were not installed.
    command = [sys.executable, "-W", "error", "-c", HIDDEN + program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_everything_that_needs_no_fastapi_is_there() -> None:
    program = """
import anyio, httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTasks
from starlette.responses import JSONResponse
from starlette.routing import Route
from poststack_fastapi import add_exception_handlers, attachments_from_uploads, get_poststack, send_in_background
from poststack_fastapi.testing import emulated_poststack

EMAIL = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "x"}

async def now(request):
    return JSONResponse(await get_poststack(request).emails.send(EMAIL))

async def later(request):
    tasks = BackgroundTasks()
    return JSONResponse(send_in_background(tasks, get_poststack(request), EMAIL), background=tasks)

app = Starlette(routes=[Route("/now", now), Route("/later", later)])
add_exception_handlers(app)

async def main():
    with emulated_poststack(app) as post:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as browser:
            post.fail(429, times=1, retry_after=2)
            print([(await browser.get(path)).status_code for path in ("/now", "/now", "/later")], len(post.sent))

anyio.run(main)
"""
    done = run(program)

    assert done.stdout.strip() == "[503, 200, 200] 2", done.stderr


@pytest.mark.parametrize("name", ["Address", "AttachmentBody", "EmailBody", "TrackingBody"])
def test_the_rest_says_what_to_install(name: str) -> None:
    done = run(f"import poststack_fastapi; poststack_fastapi.{name}")

    assert f'ImportError: {name} needs FastAPI. Install it with: pip install "poststack[fastapi]"' in done.stderr
