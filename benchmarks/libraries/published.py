"""The published SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any

KEY = "sk_test_benchmark"


def make(address: str) -> Any:
    return import_module("poststack").PostStack(KEY, address)


@contextmanager
def send(address: str) -> Generator[Callable[[Any], Any]]:
    with make(address) as client:
        yield client.emails.send


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    async with import_module("poststack").AsyncPostStack(KEY, address) as client:
        yield client.emails.send


@contextmanager
def batch(address: str) -> Generator[Callable[[list[Any]], Any]]:
    with make(address) as client:
        yield lambda emails: client.emails.batch({"emails": emails})


@asynccontextmanager
async def abatch(address: str) -> AsyncGenerator[Callable[[list[Any]], Awaitable[Any]]]:
    async with import_module("poststack").AsyncPostStack(KEY, address) as client:
        yield lambda emails: client.emails.batch({"emails": emails})
