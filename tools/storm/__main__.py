"""The command: `make storm`, `make storm ARGS="celery-valkey --mails 200 --workers 2 --seconds 30"`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.with_tasks.stand.brokers import BrokerMissingError
from tools.storm.queues import QUEUES, UNLESS_CHOSEN, settings_of
from tools.storm.report import table, told
from tools.storm.weather import Report, Storm, blow

_MOST_MAILS = 10_000  # So many the emulator keeps.


def main(arguments: list[str] | None = None) -> int:
    """Run the storm over each queue; return 1 when an e-mail is missing or doubled, 2 when a queue cannot be tried."""
    options = _parser().parse_args(arguments)
    # As Ctrl-C: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, _stop)
    storm = Storm(options.mails, options.workers, options.kill_every, options.seconds, options.seed)
    reports: dict[str, Report] = {}
    print(told(storm), flush=True)
    for name in options.queues or UNLESS_CHOSEN:
        print(f"\n{name}: {settings_of(name)}", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="poststack-storm-"))
        try:
            with QUEUES[name](folder) as stand:
                reports[name] = blow(stand, storm, lambda text: print(f"  {text}", flush=True))
        except BrokerMissingError as missing:
            print(f"  {missing}", file=sys.stderr)
            return 2
        if reports[name].good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"  The logs of the workers are in {folder}.")
    print("\n" + table(reports))
    return 0 if all(report.good for report in reports.values()) else 1


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    add = parser.add_argument
    add(
        "queues",
        nargs="*",
        choices=[[], *QUEUES],
        metavar="QUEUE",
        help=f"{', '.join(QUEUES)}; all but the last when left out",
    )
    add("--mails", type=_whole, default=Storm.mails, help="how many e-mails, up to 10,000 (2,000)")
    add("--workers", type=_whole, default=Storm.workers, help="how many workers (4)")
    add("--kill-every", type=_seconds, default=Storm.kill_every, help="seconds between two kills (1)")
    add("--seconds", type=_seconds, default=Storm.seconds, help="end killing after this, at the latest (120)")
    add("--seed", type=int, default=Storm.seed, help="who is killed, and which requests fail")
    return parser


def _whole(text: str) -> int:
    if not 1 <= (number := int(text)) <= _MOST_MAILS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MOST_MAILS}")
    return number


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) < 86_400:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
