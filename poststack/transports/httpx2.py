"""Transports on httpcore2 and h11: what httpx2 is made of, as the default transports are on what httpx is made of.

httpcore2 opens connections and speaks to proxies; h11 speaks HTTP. httpx2 itself stays out: it would keep cookies, and
in a synchronous program it could not end an answer that comes byte by byte. What holds for the default transports holds
here: they may be shared by threads, by event loops (each has connections of its own), and across a fork.

Needs `pip install "poststack[httpx2]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack.transports._connections import Options
from poststack.transports._pools import AsyncPooledTransport, PooledTransport
from poststack.transports._proxied import async_connection_to, connection_to

try:
    import httpcore2
except ImportError as _error:
    raise ImportError('The transports on httpx2 need it: pip install "poststack[httpx2]"', name="httpx2") from _error

if TYPE_CHECKING:
    import ssl

__all__ = ["AsyncHttpx2Transport", "Httpx2Transport"]


class Httpx2Transport(PooledTransport):
    """Send requests over connections that are kept open, from any number of threads.

    At most `max_connections` are open to one origin; further calls wait for one, at most `timeout` seconds. An idle
    connection is dropped after `keepalive_expiry` seconds. `ssl_context` and `proxy` replace what the environment says.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        keepalive_expiry: float = 15.0,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(Options(max_connections, keepalive_expiry, ssl_context, proxy, httpcore2), connection_to)


class AsyncHttpx2Transport(AsyncPooledTransport):
    """Send requests over connections that are kept open, on asyncio and on trio.

    At most `max_connections` are open to one origin; further calls wait for one, at most `timeout` seconds. An idle
    connection is dropped after `keepalive_expiry` seconds. `ssl_context` and `proxy` replace what the environment says.
    A burst of calls is spread over several turns of an asyncio event loop, so that others are served meanwhile.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        keepalive_expiry: float = 15.0,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(Options(max_connections, keepalive_expiry, ssl_context, proxy, httpcore2), async_connection_to)
