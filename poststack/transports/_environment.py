"""What the environment says about proxies and certificate authorities, by the rules that httpx users know.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` (and the system's settings on macOS and Windows), `SSL_CERT_FILE`,
`SSL_CERT_DIR`.
"""

from __future__ import annotations

import os
import ssl
import sys

from poststack.transports._settings import checked_proxy
from poststack.transports.base import TransportError

__all__ = ["default_ssl_context", "environment_proxy"]


def environment_proxy(scheme: str, host: str) -> str | None:
    """Return the proxy's address for this host, `None` to connect directly.

    Raises `TransportError` for a proxy that cannot be used. What is wrong is not the e-mail: a queue keeps it until
    the environment is put right.
    """
    in_use = any(name.lower().endswith("_proxy") for name in os.environ)
    if not in_use and sys.platform not in {"darwin", "win32"}:
        return None  # Saves the import below, which costs as much as the rest of the package.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    kind = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or proxy_bypass(host):
        return None
    name = f"{kind.upper()}_PROXY, of the environment or the system's settings,"
    try:
        return checked_proxy(proxy, name, f", or name {host} in NO_PROXY to connect directly")
    except ValueError as error:
        raise TransportError(str(error), request_sent=False) from None


def default_ssl_context() -> ssl.SSLContext:
    """Return a verifying context: the authorities named by the environment, else certifi's."""
    if file := os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=file)
    if folder := os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
