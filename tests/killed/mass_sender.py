"""Sends many e-mails with one call, and writes what became of each.

    python -m tests.killed.mass_sender URL KEY_PREFIX COUNT threads|asyncio

Run by a test, which kills it at any moment and starts it again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from poststack import AsyncPostStack, BulkResult, PostStack

if TYPE_CHECKING:
    from poststack.types import SendEmail


def emails(count: int) -> Iterator[SendEmail]:
    """Yield the same e-mails in each run."""
    for number in range(count):
        yield {"from": "shop@example.com", "to": [f"u{number}@example.net"], "subject": "News", "text": f"No. {number}"}


def note(result: BulkResult) -> None:
    """Write a result as soon as it is there."""
    sys.stdout.write(f"{result.index} {result.id} {result.replayed} {result.error}\n")
    sys.stdout.flush()


async def send(url: str, prefix: str, count: int) -> None:
    """Send with the asynchronous client."""
    async with AsyncPostStack("sk_test_killed", url) as client:
        async for result in client.emails.send_many(emails(count), key_prefix=prefix):
            note(result)


def main() -> None:
    """Send."""
    url, prefix, count, flavour = sys.argv[1:]
    if flavour == "asyncio":
        asyncio.run(send(url, prefix, int(count)))
        return
    with PostStack("sk_test_killed", url) as client:
        for result in client.emails.send_many(emails(int(count)), key_prefix=prefix):
            note(result)


if __name__ == "__main__":
    main()
