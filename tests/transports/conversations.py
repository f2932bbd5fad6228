"""Ways to make the same call on every kind of client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from poststack import AsyncPostStack, PostStack, PostStackError
from poststack._clock import SystemClock
from poststack.transports.httpcore import AsyncHttpcoreTransport, HttpcoreTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.types import SendEmail

KEY = "sk_test_do_not_show_me"
EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hello", "text": "Hello Ada"}
FLAVOURS = ["sync", "asyncio", "trio"]


class NoWaiting(SystemClock):
    """The real time, without the waits between attempts."""

    def sleep(self, seconds: float) -> None:
        del seconds

    async def asleep(self, seconds: float) -> None:
        del seconds


class Hasty(HttpcoreTransport):
    clock = NoWaiting()


class AsyncHasty(AsyncHttpcoreTransport):
    clock = NoWaiting()


def run_call(flavour: str, base_url: str, call: Callable[[Any], Any], **options: Any) -> Any:
    """Make a client, do one thing with it, close it and return the result."""
    transport_options: dict[str, Any] = options.pop("transport_options", {})
    if flavour == "sync":
        with PostStack(KEY, base_url, transport=Hasty(**transport_options), **options) as client:
            return call(client)

    async def main() -> Any:
        async with AsyncPostStack(KEY, base_url, transport=AsyncHasty(**transport_options), **options) as client:
            return await call(client)

    return anyio.run(main, backend=flavour)


def send(client: Any) -> Any:
    return client.emails.send(EMAIL)


def outcome(flavour: str, base_url: str, **options: Any) -> Any:
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
