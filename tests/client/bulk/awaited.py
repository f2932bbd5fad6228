"""What has to be awaited, where it is not: the same for the tests of both clients."""

from __future__ import annotations


async def told_later(progress: object) -> None:
    """Do nothing, once somebody awaits it."""


class ToldLater:
    """The same as an object."""

    async def __call__(self, progress: object) -> None:
        """Do nothing, once somebody awaits it."""
