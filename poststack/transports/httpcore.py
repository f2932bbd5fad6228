"""The default transports, on httpcore and h11: the engine inside httpx, without the layers this client has no use for.

httpcore opens connections and speaks to proxies; h11 speaks HTTP. Both transports keep connections open and reuse them.
Both may be shared: by threads, by event loops (each has connections of its own), and across a fork (the child opens its
own).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack.transports._connections import Options
from poststack.transports._pools import AsyncPooledTransport, PooledTransport
from poststack.transports._proxied import async_connection_to, connection_to

if TYPE_CHECKING:
    import ssl

__all__ = ["AsyncHttpcoreTransport", "HttpcoreTransport"]


class HttpcoreTransport(PooledTransport):
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
        super().__init__(Options(max_connections, keepalive_expiry, ssl_context, proxy), connection_to)


class AsyncHttpcoreTransport(AsyncPooledTransport):
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
        super().__init__(Options(max_connections, keepalive_expiry, ssl_context, proxy), async_connection_to)
