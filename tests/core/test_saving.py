"""Files to download into, apart from what either client does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from poststack import AsyncPostStack
from tests.scripted import FeedingTransport

if TYPE_CHECKING:
    from pathlib import Path

    from poststack.transports.base import HttpRequest, HttpResponse


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_file_that_must_be_awaited_is_refused_before_anything_is_sent(tmp_path: Path, backend: str) -> None:
    transport = FeedingTransport([b"new"])

    async def main() -> None:
        async with await anyio.open_file(tmp_path / "file", "wb") as file:
            given: Any = file
            with pytest.raises(ValueError, match="not to be awaited"):
                await AsyncPostStack("sk_test_x", transport=transport).contacts.save_csv(given)

    anyio.run(main, backend=backend)

    assert transport.requests == []


class Endless:
    """Gives a part of a download, and says so; the rest never comes."""

    def __init__(self) -> None:
        self.begun = anyio.Event()

    async def asend(self, request: HttpRequest) -> HttpResponse:
        assert request.sink is not None
        await request.sink.awrite(b"x" * 2**20)
        self.begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None: ...


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_that_is_cancelled_leaves_no_file(tmp_path: Path, backend: str) -> None:
    async def main() -> None:
        transport = Endless()
        client = AsyncPostStack("sk_test_x", transport=transport)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.contacts.save_csv, tmp_path / "file")
            await transport.begun.wait()
            assert len(list(tmp_path.iterdir())) == 1
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=backend)

    assert list(tmp_path.iterdir()) == []
