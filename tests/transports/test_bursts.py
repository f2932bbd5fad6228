"""Many calls at the same moment leave turns of the event loop to everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from poststack.transports.base import HttpRequest
from poststack.transports.turnstile import PER_TURN, Turnstile
from tests.patience import PATIENCE
from tests.servers import ACCEPTED, Visitor, answering, serving
from tests.transports.conversations import ON_ASYNCIO
from tests.turns import Turns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from tests.transports.conversations import Flavour

BURST = 6 * PER_TURN


class Noted(Mapping[str, str]):
    """No headers; tells when they are written down."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    def __iter__(self) -> Iterator[str]:
        self._note()
        return iter(())

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __len__(self) -> int:
        return 0


class Together:
    """A script that answers nobody before everybody has asked."""

    def __init__(self) -> None:
        self.all_asked = threading.Event()
        self.answered = threading.Barrier(BURST + 1)
        self._asked = threading.Barrier(BURST, self.all_asked.set)

    def __call__(self, visitor: Visitor) -> None:
        if visitor.request():
            self._asked.wait(PATIENCE)
            visitor.send(ACCEPTED)
            self.answered.wait(PATIENCE)
            answering()(visitor)


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_calls_that_begin_together_are_sent_over_several_turns(flavour: Flavour) -> None:
    together = Together()

    async def main(url: str) -> Counter[int]:
        transport = flavour.transport()
        turns = Turns()
        first = asyncio.gather(*[transport.asend(HttpRequest("GET", url, {})) for _ in range(BURST)])
        await asyncio.to_thread(together.answered.wait, 20)
        await first  # Everybody has a connection now.
        requests = [HttpRequest("GET", url, Noted(turns.note)) for _ in range(BURST)]
        await asyncio.gather(*[transport.asend(request) for request in requests])
        await transport.aclose()
        return turns.events

    with serving(together) as server:
        sent = asyncio.run(main(server.url))

    assert sum(sent.values()) == BURST
    assert max(sent.values()) <= PER_TURN


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_calls_that_are_answered_together_go_on_over_several_turns(flavour: Flavour) -> None:
    together = Together()

    async def main(url: str) -> Counter[int]:
        transport = flavour.transport()
        turns = Turns()

        async def call() -> None:
            await transport.asend(HttpRequest("GET", url, {}))
            turns.note()

        calls = asyncio.gather(*[call() for _ in range(BURST)])
        while not together.all_asked.is_set():
            await asyncio.sleep(0)
        together.answered.wait(PATIENCE)  # Holds this loop up until all answers are there.
        await calls
        await transport.aclose()
        return turns.events

    with serving(together) as server:
        answered = asyncio.run(main(server.url))

    assert sum(answered.values()) == BURST
    assert max(answered.values()) <= PER_TURN


@pytest.mark.parametrize("flavour", ON_ASYNCIO)
def test_calls_cancelled_while_they_wait_for_their_turn_hold_up_nobody(flavour: Flavour) -> None:
    async def main(url: str) -> list[int | BaseException]:
        transport = flavour.transport()

        async def call() -> int:
            return int((await transport.asend(HttpRequest("GET", url, {}))).status)

        calls = [asyncio.create_task(call()) for _ in range(BURST)]
        await asyncio.sleep(0)
        for cancelled in calls[::2]:
            cancelled.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        await transport.aclose()
        return results

    with serving(answering()) as server:
        results = asyncio.run(main(server.url))

    assert results[1::2] == [202] * (BURST // 2)
    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])


def test_each_event_loop_has_turns_of_its_own() -> None:
    turnstile = Turnstile()

    async def main() -> int:
        turns = Turns()

        async def pass_through() -> None:
            await turnstile.enter()
            turns.note()

        await asyncio.gather(*[pass_through() for _ in range(BURST)])
        return max(turns.events.values())

    assert [asyncio.run(main()) for _ in range(3)] == [PER_TURN] * 3


def test_on_trio_everybody_passes() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        turnstile = Turnstile()
        for _ in range(BURST):
            await turnstile.enter()

    trio.run(main)
