"""Do one thing many times with whichever `poststack` this interpreter has; print the CPU seconds that one took.

    python workload.py send     ADDRESS COUNT                one after another
    python workload.py asend    ADDRESS COUNT IN_FLIGHT      so many at a time, on one event loop
    python workload.py import                                `import poststack`
    python workload.py name                                  `from poststack import PostStack`
    python workload.py client                                that, and the first client made

CPU seconds are user and system time of this process, so neither the server nor other programs count.
"""

from __future__ import annotations

import asyncio
import sys
import time

WARM_UP = 50
PAYLOAD = {
    "from": "Shop <shop@example.com>",
    "to": ["ada@example.com"],
    "subject": "Thank you for your order",
    "html": "<p>Dear Ada, thank you for your order. It is on its way.</p>" * 10,
    "text": "Dear Ada, thank you for your order. It is on its way.",
    "tags": ["receipt"],
}


def send(address: str, count: int) -> float:
    """Return the CPU seconds of one synchronous send."""
    from poststack import PostStack

    with PostStack("sk_test_benchmark", address) as client:
        for _ in range(WARM_UP):
            client.emails.send(PAYLOAD)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # plain dict
        begun = time.process_time()
        for _ in range(count):
            client.emails.send(PAYLOAD)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # plain dict
        return (time.process_time() - begun) / count


async def asend(address: str, count: int, in_flight: int) -> float:
    """Return the CPU seconds of one send among several at a time."""
    from poststack import AsyncPostStack

    async with AsyncPostStack("sk_test_benchmark", address) as client:

        async def some(number: int) -> None:
            for _ in range(number):
                await client.emails.send(PAYLOAD)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # plain dict

        await asyncio.gather(*[some(2) for _ in range(in_flight)])  # Opens every connection.
        each = max(1, count // in_flight)
        begun = time.process_time()
        await asyncio.gather(*[some(each) for _ in range(in_flight)])
        return (time.process_time() - begun) / (each * in_flight)


def importing(how_far: str) -> float:
    """Return the CPU seconds of the import, in an interpreter that has not imported anything of it yet."""
    begun = time.process_time()
    if how_far == "import":
        __import__("poststack")
    else:
        from poststack import PostStack

        if how_far == "client":
            PostStack("sk_test_benchmark")
    return time.process_time() - begun


def main(what: str, *arguments: str) -> float:
    """Measure what was asked for."""
    if what == "send":
        return send(arguments[0], int(arguments[1]))
    if what == "asend":
        return asyncio.run(asend(arguments[0], int(arguments[1]), int(arguments[2])))
    return importing(what)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
