"""httpx by hand: a key for each e-mail and a look at the status, and nothing else of what a client does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

HEADERS = {"Authorization": "Bearer sk_test_benchmark"}


def make(address: str) -> Any:
    return import_module("httpx").Client(base_url=address, headers=HEADERS)


@contextmanager
def send(address: str) -> Generator[Callable[[Any], Any]]:
    with make(address) as client:

        def one(email: Any) -> Any:
            answer = client.post("/emails", json=email, headers={"Idempotency-Key": str(uuid4())})
            return answer.raise_for_status().json()

        yield one


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    httpx: Any = import_module("httpx")
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, headers=HEADERS, limits=limits) as client:

        async def one(email: Any) -> Any:
            answer = await client.post("/emails", json=email, headers={"Idempotency-Key": str(uuid4())})
            return answer.raise_for_status().json()

        yield one
