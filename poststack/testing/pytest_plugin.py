"""The fixtures that `pip install poststack` adds to pytest. Loading this imports nothing else of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from poststack import AsyncPostStack, PostStack
    from poststack.testing import EmulatorSession

__all__ = ["async_poststack_client", "poststack_client", "poststack_emulator"]


@pytest.fixture
def poststack_emulator() -> Generator[EmulatorSession]:
    """Run an emulator in memory, empty for every test."""
    from poststack.testing import emulator

    with emulator() as session:
        yield session


@pytest.fixture
def poststack_client(poststack_emulator: EmulatorSession) -> PostStack:
    """Make a client whose e-mails end up in `poststack_emulator`."""
    return poststack_emulator.client()


@pytest.fixture
def async_poststack_client(poststack_emulator: EmulatorSession) -> AsyncPostStack:
    """Make an asynchronous client whose e-mails end up in `poststack_emulator`."""
    return poststack_emulator.async_client()
