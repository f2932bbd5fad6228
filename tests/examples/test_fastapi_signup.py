"""The sign-up on FastAPI: its own tests, and it and the emulator as programs of their own, over real HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from example_projects.demo.stage import Stage
from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Generator

pytest.importorskip("aiosqlite")
pytest.importorskip("fastapi.sse", reason="FastAPI is too old for server-sent events.")
pytest.importorskip("uvicorn")

from example_projects.demo.fastapi import SHOWN, Visitor, Walks, prepared

ROOT = Path(__file__).parents[2]
SLOW = pytest.mark.slow


def test_its_own_tests_pass() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *WITHOUT_OTHER_PLUGINS, "example_projects/fastapi_signup"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def walks(tmp_path: Path) -> Generator[Walks]:
    with Stage(tmp_path, once=True, stop=threading.Event()) as stage:
        yield prepared(stage)


def stored(walks: Walks) -> list[Any]:
    with contextlib.closing(sqlite3.connect(walks.stage.folder / "signup.sqlite3", timeout=10)) as connection:
        return connection.execute("SELECT kind, state, email_id FROM letters ORDER BY id").fetchall()


def sent(walks: Walks) -> list[Any]:
    """All e-mails that the emulator has accepted."""
    headers = {"Authorization": "Bearer sk_test_x"}
    answer = httpx.get(f"{walks.api}/emails", headers=headers, timeout=30, trust_env=False).raise_for_status()
    return list(answer.json()["data"])


@SLOW
def test_the_open_page_is_told_until_both_letters_are_delivered(walks: Walks) -> None:
    walks.start()
    with Visitor(walks) as visitor:
        visitor.sign_up()
        visitor.follow("confirm")
        visitor.confirm()
        visitor.follow("welcome")
        page = visitor.browser.get(visitor.page).text

    assert SHOWN.findall(page) == [("confirm", "delivered"), ("welcome", "delivered")]
    assert len(sent(walks)) == 2


@SLOW
def test_a_page_that_has_everything_is_told_nothing_until_there_is_news(walks: Walks) -> None:
    walks.start()
    with Visitor(walks) as visitor:
        page = visitor.sign_up()
        visitor.follow("confirm")
        page = visitor.browser.get(visitor.page).text
        (version,) = re.findall(r"\?version=(\w+)", page)
        with visitor.events(version) as fragments:
            coming = fragments()
            visitor.confirm()
            first = next(coming)

    assert "You are on the list" in first


@SLOW
@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
@pytest.mark.parametrize("fault", [{"delay": 20}, {"lost_answer": True, "delay": 20}])
def test_an_application_killed_before_the_answer_came_sends_one_letter_and_learns_its_id(
    walks: Walks, fault: dict[str, Any]
) -> None:
    once = {"path": "/emails", "method": "POST", "times": 1, **fault}
    httpx.post(f"{walks.api}/_emulator/faults", json=once, trust_env=False).raise_for_status()
    program = walks.start()
    with Visitor(walks) as visitor:
        signing_up = threading.Thread(target=give_up_when_killed, args=(visitor,))
        signing_up.start()
        walks.stage.wait_for("the letter to be accepted", lambda: sent(walks))
        left_behind = stored(walks)
        program.end(signal.SIGKILL)
        signing_up.join()

    walks.start("walks, again")
    walks.stage.wait_for("the row to have its id", lambda: stored(walks) != left_behind)

    [email] = sent(walks)
    assert left_behind == [("confirm", "pending", None)]
    assert stored(walks) == [("confirm", "accepted", email["publicId"])]


def give_up_when_killed(visitor: Visitor) -> None:
    with contextlib.suppress(httpx.TransportError):
        visitor.browser.post("/sign-up", data={"name": "Ada", "email": visitor.email})


@SLOW
@pytest.mark.skipif(os.name != "posix", reason="needs a signal that can be sent")
def test_an_open_page_does_not_hold_up_the_end(walks: Walks) -> None:
    program = walks.start()
    with Visitor(walks) as visitor:
        visitor.sign_up()
        with visitor.events() as fragments:
            next(fragments())
            program.end(signal.SIGTERM)

    assert program.line_with("Finished server process")
