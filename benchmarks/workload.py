"""Do one thing many times with one library; print as JSON what it cost.

    python workload.py '{"library": "ours", "how": "asend", "address": "http://…", "count": 1000, "in_flight": 100}'

`library` is a file in `libraries/`, `how` one of its functions, `size` the number of characters of each e-mail's HTML.
Of what is printed, `cpu` is CPU seconds for each e-mail, user and system time of this process, so that neither the
server nor other programs count; `wall` is seconds for all of them; `memory` is MiB taken at most above what was taken
before.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BATCH = 100
WARM_UP = 50
PARAGRAPH = "<p>Dear Ada, thank you for your order. It is on its way.</p>"
memory: Any = runpy.run_path(str(HERE / "memory.py"))


def emails(count: int, size: int) -> Iterator[dict[str, Any]]:
    """Generate e-mails, each to somebody else."""
    shared = {
        "from": "Shop <shop@example.com>",
        "subject": "Thank you for your order",
        "html": (PARAGRAPH * (size // len(PARAGRAPH) + 1))[:size],
        "text": "Dear Ada, thank you for your order. It is on its way.",
        "tags": ["receipt"],
    }
    for number in range(count):
        yield {**shared, "to": [f"customer{number}@example.com"]}


class Meter:
    """Measures from its making until it is read."""

    def __init__(self) -> None:
        memory["reset_peak"]()
        self._memory = memory["resident"]()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self, count: int) -> dict[str, float]:
        """Return what was used."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return {"cpu": cpu / count, "wall": wall, "memory": memory["peak"]() - self._memory}


def one_by_one(library: Any, how: str, address: str, count: int, size: int) -> dict[str, float]:
    """Send one after another, or in lists."""
    with library[how](address) as call:
        warm_up = emails(BATCH if how == "batch" else min(WARM_UP, count), size)
        for given in [list(warm_up)] if how == "batch" else warm_up:
            call(given)
        meter = Meter()
        source = emails(count, size)
        if how == "batch":
            while given := list(islice(source, BATCH)):
                call(given)
        else:
            for email in source:
                call(email)
        return meter.read(count)


async def some_at_a_time(
    library: Any, how: str, address: str, count: int, size: int, in_flight: int
) -> dict[str, float]:
    """Send several at a time on one event loop."""
    async with library[how](address) as call:

        async def work(source: Iterator[Any]) -> None:
            if how == "abatch":
                while given := list(islice(source, BATCH)):
                    await call(given)
            else:
                for email in source:
                    await call(email)

        async def all_of(number: int) -> None:
            source = emails(number, size)
            await asyncio.gather(*[work(source) for _ in range(in_flight)])

        # Opens every connection.
        await all_of(in_flight * BATCH if how == "abatch" else min(2 * in_flight, count))
        meter = Meter()
        await all_of(count)
        return meter.read(count)


def any_number(library: Any, address: str, count: int, size: int) -> dict[str, float]:
    """Give all to a call that takes any number."""
    with library["many"](address) as call:
        call(emails(min(WARM_UP, count), size))
        meter = Meter()
        sent = call(emails(count, size))
        used = meter.read(count)
    return checked(sent, count, used)


async def any_number_asynchronously(library: Any, address: str, count: int, size: int) -> dict[str, float]:
    """Do the same on an event loop."""
    async with library["amany"](address) as call:
        await call(emails(min(WARM_UP, count), size))
        meter = Meter()
        sent = await call(emails(count, size))
        used = meter.read(count)
    return checked(sent, count, used)


def checked(sent: int, count: int, used: dict[str, float]) -> dict[str, float]:
    """Return what was used, if it was used for what was asked for."""
    if sent != count:
        raise RuntimeError(f"{sent} of {count} were sent")
    return used


def main(library: str, how: str, address: str, count: int, in_flight: int = 1, size: int = 600) -> dict[str, float]:
    """Measure what was asked for."""
    functions: Any = runpy.run_path(str(HERE / "libraries" / f"{library}.py"))
    if how == "many":
        return any_number(functions, address, count, size)
    if how == "amany":
        return asyncio.run(any_number_asynchronously(functions, address, count, size))
    if how in ("asend", "abatch"):
        return asyncio.run(some_at_a_time(functions, how, address, count, size, in_flight))
    return one_by_one(functions, how, address, count, size)


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
