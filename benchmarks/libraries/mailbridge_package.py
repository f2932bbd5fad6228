"""MailBridge, with SendGrid as its provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any


def settings(address: str) -> dict[str, str]:
    return {"api_key": "SG.benchmark", "endpoint": f"{address}/v3/mail/send", "from_email": "shop@example.com"}


def make(address: str) -> Any:
    return import_module("mailbridge").MailBridge("sendgrid", **settings(address))


@contextmanager
def send(address: str) -> Generator[Callable[[Any], Any]]:
    mailer = make(address)
    yield lambda email: mailer.send(to=email["to"], subject=email["subject"], body=email["html"], tags=email["tags"])


@asynccontextmanager
async def asend(address: str) -> AsyncGenerator[Callable[[Any], Awaitable[Any]]]:
    async with import_module("mailbridge").AsyncMailBridge("sendgrid", **settings(address)) as mailer:
        yield lambda email: mailer.send(
            to=email["to"], subject=email["subject"], body=email["html"], tags=email["tags"]
        )
