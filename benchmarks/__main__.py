"""Measure, print and write `benchmarks/RESULTS.md`.

    python -m benchmarks            nine rounds
    python -m benchmarks --quick    three short ones; writes nothing

The exit status is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.environments import environments
from benchmarks.measuring import TASKS, Result, measure, served
from benchmarks.report import page
from benchmarks.under_load.measuring import LOADS, LoadResult, measure_load

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare with the published SDK.")
    parser.add_argument("--quick", action="store_true", help="three short rounds, and no RESULTS.md")
    parser.add_argument("--rounds", type=int, help="how many rounds to take the middle of (9)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    ours, theirs = environments(ROOT)
    results: list[Result] = []
    with served() as address:
        for task in TASKS:
            print(f"Measuring {task.title} …", end=" ", flush=True)
            result = measure(task, ours, theirs, address=address, rounds=rounds, quick=options.quick)
            print(f"{result.ratio:.2f}", flush=True)
            results.append(result)
    loaded: list[LoadResult] = []
    for load in LOADS:
        print(f"Measuring FastAPI under load, {load.title} …", end=" ", flush=True)
        under = measure_load(load, ours, theirs, rounds=rounds // 2 + 1, quick=options.quick)
        print(f"{under.ratio:.2f}, {under.worst * 1e3:.0f} ms", flush=True)
        loaded.append(under)
    text = page(results, loaded, ours, theirs)
    print(f"\n{text}")
    if not options.quick:
        (ROOT / "benchmarks" / "RESULTS.md").write_text(text, "utf-8")
    return 0 if all([result.passed for result in results] + [result.passed for result in loaded]) else 1


if __name__ == "__main__":
    sys.exit(main())
