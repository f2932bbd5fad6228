"""Keeping web pages of others out: a browser on this machine can be made to send requests here.

Two attacks matter. A foreign page posts a form here: `Origin` and `Sec-Fetch-Site` say so. A foreign name
is pointed at this address (DNS rebinding), which makes its page look like our own: the `Host` says so. An
address written in numbers cannot be rebound, and programs that are no browsers send none of the telling
headers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

__all__ = ["cross_site", "host_allowed", "host_name"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(host: str) -> str | None:
    """Return the name in a `Host` header, lower-case and without the port.

    `None` when there is no sense in it.
    """
    try:
        parts = urlsplit(f"//{host}")
        return None if parts.username is not None or parts.path else parts.hostname
    except ValueError:
        return None


def host_allowed(host: str | None, extra: Collection[str] = ()) -> bool:
    """Return whether this `Host` header names us: localhost, an IP address, or one of the extra names."""
    name = host_name(host) if host else None
    if name is None:
        return False
    name = name.rstrip(".")
    return name == "localhost" or name.endswith(".localhost") or _is_address(name) or name in extra


def cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request that changes something comes from a page of another site.

    Header names are lower-case.
    """
    if method.upper() in _SAFE_METHODS:
        return False
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
