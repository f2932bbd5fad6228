"""What a transport may be set up with. Checked when it is made: found later, it would look like a failing network."""

from __future__ import annotations

import ssl
from typing import Any, cast
from urllib.parse import urlsplit

__all__ = ["check_keepalive_expiry", "check_max_connections", "check_ssl_context", "checked_proxy"]


# All of them take any object: not everybody runs a type checker.
def check_max_connections(given: object) -> None:
    """Raise `ValueError` for what is no number of connections."""
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ValueError("max_connections must be a whole number of connections, 1 or more.")


def check_keepalive_expiry(given: object) -> None:
    """Raise `ValueError` for what is no number of seconds."""
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not given >= 0:
        raise ValueError(
            "keepalive_expiry must be a number of seconds, 0 or more: so long an idle connection is kept open."
        )


def check_ssl_context(given: object) -> None:
    """Raise `ValueError` for what is neither TLS settings nor `None`."""
    if given is not None and not isinstance(given, ssl.SSLContext):
        raise ValueError(
            "ssl_context must be an ssl.SSLContext such as ssl.create_default_context() makes, or None for the "
            f"environment's certificate authorities; not {type(given).__name__}."
        )


def checked_proxy(given: object, name: str, remedy: str = "") -> str:
    """Return the whole address of a proxy; one without a scheme is of HTTP, as everywhere in the environment.

    `name` says where it is from, `remedy` what else can be done about it. Raises `ValueError`, without the address,
    which may hold a password.
    """
    if not isinstance(given, str):
        raise ValueError(f"{name} must be text such as 'http://proxy.example.com:3128'; not {type(given).__name__}.")
    address = given if "://" in given else f"http://{given}"
    scheme = address.partition("://")[0].lower()
    if scheme.startswith("socks"):
        raise ValueError(f"{name} names a SOCKS proxy, which cannot be used. Give the address of an HTTP one{remedy}.")
    if scheme not in {"http", "https"} or not _is_place(address):
        raise ValueError(
            f"{name} must be the address of an HTTP proxy, such as 'http://proxy.example.com:3128' or "
            f"'http://user:password@proxy.example.com:3128'. Correct it{remedy}."
        )
    return address


def _is_place(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = cast("Any", parts.port)  # Reading it raises for a port that is no number.
    except ValueError:
        return False
    is_plain = address.isascii() and address.isprintable() and " " not in address
    bare = parts.path in {"", "/"} and not (parts.query or parts.fragment)
    return is_plain and bare and bool(parts.hostname) and port != 0
