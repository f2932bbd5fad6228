"""This project."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
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


@contextmanager
def many(address: str) -> Generator[Callable[[Iterable[Any]], int]]:
    with make(address) as client:

        def send_all(emails: Iterable[Any]) -> int:
            return sum(1 for result in client.emails.send_many(emails) if result.error is None)

        yield send_all


@asynccontextmanager
async def amany(address: str) -> AsyncGenerator[Callable[[Iterable[Any]], Awaitable[int]]]:
    async with import_module("poststack").AsyncPostStack(KEY, address) as client:

        async def send_all(emails: Iterable[Any]) -> int:
            sent = 0
            async for result in client.emails.send_many(emails):
                sent += result.error is None
            return sent

        yield send_all
