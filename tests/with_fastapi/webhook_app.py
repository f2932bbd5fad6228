"""An application for several workers: it counts in Redis how often an event is handled, and by whom it is answered."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from fastapi import FastAPI

from poststack import WebhookEvent
from poststack.receiving import AsyncRedisEventStore
from poststack_fastapi import make_lifespan, webhook_router

prefix = os.environ["TEST_PREFIX"]
redis: Any = import_module("redis.asyncio").Redis.from_url(os.environ["TEST_REDIS"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[Mapping[str, Any]]:
    poststack = make_lifespan(
        api_key="sk_test_x", webhook_secrets="secret", event_store=AsyncRedisEventStore(redis, prefix=f"{prefix}event:")
    )
    async with poststack(app) as state:
        yield state
    await redis.aclose()


app = FastAPI(lifespan=lifespan)
webhooks = webhook_router()


@webhooks.on("*")
async def count(event: WebhookEvent) -> None:
    await redis.incr(f"{prefix}handled")


app.include_router(webhooks)


@app.get("/pid")
async def pid() -> int:
    return os.getpid()
