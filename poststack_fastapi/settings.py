"""What a lifespan is configured with: its arguments, else the environment, read when the application starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from poststack.mailbridge.configured import provider_choice, provider_of_environment
from poststack.receiving import webhook_secrets
from poststack.throttling.configured import rate_limit_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poststack.mailbridge.configured import ProviderChoice
    from poststack.receiving import HiddenText, Secrets
    from poststack.throttling.configured import RateLimitChoice

__all__ = ["ClientSettings", "secrets_of"]

Number = TypeVar("Number", int, float)

SECRETS: Final = "POSTSTACK_WEBHOOK_SECRETS"
TIMEOUT: Final = 30.0
MAX_RETRIES: Final = 3


@dataclass(frozen=True)
class ClientSettings:
    """The arguments of a client; `None` is whatever the environment says, else the client's own default."""

    api_key: str | HiddenText | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    deadline: float | None = None
    provider: str | Callable[[], Any] | None = None
    provider_options: Mapping[str, Any] | None = field(default=None, repr=False)
    rate_limit: float | None = None
    rate_limit_redis: str | None = field(default=None, repr=False)

    def other_provider(self) -> ProviderChoice | None:
        """Return what sends instead of PostStack. A key of PostStack that is given goes before the environment.

        Raises `ValueError` for what cannot send.
        """
        if self.provider is None and self.provider_options is None:
            return provider_of_environment() if self.api_key is None else None
        return provider_choice(self.provider, self.provider_options)

    def limit(self) -> RateLimitChoice | None:
        """Return how many calls a second PostStack is asked to answer; `None` when nobody says.

        Raises `ValueError` naming the setting that is wrong.
        """
        return rate_limit_choice(self.rate_limit, self.rate_limit_redis, names=("rate_limit", "rate_limit_redis"))

    def patience(self) -> dict[str, Any]:
        """Return the times and the retries of a mailer, which has the client's defaults."""
        given = self.arguments()
        return {
            "timeout": given.get("timeout", TIMEOUT),
            "max_retries": given.get("max_retries", MAX_RETRIES),
            "deadline": given.get("deadline"),
        }

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that are given anywhere. Raises `ValueError` naming the variable that is wrong."""
        found = {
            "api_key": self.api_key if isinstance(self.api_key, str | None) else self.api_key.get_secret_value(),
            "base_url": self.base_url or _address("POSTSTACK_BASE_URL"),
            "timeout": _first(self.timeout, "POSTSTACK_TIMEOUT", _seconds),
            "max_retries": _first(self.max_retries, "POSTSTACK_MAX_RETRIES", _count),
            "deadline": _first(self.deadline, "POSTSTACK_DEADLINE", _seconds),
        }
        return {name: value for name, value in found.items() if value is not None}


def secrets_of(given: Secrets) -> tuple[str, ...]:
    """Return the signing secrets, those of the environment when none are given."""
    return webhook_secrets(os.environ.get(SECRETS) if given is None else given)


def _first(given: Number | None, variable: str, read: Callable[[str, str], Number]) -> Number | None:
    if given is not None:
        return given
    text = os.environ.get(variable, "").strip()
    return read(variable, text) if text else None  # An empty variable is what an unset one often becomes.


def _address(variable: str) -> str | None:
    text = os.environ.get(variable, "").strip()
    if text and not text.startswith(("http://", "https://")):
        raise ValueError(f"{variable} must be an http or https address such as 'https://api.poststack.dev'.")
    return text or None


def _seconds(variable: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 1_000_000:
        raise ValueError(f"{variable} must be a number of seconds, more than 0.")
    return seconds


def _count(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{variable} must be a whole number, 0 or more.")
    return int(text)
