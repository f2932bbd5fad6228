"""Measure, print and write `benchmarks/RESULTS.md`.

    python -m benchmarks            nine rounds
    python -m benchmarks --quick    three short ones; writes nothing
    python -m benchmarks --workers  Celery workers only; the other sections stay as they are
    python -m benchmarks --bulk     bulk through MailBridge only; likewise

The exit status is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.environments import Environment, environments, mailbridge_environment
from benchmarks.in_bulk import report as bulk_report
from benchmarks.in_bulk.measuring import measure_bulk
from benchmarks.in_workers import report as worker_report
from benchmarks.in_workers.measuring import WorkerResult, measure_workers
from benchmarks.measuring import TASKS, Result, measure, served
from benchmarks.report import page
from benchmarks.sections import section_of, with_section
from benchmarks.under_load.measuring import LOADS, LoadResult, measure_load
from example_projects.demo.programs import DemoError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare with the published SDK.")
    parser.add_argument("--quick", action="store_true", help="three short rounds, and no RESULTS.md")
    parser.add_argument("--workers", action="store_true", help="Celery workers only")
    parser.add_argument("--bulk", action="store_true", help="bulk through MailBridge only")
    parser.add_argument("--rounds", type=int, help="how many rounds to take the middle of (9)")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    ours, theirs = environments(ROOT)
    if options.workers:
        working = _workers(ours, theirs, rounds // 2 + 1, quick=options.quick)
        text = "" if working is None else worker_report.section(working, ours, theirs)
        print(f"\n{text}")
        if text and not options.quick:
            RESULTS.write_text(with_section(RESULTS.read_text("utf-8"), worker_report.TITLE, text), "utf-8")
        return 0 if working is not None and working.passed else 1
    if options.bulk:
        text, bulk_passed = _bulk(ours, rounds, quick=options.quick)
        print(f"\n{text}")
        if not options.quick:
            RESULTS.write_text(with_section(RESULTS.read_text("utf-8"), bulk_report.TITLE, text), "utf-8")
        return 0 if bulk_passed else 1
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
    working = _workers(ours, theirs, rounds // 2 + 1, quick=options.quick)
    # Without a Redis, what was measured on another day stays.
    workers = (
        section_of(RESULTS.read_text("utf-8"), worker_report.TITLE)
        if working is None
        else worker_report.section(working, ours, theirs)
    )
    bulk, bulk_passed = _bulk(ours, rounds, quick=options.quick)
    text = with_section(page(results, loaded, ours, theirs), bulk_report.TITLE, bulk)
    text = with_section(text, worker_report.TITLE, workers)
    print(f"\n{text}")
    if not options.quick:
        RESULTS.write_text(text, "utf-8")
    passed = [bulk_passed, *(result.passed for result in results), *(result.passed for result in loaded)]
    return 0 if all(passed) and (working is None or working.passed) else 1


def _bulk(ours: Environment, rounds: int, *, quick: bool) -> tuple[str, bool]:
    mailbridge = mailbridge_environment(ROOT)
    print("Measuring bulk through MailBridge …", end=" ", flush=True)
    results = measure_bulk(ours, mailbridge, rounds=rounds, quick=quick)
    print(", ".join(f"{result.ratio:.2f}" for result in results), flush=True)
    return bulk_report.section(results, ours, mailbridge), all(result.passed for result in results)


def _workers(ours: Environment, theirs: Environment, rounds: int, *, quick: bool) -> WorkerResult | None:
    print("Measuring Celery workers …", end=" ", flush=True)
    try:
        result = measure_workers(ours, theirs, rounds=rounds, quick=quick)
    except DemoError as error:
        print(f"left out: {error}")
        return None
    print(f"{result.ratio:.2f}, {result.overhead * 1e6:.0f} µs", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
