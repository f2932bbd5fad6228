"""Sends many e-mails from a generator and says by how many MiB the process has grown meanwhile.

python -m tests.client.bulk.million COUNT threads|asyncio SIZE
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

from poststack import AsyncPostStack, PostStack
from poststack.transports.base import HttpRequest, HttpResponse


class Taking:
    """Takes every e-mail; each answer takes a moment of the event loop."""

    answers: dict[int, bytes] = {}  # noqa: RUF012  # one for each number of e-mails in a call

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        count = (request.body or b"").count(b'"idempotency_key":')
        if count not in self.answers:
            self.answers[count] = json.dumps({"data": [{"id": "em_8Zk2v0Qm1pT4c7Ra9x"}] * count}).encode()
        return HttpResponse(202, {}, self.answers[count])

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        await asyncio.sleep(0)
        return self.send(request)

    def close(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""


def emails(count: int, size: int) -> Iterator[Any]:
    """Yield e-mails that are so many bytes long or a little longer."""
    for number in range(count):
        yield {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": "x" * size}


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def send(count: int, size: int) -> int:
    """Send, and return how many were accepted."""
    client = PostStack("sk_test_1", "https://api.test", transport=Taking())
    return sum(result.sent for result in client.emails.send_many(emails(count, size)))


async def asend(count: int, size: int) -> int:
    """Send, and return how many were accepted."""
    client = AsyncPostStack("sk_test_1", "https://api.test", transport=Taking())
    sent = 0
    async for result in client.emails.send_many(emails(count, size)):
        sent += result.sent
    return sent


def main() -> None:
    """Measure."""
    count, flavour, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    def run(count: int) -> int:
        return send(count, size) if flavour == "threads" else asyncio.run(asend(count, size))

    run(1)
    before = peak()
    assert run(count) == count
    sys.stdout.write(f"{peak() - before:.1f}")


if __name__ == "__main__":
    main()
