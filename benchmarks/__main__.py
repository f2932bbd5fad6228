"""Measure, print and write `benchmarks/RESULTS.md`.

    python -m benchmarks                   everything
    python -m benchmarks --only many       one section (may be repeated); the others stay as they are
    python -m benchmarks --quick           a few short rounds; writes nothing

The exit status is 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.environments import Environments
from benchmarks.page import Page
from benchmarks.section import LeftOutError, Plan
from benchmarks.sections import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare with others.")
    names = [section.name for section in SECTIONS]
    parser.add_argument("--only", action="append", choices=names, metavar="SECTION", help=f"one of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="a few short rounds, and no RESULTS.md")
    parser.add_argument("--rounds", type=int, help="how many rounds to take the middle of (7)")
    options = parser.parse_args()
    plan = Plan(Environments(ROOT), options.rounds or (2 if options.quick else 7), quick=options.quick)
    page = Page(RESULTS.read_text("utf-8"), [section.title for section in SECTIONS])
    missed = 0
    for section in SECTIONS:
        if options.only and section.name not in options.only:
            continue
        print(f"{section.title} …", flush=True)
        begun = time.monotonic()
        try:
            written = section.measure(plan)
        except LeftOutError as reason:  # What was measured on another day stays.
            print(f"left out: {reason}", flush=True)
            continue
        print(f"\n{written.text}\n\n({time.monotonic() - begun:.0f} s)\n", flush=True)
        page.put(section.title, written.text, written.goals)
        missed += sum(not goal.met for goal in written.goals)
        if not options.quick:  # After each section, so that what was measured is kept if a later one fails.
            RESULTS.write_text(str(page), "utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
