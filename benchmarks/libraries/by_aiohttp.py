"""aiohttp by hand: a key for each e-mail and a look at the status, and nothing else of what a client does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

HEADERS = {"Authorization": "Bearer sk_test_benchmark"}


def make(address: str) -> Any:
    async def made() -> None:
        await import_module("aiohttp").ClientSession(base_url=address, headers=HEADERS).close()

    return asyncio.run(made())


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    aiohttp: Any = import_module("aiohttp")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base_url=address, headers=HEADERS, connector=connector) as session:

        async def one(email: Any) -> Any:
            headers = {"Idempotency-Key": str(uuid4())}
            async with session.post("/emails", json=email, headers=headers, raise_for_status=True) as answer:
                return await answer.json()

        yield one
