"""Northlight's own tests, and its programs: the site under gunicorn, an RQ worker, Redis and the emulator."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStack
from tests.inner_pytest import WITHOUT_OTHER_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.types import Email

pytest.importorskip("flask")
pytest.importorskip("flask_wtf")
pytest.importorskip("rq")
pytest.importorskip("starlette")

import httpx
from redis import Redis

from example_projects.demo.flask import SUBJECT, Site, Visitor
from example_projects.demo.programs import ROOT
from tests.examples import northlight
from tests.examples.northlight import worker
from tests.patience import PATIENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn and RQ's worker fork"),
]

site = northlight.site

"""Seconds, generous enough for a machine that is busy with something else."""
ABANDONED_AFTER = 70
"""Seconds. RQ takes a job for abandoned about 65 seconds after its worker was last heard of."""


def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.1)


def accepted(site: Site, recipient: str) -> list[Email]:
    with PostStack(site.environment["POSTSTACK_API_KEY"], site.api) as client:
        return client.emails.list({"to": recipient})["data"]


def test_its_own_tests_pass(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *WITHOUT_OTHER_PLUGINS, "example_projects/flask_signup"],
        cwd=ROOT,
        env={**os.environ, "SIGNUP_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_who_signs_up_is_written_to_and_sees_the_letter_arrive(site: Site) -> None:
    with worker(site), Visitor(site) as visitor:
        visitor.sign_up("ada@example.com")
        email_id = visitor.wait_for_id()
        visitor.wait_for_state("delivered")

    [email] = accepted(site, "ada@example.com")
    assert (email["publicId"], email["subject"]) == (email_id, SUBJECT)


def test_a_refused_address_is_shown_as_bounced(site: Site) -> None:
    with worker(site), Visitor(site) as visitor:
        visitor.sign_up("bounce@example.com")
        visitor.wait_for_state("bounced")


def test_an_outage_is_waited_out_by_the_queue(site: Site) -> None:
    fault = {"path": "/emails", "method": "POST", "status": 503, "retry_after": 2, "times": 3}
    httpx.post(f"{site.api}/_emulator/faults", json=fault, trust_env=False).raise_for_status()
    with worker(site), Visitor(site) as visitor:
        visitor.sign_up("patient@example.com")
        visitor.wait_for_state("delivered")


def children(pid: int) -> list[int]:
    """The processes that it has started. RQ puts the one that does a job into a group of its own."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def work_horse(pid: int) -> int:
    """The process that does the job."""
    (found,) = (child for child in children(pid) if os.getpgid(child) != os.getpgid(pid))
    return found


def let_pass(seconds: int, site: Site) -> None:
    """Let this time pass for Redis and for RQ: until when they wait is brought forward by as much."""
    # redis-py describes its types in part only.
    connected: Any = Redis.from_url(site.environment["SIGNUP_REDIS_URL"])  # pyright: ignore[reportUnknownMemberType]
    with connected as server:
        for name in server.scan_iter("rq:*"):
            if (left := server.ttl(name)) > 0:
                server.expire(name, left - seconds)  # What is over then is deleted.
        for registry in server.scan_iter("rq:wip:*"):
            for execution in server.zrange(registry, 0, -1):
                server.zincrby(registry, -seconds, execution)


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("killed", ["the process of the job", "the worker and all it has started"])
def test_a_worker_killed_after_the_api_has_accepted_sends_one_email(site: Site, killed: str) -> None:
    recipient = f"{killed.replace(' ', '-')}@example.com"
    fault = {"path": "/emails", "method": "POST", "delay": 20, "times": 1}
    httpx.post(f"{site.api}/_emulator/faults", json=fault, trust_env=False).raise_for_status()
    with contextlib.ExitStack() as running, Visitor(site) as visitor:
        process = running.enter_context(worker(site))
        visitor.sign_up(recipient)
        until(lambda: bool(accepted(site, recipient)))
        assert 'data-state="waiting"' in visitor.page("/mail"), "it had its answer before it was killed"
        job = work_horse(process.pid)
        if killed == "the process of the job":
            os.kill(job, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            os.kill(job, signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
            let_pass(ABANDONED_AFTER, site)
            running.enter_context(worker(site))
        until(lambda: 'data-state="delivered"' in visitor.page("/mail"))
        shown = visitor.wait_for_id()

    [email] = accepted(site, recipient)
    assert email["publicId"] == shown
