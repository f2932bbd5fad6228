"""How to reach a mail server and log in, and for how long a connection to it is good."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from poststack.transports._environment import default_ssl_context
from poststack.transports._smtp_dialogue import Credentials, SmtpAnswer
from poststack.transports.base import TransportError, TransportTimeoutError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from poststack.transports._smtp_dialogue import SmtpRequest

__all__ = ["PART", "QUIT_PATIENCE", "LoginRefusals", "SmtpServer", "patience", "token_error"]

PART: Final = 256 * 2**10
"""Bytes of an e-mail that are written in one step, for which the timeout counts."""
QUIT_PATIENCE: Final = 2.0
"""Seconds to wait for the reply to QUIT: nothing depends on it."""
LOGIN_REST: Final = 30.0


@dataclass(frozen=True)
class SmtpServer:
    """A mail server. Times are in seconds.

    `security` is `starttls`, `tls` (from the first byte on), or `plain`. With `oauth_token`, a function that returns an
    access token, the login is XOAUTH2. A connection is used for `messages_per_connection` e-mails at most, and not
    again after it was idle for `idle_limit`. `local_hostname` is what the client calls itself; nobody is asked for it.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "plain"] = "starttls"
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    oauth_token: Callable[[], str | Awaitable[str]] | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    local_hostname: str = "[127.0.0.1]"
    max_connections: int = 4
    idle_limit: float = 30.0
    messages_per_connection: int = 100

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings: the given ones, or those that check certificates as the rest of the package does."""
        return self.ssl_context or default_ssl_context()

    def credentials(self, secret: str | None) -> Credentials | None:
        """Return who logs in; `secret` is a token that was just fetched, or `None` for the password."""
        if self.username is None:
            return None
        if secret is not None:
            return Credentials(self.username, secret, is_token=True)
        return Credentials(self.username, self.password or "")


class LoginRefusals:
    """Remembers a refused login for half a minute, so that a bulk does not lock the account by a thousand of them."""

    def __init__(self) -> None:
        self._last: tuple[Credentials, SmtpAnswer, float] | None = None

    def known(self, credentials: Credentials | None) -> SmtpAnswer | None:
        """Return the answer to the same credentials, if it was just given."""
        last = self._last
        if last is None or last[0] != credentials or time.monotonic() > last[2]:
            return None
        return last[1]

    def note(self, credentials: Credentials | None, answer: SmtpAnswer) -> None:
        """Remember it if it is one that does not change by itself."""
        if credentials is not None and answer.stage == "auth" and answer.reply.code >= 500:
            self._last = (credentials, answer, time.monotonic() + LOGIN_REST)


def patience(request: SmtpRequest) -> float:
    """Return how long the next step may take. Raises `TransportTimeoutError` once the deadline has passed."""
    if request.deadline is None:
        return request.timeout
    left = request.deadline - time.monotonic()
    if left <= 0:
        raise TransportTimeoutError("the deadline of the call has passed", request_sent=False)
    return min(request.timeout, left)


def token_error(error: Exception) -> TransportError:
    """Return what it means that the caller's function gave no token."""
    return TransportError(f"`oauth_token` gave no token: {type(error).__name__}", request_sent=False)
