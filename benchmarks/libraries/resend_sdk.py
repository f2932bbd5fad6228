"""The SDK of Resend. Its client is the module; it connects anew for each call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any


def make(address: str) -> Any:
    resend: Any = import_module("resend")
    resend.api_key = "re_benchmark"
    resend.api_url = address
    return resend


def adapted(email: dict[str, Any]) -> dict[str, Any]:
    return {**email, "tags": [{"name": tag, "value": "1"} for tag in email["tags"]]}


@contextmanager
def send(address: str) -> Generator[Callable[[Any], Any]]:
    resend = make(address)
    yield lambda email: resend.Emails.send(adapted(email))


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    resend = make(address)
    yield lambda email: resend.Emails.send_async(adapted(email))


@contextmanager
def batch(address: str) -> Generator[Callable[[list[Any]], Any]]:
    resend = make(address)
    yield lambda emails: resend.Batch.send([adapted(email) for email in emails])
