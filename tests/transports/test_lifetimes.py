"""Clients that nobody closes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.servers import answering, serving
from tests.transports.conversations import ON_ASYNCIO, SYNCHRONOUS

if TYPE_CHECKING:
    from tests.transports.conversations import Flavour

BEGINNING = """
import asyncio
import gc
from poststack import AsyncPostStack, PostStack
from poststack.transports.{flavour.module} import {flavour.transport_class} as Transport
EMAIL = {{"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}}
"""
PROGRAM = """
client = PostStack("sk_test_x", base_url={url!r}, transport=Transport())
client.emails.send(EMAIL)
if {collected}:
    del client
    gc.collect()
"""
ASYNCHRONOUS_PROGRAM = """
async def use(client):
    await asyncio.gather(*[client.emails.send(EMAIL) for _ in range(3)])
    if {collected}:
        del client
        gc.collect()
        for _ in range(100):  # Closing takes some turns of the loop, and waits for nobody.
            await asyncio.sleep(0)

def made():
    return AsyncPostStack("sk_test_x", base_url={url!r}, transport=Transport())

if {collected}:
    asyncio.run(use(made()))
else:
    client = made()
    asyncio.run(use(client))
    asyncio.run(use(client))
"""


def stderr_of(flavour: Flavour, url: str, *, collected: bool) -> str:
    program = BEGINNING + (PROGRAM if flavour.sync else ASYNCHRONOUS_PROGRAM)
    program = program.format(flavour=flavour, url=url, collected=collected)
    done = subprocess.run([sys.executable, "-W", "always", "-c", program], capture_output=True, text=True, check=True)
    return done.stderr


@pytest.mark.parametrize("collected", [True, False])
@pytest.mark.parametrize("flavour", [*SYNCHRONOUS, *ON_ASYNCIO])
def test_a_client_that_nobody_closes_ends_quietly(flavour: Flavour, collected: bool) -> None:
    with serving(answering()) as server:
        assert stderr_of(flavour, server.url, collected=collected) == ""
        assert len(server.requests) == 1 if flavour.sync else len(server.requests) in {3, 6}
