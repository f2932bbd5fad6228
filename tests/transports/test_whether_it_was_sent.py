"""A failure says whether anything of the request can have left: only then is it in doubt what became of it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from poststack.transports.base import HttpRequest, TransportError, TransportTimeoutError
from tests.patience import PATIENCE
from tests.servers import ACCEPTED, Visitor, serving
from tests.transports.conversations import FLAVOURS, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.conversations import Flavour

pytestmark = pytest.mark.parametrize("flavour", FLAVOURS)


def failure(flavour: Flavour, request: HttpRequest, **options: Any) -> TransportError:
    """Return how a request fails."""
    with pytest.raises(TransportError) as caught:
        ask(flavour, request, **options)
    return caught.value


def post(url: str, timeout: float = 10.0) -> HttpRequest:
    return HttpRequest("POST", url, {}, b"{}", timeout)


def closing(visitor: Visitor) -> None:
    visitor.request()


def silent(visitor: Visitor) -> None:
    visitor.request()
    visitor.stay_silent()


def garbled(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(b"no HTTP\r\n\r\n")


def test_nobody_there(flavour: Flavour) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not failure(flavour, post(f"http://127.0.0.1:{unused.getsockname()[1]}/")).request_sent


def test_a_name_that_nobody_has(flavour: Flavour) -> None:
    assert not failure(flavour, post("http://nobody.invalid/")).request_sent


def test_encryption_that_cannot_be_agreed_on(flavour: Flavour) -> None:
    with serving(lambda visitor: None) as server:
        assert not failure(flavour, post(server.url.replace("http:", "https:"))).request_sent


def test_no_connection_free(flavour: Flavour) -> None:
    taken, release = threading.Event(), threading.Event()

    def busy(visitor: Visitor) -> None:
        visitor.request()
        taken.set()
        release.wait(PATIENCE)
        visitor.send(ACCEPTED)

    with serving(busy) as server:
        error = second_failure(flavour, server.url, taken, release)
    assert isinstance(error, TransportTimeoutError)
    assert not error.request_sent


def second_failure(flavour: Flavour, url: str, taken: threading.Event, release: threading.Event) -> TransportError:
    """Return how a request fails while the only connection is busy with another."""
    if flavour.sync:
        transport = flavour.transport(max_connections=1)
        first = threading.Thread(target=transport.send, args=(post(url),))
        first.start()
        taken.wait(PATIENCE)
        with pytest.raises(TransportError) as caught:
            transport.send(post(url, 0.1))
        release.set()
        first.join()
        transport.close()
        return caught.value

    async def main() -> TransportError:
        transport = flavour.transport(max_connections=1)
        found: list[TransportError] = []
        async with anyio.create_task_group() as group:
            group.start_soon(transport.asend, post(url))
            while not taken.is_set():
                await anyio.sleep(0.001)
            with pytest.raises(TransportError) as caught:
                await transport.asend(post(url, 0.1))
            found.append(caught.value)
            release.set()
        await transport.aclose()
        return found[0]

    return flavour.run(main)


@pytest.mark.parametrize("script", [closing, garbled])
def test_an_answer_that_is_none(flavour: Flavour, script: Callable[[Visitor], None]) -> None:
    with serving(script) as server:
        assert failure(flavour, post(server.url)).request_sent


def test_no_answer_in_time(flavour: Flavour) -> None:
    with serving(silent) as server:
        error = failure(flavour, post(server.url, 0.2))
    assert isinstance(error, TransportTimeoutError)
    assert error.request_sent
