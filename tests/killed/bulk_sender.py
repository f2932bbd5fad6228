"""Sends a bulk, and says what is known of each e-mail once all of them have been dealt with.

    python -m tests.killed.bulk_sender ENDPOINT API_KEY DATABASE_OR_REDIS_URL PREFIX COUNT

Run by a test, which kills it at any moment and starts it again.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from poststack.mailbridge import EmailMessageDto, MailBridge, RedisKeyStore, SqliteKeyStore


def store_at(place: str, prefix: str) -> Any:
    """Return the store of keys."""
    if not place.startswith("redis"):
        return SqliteKeyStore(place)
    # redis-py describes its types in part only.
    redis: Any = import_module("redis")
    return RedisKeyStore(redis.Redis.from_url(place), prefix=prefix)


def main() -> None:
    """Send."""
    endpoint, api_key, place, prefix, count = sys.argv[1:]
    # A quarter of them share their content, and so their requests.
    messages = [
        EmailMessageDto(
            f"u{n}@example.net", "News", "<p>all</p>" if n % 4 == 0 else f"<p>{n}</p>", idempotency_key=f"news-{n}"
        )
        for n in range(int(count))
    ]
    arguments: dict[str, Any] = {"api_key": api_key, "endpoint": endpoint, "from_email": "shop@example.org"}
    with MailBridge("sendgrid", keys=store_at(place, prefix), concurrency=4, **arguments) as mailer:
        result = mailer.send_bulk(messages)
    sys.stdout.write(json.dumps([response.kind or "sent" for response in result.responses]))


if __name__ == "__main__":
    main()
