"""Without a connection nothing was sent, and the client says so; after any attempt that had one it is in doubt."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from poststack import AsyncPostStack, PostStack, PostStackConnectionError, PostStackTimeoutError
from poststack.transports.base import HttpRequest, HttpResponse, TransportError, TransportTimeoutError
from tests.servers import Visitor, closed_port, serving
from tests.transports.conversations import EMAIL, FLAVOURS, KEY, NoWaiting, outcome

if TYPE_CHECKING:
    from tests.transports.conversations import Flavour


def surely_nothing_sent(error: Any, text: str) -> None:
    assert isinstance(error, PostStackConnectionError)
    assert not error.may_have_taken_effect
    assert error.transient
    assert text in error.error
    assert "Nothing was sent" in error.error
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.may_have_taken_effect, str(again)) == (type(error), False, error.error)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("proxied", [False, True])
def test_nobody_there(flavour: Flavour, proxied: bool) -> None:
    with closed_port() as port:
        address = f"http://127.0.0.1:{port}"
        options = {"proxy": address} if proxied else {}
        url = "https://api.example.com" if proxied else address
        surely_nothing_sent(outcome(flavour, url, transport_options=options), f"No connection to {url} (")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_encryption_that_cannot_be_agreed_on(flavour: Flavour) -> None:
    with serving(lambda visitor: None) as server:
        url = server.url.replace("http:", "https:")
        surely_nothing_sent(outcome(flavour, url, max_retries=1), "No connection to https://")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("proxied", [False, True])
def test_an_answer_that_was_lost(flavour: Flavour, proxied: bool) -> None:
    def lose(visitor: Visitor) -> None:
        visitor.request()

    with serving(lose) as server:
        options = {"proxy": server.url} if proxied else {}
        url = "http://api.example.com" if proxied else server.url
        error = outcome(flavour, url, max_retries=0, transport_options=options)

    assert isinstance(error, PostStackConnectionError)
    assert error.may_have_taken_effect
    assert "may have taken effect" in error.error


class Failing:
    """A transport that fails as it is told, attempt by attempt."""

    def __init__(self, *failures: TransportError) -> None:
        self.clock = NoWaiting()
        self._failures = list(failures)

    def send(self, request: HttpRequest) -> HttpResponse:
        del request
        raise self._failures.pop(0)

    def close(self) -> None: ...

    async def asend(self, request: HttpRequest) -> HttpResponse:
        return self.send(request)

    async def aclose(self) -> None: ...


async def error_after(kind: type[PostStack | AsyncPostStack], *failures: TransportError) -> PostStackConnectionError:
    client = kind(KEY, transport=Failing(*failures), max_retries=len(failures) - 1)

    async def send() -> None:
        if isinstance(client, AsyncPostStack):
            await client.emails.send(EMAIL)
        else:
            client.emails.send(EMAIL)

    with pytest.raises(PostStackConnectionError) as caught:
        await send()
    return caught.value


def unsent() -> TransportError:
    return TransportError("refused", request_sent=False)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [PostStack, AsyncPostStack])
async def test_one_attempt_is_enough_for_doubt(kind: Any) -> None:
    for failures in ([TransportError("cut off"), unsent()], [unsent(), TransportError("cut off")]):
        error = await error_after(kind, *failures)

        assert error.may_have_taken_effect
        assert "may have taken effect" in error.error
        assert "Nothing was sent" not in error.error


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [PostStack, AsyncPostStack])
async def test_no_connection_in_time(kind: Any) -> None:
    error = await error_after(kind, unsent(), TransportTimeoutError("too late", request_sent=False))

    assert isinstance(error, PostStackTimeoutError)
    surely_nothing_sent(error, "No connection to https://api.poststack.dev in time (too late)")


@pytest.mark.parametrize("kind", [PostStackConnectionError, PostStackTimeoutError])
def test_an_error_made_by_others_is_in_doubt(kind: Any) -> None:
    assert kind(0, "No answer").may_have_taken_effect
