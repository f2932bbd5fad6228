"""Downloads: the body of an answer goes into a file as it comes, and is never in memory whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request
from poststack._saving import saving

if TYPE_CHECKING:
    import os

    from poststack._async.session import AsyncSession
    from poststack._saving import BinaryFile

__all__ = ["save"]


async def save(
    session: AsyncSession, request: Request[bytes], file: str | os.PathLike[str] | BinaryFile, timeout: float | None
) -> int:
    """Write the answer to a file and return how many bytes it has.

    Raises `ValueError` or `OSError` for a file that cannot be written, before anything is sent; `PostStackError` after,
    and what the file raises.
    """
    with saving(file) as sink:
        request.sink = sink
        body = await session.call(request, timeout)
        if body and not sink.received:
            await sink.awrite(body)  # Of a transport that knows of no sinks.
        await sink.aflush()
        return sink.received
