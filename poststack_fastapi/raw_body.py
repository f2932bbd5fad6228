"""The body of a request as it came, which is what a signature is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["BodyTooLargeError", "IncompleteBodyError", "raw_body"]


class BodyTooLargeError(Exception):
    """More bytes came, or were announced, than are taken."""


class IncompleteBodyError(Exception):
    """The client has gone before the body was complete."""


async def raw_body(request: Request, most: int) -> bytes:
    """Return the body, and leave it to `request.body()` and `request.json()` as well.

    No more than `most` bytes are kept while it is read, however it is sent. Raises `BodyTooLargeError`,
    `IncompleteBodyError`, and `RuntimeError` when a form has been made of it before.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 15 or int(announced) > most):
        raise BodyTooLargeError
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise BodyTooLargeError
            parts.append(part)
    except ClientDisconnect:
        raise IncompleteBodyError from None
    body = b"".join(parts)
    # Where `request.body()` keeps it. Starlette offers no other way to read with a limit and to read again.
    setattr(request, "_body", body)  # noqa: B010
    return body
