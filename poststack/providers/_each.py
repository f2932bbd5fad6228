"""Many calls at once, but never more than so many: on an event loop, and on threads.

Both return when everything they began has ended, whatever happens: nothing goes on behind the caller's back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["acall_each", "call_each"]

Item = TypeVar("Item")
Result = TypeVar("Result")


async def acall_each(
    function: Callable[[Item], Awaitable[Result]], items: Sequence[Item], at_once: int
) -> list[Result]:
    """Return the results in the order of the items. Cancelled, it cancels what is under way."""
    if len(items) == 1:
        return [await function(items[0])]
    import anyio

    results: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    # As many tasks as may be under way, not as many as there are items: those would all be alive from the start.
    async def work() -> None:
        for index, item in waiting:
            results[index] = await function(item)

    async with anyio.create_task_group() as group:
        for _ in range(min(at_once, len(items))):
            group.start_soon(work)
    return [results[index] for index in range(len(items))]


def call_each(function: Callable[[Item], Result], items: Sequence[Item], at_once: int) -> list[Result]:
    """Return the results in the order of the items. Interrupted, it waits for what is under way and begins no more."""
    if len(items) == 1 or at_once == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(at_once, len(items)), thread_name_prefix="poststack") as pool:
        # Each in a context of its own: one cannot be entered twice at the same time.
        futures = [pool.submit(copy_context().run, function, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
