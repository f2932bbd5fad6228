"""Many requests at the same moment that are going to send leave turns of the event loop to other routes."""

from __future__ import annotations

import asyncio
import threading

from fastapi import FastAPI

from poststack.testing import emulator
from poststack.transports.turnstile import PER_TURN
from poststack_fastapi import PostStackDep, make_lifespan
from tests.asgi import running
from tests.turns import Turns

BURST = 6 * PER_TURN


def test_requests_that_come_together_go_on_over_several_turns_and_without_a_thread() -> None:
    async def main() -> None:
        turns = Turns()
        threads = set(threading.enumerate())
        with emulator() as post:
            app = FastAPI(lifespan=make_lifespan(api_key="sk_test_x", transport=post.transport))

            @app.get("/")
            async def endpoint(client: PostStackDep) -> None:  # pyright: ignore[reportUnusedFunction]
                del client
                turns.note()

            async with running(app) as browser:
                await asyncio.gather(*[browser.get("/") for _ in range(BURST)])

        assert sum(turns.events.values()) == BURST
        assert max(turns.events.values()) <= PER_TURN
        assert set(threading.enumerate()) <= threads

    asyncio.run(main())
