"""What the environment says about proxies and certificate authorities, by the rules that httpx users know.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` (and the system's settings on macOS and Windows), `SSL_CERT_FILE`,
`SSL_CERT_DIR`.
"""

from __future__ import annotations

import os
import ssl
import sys

__all__ = ["default_ssl_context", "environment_proxy"]


def environment_proxy(scheme: str, host: str) -> str | None:
    """Return the proxy's address for this host, `None` to connect directly."""
    in_use = any(name.lower().endswith("_proxy") for name in os.environ)
    if not in_use and sys.platform not in {"darwin", "win32"}:
        return None  # Saves the import below, which costs as much as the rest of the package.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def default_ssl_context() -> ssl.SSLContext:
    """Return a verifying context: the authorities named by the environment, else certifi's."""
    if file := os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=file)
    if folder := os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
