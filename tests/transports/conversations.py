"""Ways to make the same call on every kind of client, over every transport."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import pytest

from poststack import AsyncPostStack, PostStack, PostStackError
from poststack._clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from poststack.transports.base import HttpRequest, HttpResponse
    from poststack.types import SendEmail

T = TypeVar("T")

KEY = "sk_test_do_not_show_me"
EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Hello Ada"}


@dataclass(frozen=True)
class Flavour:
    """A transport, and what it runs on."""

    name: str
    module: str
    transport_class: str = field(repr=False)
    backend: str | None
    """`asyncio` or `trio`; `None` for a synchronous transport."""
    needs: str = field(repr=False)

    @property
    def sync(self) -> bool:
        return self.backend is None

    def transport(self, **options: Any) -> Any:
        """Return a new transport."""
        return getattr(import_module(f"poststack.transports.{self.module}"), self.transport_class)(**options)

    def client(self, base_url: str, transport: Any = None, **options: Any) -> Any:
        """Return a new client, over a new transport unless one is given."""
        transport = transport or self.transport()
        return (PostStack if self.sync else AsyncPostStack)(KEY, base_url, transport=transport, **options)

    def run(self, main: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run a coroutine function on the event loop of this flavour."""
        assert self.backend is not None
        return anyio.run(main, *arguments, backend=self.backend)


SYNC = Flavour("sync", "httpcore", "HttpcoreTransport", None, "httpcore")
ALL = [
    SYNC,
    Flavour("asyncio", "httpcore", "AsyncHttpcoreTransport", "asyncio", "httpcore"),
    Flavour("trio", "httpcore", "AsyncHttpcoreTransport", "trio", "httpcore"),
    Flavour("aiohttp", "aiohttp", "AiohttpTransport", "asyncio", "aiohttp"),
    Flavour("httpx2-sync", "httpx2", "Httpx2Transport", None, "httpcore2"),
    Flavour("httpx2-asyncio", "httpx2", "AsyncHttpx2Transport", "asyncio", "httpcore2"),
    Flavour("httpx2-trio", "httpx2", "AsyncHttpx2Transport", "trio", "httpcore2"),
]


def chosen(suits: Callable[[Flavour], bool]) -> list[Any]:
    """Return the flavours of a kind as parameters of a test; those whose library is not installed are skipped."""
    return [
        pytest.param(
            flavour,
            id=flavour.name,
            marks=pytest.mark.skipif(find_spec(flavour.needs) is None, reason=f"{flavour.needs} is not installed"),
        )
        for flavour in ALL
        if suits(flavour)
    ]


FLAVOURS = chosen(lambda flavour: True)
SYNCHRONOUS = chosen(lambda flavour: flavour.sync)
ASYNCHRONOUS = chosen(lambda flavour: not flavour.sync)
ON_ASYNCIO = chosen(lambda flavour: flavour.backend == "asyncio")
ON_TRIO = chosen(lambda flavour: flavour.backend == "trio")


class NoWaiting(SystemClock):
    """The real time, without the waits between attempts."""

    def sleep(self, seconds: float) -> None:
        del seconds

    async def asleep(self, seconds: float) -> None:
        del seconds


def run_call(flavour: Flavour, base_url: str, call: Callable[[Any], Any], **options: Any) -> Any:
    """Make a client, do one thing with it, close it and return the result."""
    transport = flavour.transport(**options.pop("transport_options", {}))
    transport.clock = NoWaiting()
    if flavour.sync:
        with flavour.client(base_url, transport, **options) as client:
            return call(client)

    async def main() -> Any:
        async with flavour.client(base_url, transport, **options) as client:
            return await call(client)

    return flavour.run(main)


def send(client: Any) -> Any:
    return client.emails.send(EMAIL)


def outcome(flavour: Flavour, base_url: str, **options: Any) -> Any:
    """Return the answer to a send, or the `PostStackError` it ends in; everything else is raised."""
    try:
        return run_call(flavour, base_url, send, **options)
    except PostStackError as error:
        failure = error
    assert type(failure.status_code) is int
    assert isinstance(failure.error, str)
    assert failure.error == str(failure) != ""
    assert KEY not in f"{failure!r} {failure} {failure.headers}"
    return failure


def ask(flavour: Flavour, *requests: HttpRequest, **options: Any) -> list[HttpResponse]:
    """Send requests over a transport alone, one after the other, and return the answers."""
    transport = flavour.transport(**options)
    if flavour.sync:
        with contextlib.closing(transport):
            return [transport.send(request) for request in requests]

    async def main() -> list[HttpResponse]:
        try:
            return [await transport.asend(request) for request in requests]
        finally:
            await transport.aclose()

    return flavour.run(main)
