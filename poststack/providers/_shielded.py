"""What is to be done to its end, also by one who is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["ashielded", "shielded"]

Arguments = ParamSpec("Arguments")


async def ashielded(
    function: Callable[Arguments, Awaitable[None]], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> None:
    """Await a call that no cancellation reaches. It must be short, and have time limits of its own."""
    import anyio

    with anyio.CancelScope(shield=True):
        await function(*args, **kwargs)


def shielded(function: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
    """Call. Threads are not cancelled, so there is nothing to keep away."""
    function(*args, **kwargs)
