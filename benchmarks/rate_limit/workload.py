"""Be one of several processes that send under a rate limit.

    python workload.py '{"address": "http://…", "count": 1250, "in_flight": 25, "limit": 12.5, "redis": null}'

Prints `ready` when it could begin, begins with a line on its standard input, and prints as JSON how many e-mails were
`sent` and `failed`, and when it `began` and `ended`. `limit` is the `rate_limit` of the client, with `redis` that of
all clients that share it there; without both the client is left to itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import Any

EMAIL = {
    "from": "Shop <shop@example.com>",
    "to": ["ada@example.com"],
    "subject": "Thank you for your order",
    "text": "Dear Ada, thank you for your order. It is on its way.",
}


def options(limit: float | None, redis: str | None) -> dict[str, Any]:
    """Return what the client is made with; the published SDK knows no such thing."""
    if redis is not None:
        return {"rate_limit": import_module("poststack.throttling").AsyncRedisRateLimiter(redis, limit)}
    return {} if limit is None else {"rate_limit": limit}


async def main(address: str, count: int, in_flight: int, limit: float | None, redis: str | None) -> dict[str, float]:
    """Send so many e-mails."""
    poststack: Any = import_module("poststack")
    failed = 0
    left = iter(range(count))
    async with poststack.AsyncPostStack("sk_test_benchmark", address, **options(limit, redis)) as client:

        async def work() -> None:
            nonlocal failed
            for _ in left:
                try:
                    await client.emails.send(EMAIL)
                except poststack.PostStackError as error:
                    if error.status_code != 429:  # Anything else would be measured as something that it is not.
                        raise
                    failed += 1

        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.time()
        await asyncio.gather(*[work() for _ in range(in_flight)])
        ended = time.time()
    return {"sent": count - failed, "failed": failed, "began": began, "ended": ended}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
