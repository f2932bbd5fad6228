"""From what an HTTP library received to an `HttpResponse`: headers folded, content decoded within a limit."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from poststack.transports.base import HttpResponse, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LONGEST_ANSWER", "answer", "folded", "too_long"]

LONGEST_ANSWER: Final = 128 * 2**20
"""Bytes of one decoded answer in memory. Above every answer of the API, below what would exhaust a worker."""


def too_long() -> TransportError:
    """Return the error for an answer over the limit."""
    return TransportError(f"the answer is longer than {LONGEST_ANSWER // 2**20} MiB")


def answer(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, reason: bytes = b"") -> HttpResponse:
    """Return the response value. Raises `TransportError` when the decoded body is over `LONGEST_ANSWER`."""
    fields = folded(headers)
    encoding = fields.get("content-encoding")
    return HttpResponse(status, fields, _decoded(body, encoding) if encoding else body, reason.decode("latin-1"))


def folded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by their lower-case names."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _decoded(body: bytes, encoding: str) -> bytes:
    # Content that does not decode is handed on as it is: the status still counts, and a success with it fails as JSON.
    for name in reversed([part.strip().lower() for part in encoding.split(",")[:4]]):
        if name in {"gzip", "x-gzip", "deflate"}:
            body = _inflated(body)
    return body


def _inflated(body: bytes) -> bytes:
    # 32 more than the window size reads gzip and zlib alike; a negative one reads bare deflate, as some servers send.
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        decoder = zlib.decompressobj(window)
        try:
            inflated = decoder.decompress(body, LONGEST_ANSWER + 1)
        except zlib.error:
            continue
        if len(inflated) > LONGEST_ANSWER:
            raise too_long()
        return inflated
    return body
