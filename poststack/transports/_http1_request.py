"""A request of HTTP/1.1 as bytes, checked: nothing in a value can end its line and begin another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from poststack.transports.base import TransportError

if TYPE_CHECKING:
    from poststack.transports.base import HttpRequest

__all__ = ["complete_headers", "request_parts"]

WRITE_SIZE: Final = 256 * 2**10
"""Bytes between two looks at the clock; an e-mail with attachments has up to 34 MB."""
SMALL: Final = 16 * 2**10
"""Bytes of a body that are copied behind the headers: one system call and one packet for most e-mails."""
# RFC 9112 §3 and §5, without the bytes above ASCII, which it only tolerates.
_HEAD: Final = re.compile(r"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~\t]*\r\n)+\r\n")


def complete_headers(request: HttpRequest, host: str) -> list[tuple[str, str]]:
    """Return all headers of a request in the order in which the published SDK sends them."""
    if request.body is not None:
        length = str(len(request.body))
        return [("Host", host), *request.headers.items(), ("Content-Length", length)]
    if request.method == "POST":
        return [("Host", host), ("Content-Length", "0"), *request.headers.items()]
    return [("Host", host), *request.headers.items()]


def request_parts(request: HttpRequest, target: str, host: str) -> list[memoryview]:
    """Return the parts to send, in order. Raises `TransportError` for what HTTP cannot say; nothing was sent then.

    They are views because error reports print the variables of a failed call, and the headers hold the API key.
    """
    headers = complete_headers(request, host)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    head = f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n"
    if not _HEAD.fullmatch(head) or head.count("\n") != len(headers) + 2:
        del headers, lines, head
        raise TransportError("the address or a header holds characters that HTTP does not allow", request_sent=False)
    body = request.body or b""
    if len(body) <= SMALL:
        return [memoryview(head.encode("ascii") + body)]
    view = memoryview(body)
    parts = [view[start : start + WRITE_SIZE] for start in range(0, len(view), WRITE_SIZE)]
    return [memoryview(head.encode("ascii")), *parts]
