"""This project, on aiohttp."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

KEY = "sk_test_benchmark"


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    transport = import_module("poststack.transports.aiohttp").AiohttpTransport()
    async with import_module("poststack").AsyncPostStack(KEY, address, transport=transport) as client:
        yield client.emails.send
