"""Run the sessions of noxfile.py, several at a time, and print what each said when it has ended.

    python tools/matrix.py tests django bare

The longest are best named first. There is one more at a time than there are cores, because tests wait for each other;
within a session they run one after the other: collecting them in each of several workers would cost more than it saves.

The exit status is 1 when one of them failed. Sessions whose Python is not there are skipped, as nox does, and so are
the tests on the Python that runs this: those are `make test`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

NOX = [sys.executable, "-m", "nox", "--no-error-on-missing-interpreters"]


class Ended(NamedTuple):
    """One session that has run."""

    session: str
    status: int
    seconds: float
    output: str


def sessions(names: list[str]) -> list[str]:
    """Return all sessions of these names, one for each Python and Django, but for those that `make test` runs."""
    listing = subprocess.run(
        [*NOX, "--list", "--json", "--session", *names], check=True, stdout=subprocess.PIPE, text=True
    )
    own = "tests-{}.{}".format(*sys.version_info)
    return [entry["session"] for entry in json.loads(listing.stdout) if entry["session"] != own]


def run(session: str) -> Ended:
    """Run one session."""
    begun = time.monotonic()
    done = subprocess.run(
        [*NOX, "--session", session],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    return Ended(session, done.returncode, time.monotonic() - begun, done.stdout)


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="sessions of noxfile.py")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="how many at a time")
    options = parser.parse_args()
    failed: list[str] = []
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for ended in pool.map(run, sessions(options.names)):
            print(f"\n-- {ended.session}: {'passed' if ended.status == 0 else 'FAILED'}, {ended.seconds:.0f} s")
            print(ended.output, flush=True)
            if ended.status != 0:
                failed.append(ended.session)
    print(f"FAILED: {', '.join(failed)}" if failed else "All sessions passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
