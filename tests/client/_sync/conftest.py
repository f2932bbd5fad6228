# Written by tools/unasync.py from tests/client/_async/conftest.py. Do not edit.
"""A client that talks to an emulator of its own, and holds each answer to its type."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poststack import PostStack
from poststack.testing import EmulatorSession, emulator
from tests.conforming import checked


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def emu() -> Iterator[EmulatorSession]:
    with emulator() as session:
        yield session


@pytest.fixture
def client(emu: EmulatorSession) -> PostStack:
    return checked(emu.client())
