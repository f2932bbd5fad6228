"""What a client is configured with: arguments first, then the environment, then the service's own defaults."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from poststack._retry import RetryPolicy

__all__ = ["DEFAULT_BASE_URL", "Config", "check_transport", "checked_timeout", "is_http", "split_rate_limit"]

DEFAULT_BASE_URL: Final = "https://api.poststack.dev"
FASTEST: Final = 1e9
"""Calls a second. More limits nothing."""
LONGEST_TIMEOUT: Final = 1_000_000
"""Eleven days; sockets count milliseconds in 31 bits."""


class Config(NamedTuple):
    """Checked settings. Times are in seconds; the key never shows."""

    api_key: str
    base_url: str
    timeout: float
    retries: RetryPolicy
    deadline: float | None
    rate_limit: float | None = None
    """Calls a second."""

    def __repr__(self) -> str:
        """Return everything but the key."""
        return f"Config(base_url={self.base_url!r}, timeout={self.timeout}, {self.retries}, deadline={self.deadline})"

    @classmethod
    def resolve(
        cls,
        api_key: str | None,
        base_url: str | None,
        timeout: float,
        max_retries: int,
        deadline: float | None,
        rate_limit: float | None = None,
    ) -> Config:
        """Fill in from `POSTSTACK_API_KEY` and `POSTSTACK_BASE_URL`. Raises `ValueError` for what cannot work."""
        key = (api_key if api_key is not None else os.environ.get("POSTSTACK_API_KEY", "")).strip()
        if not key:
            raise ValueError(
                "No PostStack API key. Pass PostStack(api_key='sk_…'), or set POSTSTACK_API_KEY in the environment."
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError("The PostStack API key contains characters that no key has. Copy it again.")
        url = (base_url or os.environ.get("POSTSTACK_BASE_URL") or DEFAULT_BASE_URL).strip().rstrip("/")
        if not is_http(url):
            raise ValueError("base_url must be an absolute http or https address such as 'https://api.poststack.dev'.")
        if deadline is not None and not deadline > 0:
            raise ValueError("deadline must be more than 0 seconds, or None for no limit.")
        if max_retries < 0:
            raise ValueError("max_retries must be 0 or more.")
        return cls(key, url, checked_timeout(timeout), RetryPolicy(max_retries), deadline, rate_limit)


def split_rate_limit(given: object, method: str) -> tuple[float | None, Any]:
    """Return the number of calls a second and the limiter, of which there is one at most.

    `method` is what a limiter for this kind of client has. Raises `ValueError` for what limits nothing.
    """
    if given is None:
        return None, None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        if not 0 < given <= FASTEST:
            raise ValueError(
                f"rate_limit must be more than 0 calls a second, and at most {FASTEST:,.0f}, or None for no limit of "
                "your own."
            )
        return given, None
    if not callable(getattr(given, method, None)):
        raise ValueError(
            f"rate_limit is a number of calls a second, or a limiter of poststack.throttling with a method `{method}`; "
            f"not {type(given).__name__}."
        )
    return None, given


def check_transport(given: object, send: str, close: str) -> None:
    """Raise `ValueError` for what is no transport of this kind of client. Its two methods are called as given."""
    if isinstance(given, type):
        raise ValueError(f"transport is an object, not a class: pass {given.__name__}().")
    if all(callable(getattr(given, method, None)) for method in (send, close)):
        return
    kinds = {
        "send": ("PostStack", "HttpcoreTransport", ("asend", "aclose"), "AsyncPostStack"),
        "asend": ("AsyncPostStack", "AsyncHttpcoreTransport", ("send", "close"), "PostStack"),
    }
    client, default, methods_of_other, other = kinds[send]
    is_others = all(callable(getattr(given, method, None)) for method in methods_of_other)
    name = type(given).__name__
    raise ValueError(
        f"transport must have the methods `{send}` and `{close}`. "
        + (f"{name} is for {other}." if is_others else f"{name} has not.")
        + f" {client} takes {default}() of poststack.transports.httpcore, its like, or none at all."
    )


def checked_timeout(seconds: float) -> float:
    """Return the timeout of a client or of one call. Raises `ValueError` for what no socket can wait."""
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"timeout must be more than 0 seconds and at most {LONGEST_TIMEOUT:,}.")
    return seconds


def is_http(url: str) -> bool:
    """Return whether it is the whole address of something on the web, without a query and without a password."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0  # Reading it raises for a port that is no number.
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port_is_valid and bare and is_plain
