"""A process that is killed in the middle of an event: `python -m tests.core.event_writer URL PREFIX LEASE BODY`."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any

from poststack.events import WebhookEvent, sign
from poststack.receiving import RedisEventStore, WebhookReceiver


def main(url: str, prefix: str, lease: str, body: str) -> None:
    redis: Any = import_module("redis")  # Its types are described in part only.
    store = RedisEventStore(redis.Redis.from_url(url), prefix=prefix, lease=float(lease))
    receiver = WebhookReceiver("secret", store=store)

    @receiver.on("*")
    def handle(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        print("begun", flush=True)
        time.sleep(600)

    receiver.receive(body.encode(), sign(body, "secret"))


if __name__ == "__main__":
    main(*sys.argv[1:])
