"""Use in `with` and `async with`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["AsyncClosable", "Closable"]


class Closable:
    """Closed at the end of a `with` block."""

    def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncClosable:
    """Closed at the end of an `async with` block."""

    async def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Do the same, under the name that `AsyncPostStack` has for it."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
