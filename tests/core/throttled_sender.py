"""Sends e-mails from several threads, within a limit that all such programs share.

    python -m tests.core.throttled_sender API_URL REDIS_URL RATE NUMBER E_MAILS THREADS

It begins when it is written a line, so that several begin together.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from poststack import PostStack
from poststack.throttling import RedisRateLimiter


def main() -> None:
    """Send."""
    api, redis, rate, number, e_mails, threads = sys.argv[1:]
    client = PostStack("sk_test_processes", api, rate_limit=RedisRateLimiter(redis, float(rate)))

    def send(index: int) -> None:
        client.emails.send(
            {
                "from": "shop@example.com",
                "to": [f"u{index}@program-{number}.example.com"],
                "subject": "News",
                "text": "Hello",
            }
        )

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(send, range(int(e_mails))))


if __name__ == "__main__":
    main()
