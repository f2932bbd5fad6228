"""A transport of the wrong kind is refused when the client is made, and the right one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack import AsyncPostStack, PostStack
from tests.transports.conversations import FLAVOURS, KEY

if TYPE_CHECKING:
    from tests.transports.conversations import Flavour


class Whole:
    """A transport for both kinds of client, as far as anybody can see who does not call it."""

    def send(self, request: object) -> None: ...

    def close(self) -> None: ...

    async def asend(self, request: object) -> None: ...

    async def aclose(self) -> None: ...


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_of_the_other_kind_of_client(flavour: Flavour) -> None:
    transport = flavour.transport()
    right, wrong = (PostStack, AsyncPostStack) if flavour.sync else (AsyncPostStack, PostStack)

    right(KEY, transport=transport)
    named = rf"{flavour.transport_class} is for {right.__name__}\. {wrong.__name__} takes"
    with pytest.raises(ValueError, match=named):
        wrong(KEY, transport=transport)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("client", [PostStack, AsyncPostStack])
def test_a_class(flavour: Flavour, client: Any) -> None:
    with pytest.raises(ValueError, match=rf"not a class: pass {flavour.transport_class}\(\)"):
        client(KEY, transport=type(flavour.transport()))


@pytest.mark.parametrize("client", [PostStack, AsyncPostStack])
@pytest.mark.parametrize("given", [5, "httpx", object(), []])
def test_something_else(client: Any, given: object) -> None:
    with pytest.raises(ValueError, match=rf"^transport must have the methods .* {type(given).__name__} has not"):
        client(KEY, transport=given)


@pytest.mark.parametrize("client", [PostStack, AsyncPostStack])
def test_one_for_both_kinds(client: Any) -> None:
    client(KEY, transport=Whole())


def test_half_a_transport() -> None:
    class Half:
        def send(self, request: object) -> None: ...

    half: Any = Half()
    with pytest.raises(ValueError, match="`send` and `close`"):
        PostStack(KEY, transport=half)
