"""How long the pages of the inbox take with 10,000 stored e-mails: medians in milliseconds, printed.

Server-side time only: from the request entering the application to the complete answer, without a network. Run it
with `python benchmarks/inbox_list.py [number of e-mails]`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time

import httpx

from poststack.emulator.core import Emulator
from poststack.emulator.server import create_app
from poststack.emulator.settings import Settings
from poststack.transports.base import HttpRequest

_REPEATS = 15
_PARAGRAPH = "<p>Your parcel leaves our workshop tomorrow, dear customer, and we hope that it arrives in time.</p>\n"
_HTML = f"<html><head><style>{'p{color:#333}' * 100}</style></head><body>{_PARAGRAPH * 60}</body></html>"


def filled(count: int) -> Emulator:
    """Return an emulator that keeps so many e-mails with about 8 kB of HTML each."""
    emulator = Emulator(Settings(max_emails=count))
    now = time.time()
    for number in range(count):
        payload = {
            "from": "Meadow & Sons <shop@meadow.example>",
            "to": [f"Customer {number} <customer{number}@example.com>"],
            "subject": f"Your receipt for order #{number}",
            "html": _HTML,
            "tags": ["receipt", f"week-{number % 52}"],
        }
        headers = {"Authorization": "Bearer sk_test_benchmark"}
        body = json.dumps(payload).encode()
        response = emulator.handle(HttpRequest("POST", "http://emulator/emails", headers, body), now + number / 1000)
        assert response.status == 202, response.body
    emulator.run_due(now + count)
    return emulator


async def median(client: httpx.AsyncClient, path: str) -> float:
    """Return the median time of a page in milliseconds, after one request that does not count."""
    times: list[float] = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        answer = await client.get(path, headers={"Sec-Fetch-Mode": "same-origin"})
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.median(times[1:])


async def measure(count: int) -> None:
    """Print one line a page."""
    emulator = filled(count)
    middle = emulator.store.accepted()[count // 2]
    pages = {
        "list, first page": "/inbox/",
        "list, last page": f"/inbox/?page={count // 50}",
        "list, unread": "/inbox/?show=unread",
        "search, a subject": "/inbox/?q=subject:7777",
        "search, a word in all bodies": "/inbox/?q=workshop",
        "search, a word in none": "/inbox/?q=zebra",
        "message": f"/inbox/mail/{middle.id}",
        "message within a search": f"/inbox/mail/{middle.id}?q=subject:777",
        "frame of a message": f"/inbox/mail/{middle.id}/frame",
        "webhooks": "/inbox/webhooks",
    }
    print(f"{count:,} e-mails, median of {_REPEATS}, milliseconds on the server")
    transport = httpx.ASGITransport(create_app(emulator))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8025") as client:
        for name, path in pages.items():
            print(f"{name:32}{await median(client, path):8.1f}")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
