"""The command in a process of its own: killed, interrupted, out of disk, and on a terminal."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.sending_many.desk import ROOT, Desk, emails, lines, recipients

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Processes end otherwise there."),
]

COUNT = 1_500
WRONG = 40
"""Each so many rows one is wrong."""


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for it, or for the process to end; the limit only ends what would never end."""
    ends_at = time.monotonic() + PATIENCE
    while process.poll() is None and not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.01)


def has_got(desk: Desk, requests: int) -> bool:
    return desk.requests >= requests


def with_wrong_rows(count: int) -> list[dict[str, Any]]:
    return [{**email, **({} if n % WRONG else {"to": []})} for n, email in enumerate(emails(count))]


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_process_that_is_killed_again_and_again_sends_every_row_exactly_once(desk: Desk, format_: str) -> None:
    chance = random.Random(11)
    wrong = [n for n in range(COUNT) if n % WRONG == 0]
    if format_ == "jsonl":
        desk.jsonl("news.jsonl", with_wrong_rows(COUNT))
    else:
        rows = [f'{"" if n % WRONG == 0 else f"u{n}@example.com"},Number {n},"Hello\n{n}"' for n in range(COUNT)]
        desk.write("news.csv", "to,subject,text\n" + "\n".join(rows) + "\n")
    name = f"news.{format_}"
    options = ["--from", "shop@example.com", "--concurrency", "3"]
    # The e-mails of every other call are accepted, and nobody ever hears of it.
    desk.fail(delay=600, share=0.5, seed=11, path="/emails/batch")
    ended: list[int] = []
    for _ in range(4):
        enough = desk.requests + chance.randrange(0, 4)
        with desk.running(name, *options) as process:
            until(partial(has_got, desk, enough), process)
            process.kill()
        ended.append(process.returncode)
    desk.no_more_faults()

    assert desk.run(name, *options) == 1

    assert ended[:2] == [-signal.SIGKILL] * 2
    assert desk.accepted == sorted(f"u{n}@example.com" for n in range(COUNT) if n not in wrong)
    report = lines(desk.folder / f"{name}.failed.jsonl")
    expected = [n + 1 for n in wrong] if format_ == "jsonl" else [2 * n + 2 for n in wrong]
    assert [one["_failure"]["line"] for one in report] == expected
    last = lines(desk.folder / f"{name}.poststack-journal")[-1]
    assert last["finished"]
    assert (last["sent"] + last["replayed"], last["failed"]) == (COUNT - len(wrong), len(wrong))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_it_in_order_and_nothing_is_sent_once_more(desk: Desk, number: signal.Signals) -> None:
    count = 2_000
    desk.jsonl("news.jsonl", emails(count))
    desk.fail(delay=0.001, path="/emails/batch", times=3)
    desk.fail(delay=1, path="/emails/batch")  # So that it is far from done when it is interrupted.
    with desk.running("news.jsonl") as process:
        until(lambda: desk.api.emulator.store.total >= 300, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 128 + number
    assert "Waiting for the calls under way" in err
    assert "give the same command again" in err
    done = len(desk.accepted)
    assert 300 <= done < count
    assert f"{done:,} rows: {done:,} sent, 0 failed." in out

    desk.no_more_faults()
    assert desk.run("news.jsonl") == 0
    assert desk.accepted == recipients(count)
    assert f"{count:,} rows: {count:,} sent, 0 failed." in desk.out
    assert f"Going on after line {done:,}" in desk.err


def test_a_second_signal_ends_it_at_once(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(250))
    desk.fail(delay=600, path="/emails/batch")
    with desk.running("news.jsonl") as process:
        until(lambda: desk.requests > 0, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Waiting for the calls under way" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert "give the same command again" in err
    desk.no_more_faults()
    assert desk.run("news.jsonl") == 0
    assert desk.accepted == recipients(250)


def test_a_second_process_is_refused_while_the_first_is_at_it(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(250))
    desk.fail(delay=600, path="/emails/batch", times=1)
    with desk.running("news.jsonl") as process:
        until(lambda: desk.requests > 0, process)
        assert desk.run("news.jsonl") == 2
        assert "Another process is sending this file" in desk.err


RUN = "import sys; from poststack.cli import main; sys.exit(main())"
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from poststack.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_ends_it_and_it_goes_on_when_there_is_room(desk: Desk) -> None:
    rows = emails(600)
    for n, row in enumerate(rows):
        row["n"] = n
        if n % 2 == 0:
            row["to"], row["text"] = [], "x" * 500
    desk.jsonl("news.jsonl", rows)
    done = subprocess.run(
        [sys.executable, "-c", FULL, "send-many", "news.jsonl"], cwd=desk.folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip

    assert done.returncode == 2, done.stderr
    assert "news.jsonl.failed.jsonl: File too large" in done.stderr
    assert "Traceback" not in done.stderr

    assert desk.run("news.jsonl") == 1
    assert [one["n"] for one in lines(desk.folder / "news.jsonl.failed.jsonl")] == list(range(0, 600, 2))
    assert desk.accepted == sorted(f"u{n}@example.com" for n in range(1, 600, 2))


def test_a_full_disk_is_told_of_the_journal_too(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    done = subprocess.run(
        [sys.executable, "-c", FULL.replace("60_000", "100"), "send-many", "news.jsonl"], cwd=desk.folder,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip

    assert done.returncode == 2, done.stderr
    assert "poststack: news.jsonl.poststack-journal: File too large" in done.stderr
    assert desk.requests == 0


@pytest.mark.parametrize("with_rich", [True, False], ids=["bar", "lines"])
def test_a_terminal_that_is_closed_ends_it_in_order(desk: Desk, with_rich: bool) -> None:
    import pty

    count = 2_000
    desk.jsonl("news.jsonl", emails(count))
    desk.fail(delay=1, path="/emails/batch")
    program = RUN if with_rich else f"import sys; sys.modules['rich'] = None; {RUN}"
    master, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", program, "send-many", "news.jsonl"], cwd=desk.folder, stdout=terminal, stderr=terminal,
        text=True, env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        os.close(terminal)
        try:
            until(lambda: desk.requests > 0, process)
            os.close(master)
            process.send_signal(signal.SIGHUP)
            assert process.wait(PATIENCE) == 128 + signal.SIGHUP
        finally:
            process.kill()

    desk.no_more_faults()
    done = len(desk.accepted)
    assert done < count
    assert desk.run("news.jsonl") == 0
    assert f"{count:,} rows: {count:,} sent, 0 failed." in desk.out
    assert f"Going on after line {done:,}" in desk.err


def test_nohup_keeps_a_closed_terminal_away(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(250))
    desk.fail(delay=600, path="/emails/batch", times=1)
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {RUN}"
    with subprocess.Popen(
        [sys.executable, "-c", program, "send-many", "news.jsonl"], cwd=desk.folder, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        try:
            until(lambda: desk.requests > 0, process)
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert "Waiting for the calls under way" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()


def on_a_terminal(desk: Desk, program: str, *arguments: str) -> tuple[int, str]:
    """Run a program, and return its exit status and what its terminal shows."""
    import pty

    master, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, "send-many", *arguments]
    with subprocess.Popen(
        command, cwd=desk.folder, env=environment, stderr=terminal, stdout=subprocess.DEVNULL
    ) as process:
        os.close(terminal)
        shown = b""
        try:
            while data := os.read(master, 65_536):
                shown += data
        except OSError:  # What Linux says when the other side is closed.
            pass
        finally:
            os.close(master)
    return process.returncode, shown.decode()


def test_a_terminal_shows_a_bar_and_no_address(desk: Desk) -> None:
    pytest.importorskip("rich")
    desk.jsonl("news.jsonl", emails(450))

    status, shown = on_a_terminal(desk, RUN, "news.jsonl", "--rate-limit", "5")

    assert status == 0
    assert re.search(r"[\d,]+ rows · [\d,]+ a second · about \d+ s left", shown)
    assert "450 rows" in shown
    assert "100%" in shown
    assert "example.com" not in shown


def test_without_rich_a_terminal_shows_what_is_to_be_said_and_no_bar(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(100))
    desk.fail(status=429, code="daily_limit_exceeded", error="Daily limit reached", times=1)

    status, shown = on_a_terminal(desk, f"import sys; sys.modules['rich'] = None; {RUN}", "news.jsonl")

    assert status == 2
    assert shown.splitlines()[0].startswith("poststack: The sending quota is used up")
