"""The command `make storm`, with a small one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.services import is_missing
from tests.with_tasks.kills.choosing import exhaustive
from tests.with_tasks.stand.brokers import has_short_visibility
from tests.with_tasks.stand.processes import ROOT
from tools.storm.report import table
from tools.storm.weather import Report

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.timeout(1_300)  # As long as the storm waits, and longer.
@pytest.mark.parametrize("queue", ["celery-valkey", exhaustive("celery-rabbitmq"), exhaustive("rq")])
def test_a_small_storm_loses_and_doubles_nothing(queue: str) -> None:
    pytest.importorskip("rq" if queue == "rq" else "celery")
    if queue == "celery-valkey" and not has_short_visibility():
        pytest.skip("before kombu 5.7 a dead worker's jobs come back after minutes")
    options = ["--mails", "60", "--workers", "2", "--seconds", "10"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.storm", queue, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 2:
        is_missing(done.stderr.strip())

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"e-mails at the API +60\n +missing +0\n +sent twice +0\n", done.stdout)
    assert "each sent once" in done.stdout
    # There was a storm.
    assert int(re.search(r"\nkills +(\d+)", done.stdout)[1]) > 0  # type: ignore[index]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sent": 9, "missing": 1},
        {"sent": 11, "doubled": 1},
        {"sent": 10, "missing": 1, "doubled": 1},
        {"sent": 10, "not_succeeded": 1},
        {"sent": 10, "strange_keys": 1},
        {"sent": 10, "problem": "Waited in vain."},
    ],
)
def test_a_storm_that_breaks_the_promise_says_so(wrong: dict[str, int]) -> None:
    good = Report(10, sent=10, killed=Counter(child=1))
    bad = Report(10, **wrong)  # type: ignore[arg-type]

    assert (good.good, bad.good) == (True, False)
    assert "BROKEN" in table({"rq": bad})
    assert "BROKEN" not in table({"rq": good})
