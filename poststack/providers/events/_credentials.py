"""Who may call: user and password, a bearer token, or headers that were agreed on. Compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from poststack.providers.events.base import UnauthenticatedError

if TYPE_CHECKING:
    from typing import TypeAlias

    from poststack.receiving.checking import HiddenText

    Given: TypeAlias = "str | HiddenText | None"

__all__ = ["Credentials", "folded", "secret_text"]


class Credentials:
    """What every call must bring. Raises `ValueError` for a part that is empty, as an unset variable makes it."""

    def __init__(
        self,
        title: str,
        *,
        username: Given = None,
        password: Given = None,
        token: Given = None,
        headers: Mapping[str, str | HiddenText] | None = None,
    ) -> None:
        wanted: dict[str, bytes] = {}
        self._basic: bytes | None = None
        if username is not None or password is not None:
            user = secret_text(username, "username", title)
            if ":" in user:
                raise ValueError(f"{title}'s `username` contains a colon, which ends it when it is sent.")
            self._basic = f"{user}:{secret_text(password, 'password', title)}".encode()
        if token is not None:
            if self._basic is not None:
                raise ValueError(f"{title} has `token` or `username` and `password`: both are sent in one header.")
            wanted["authorization"] = f"Bearer {secret_text(token, 'token', title)}".encode()
        for name, value in (headers or {}).items():
            folded_name = name.strip().lower()
            if not folded_name or folded_name in wanted or (folded_name == "authorization" and self._basic):
                raise ValueError(f"{title}'s `headers` has a name that is empty, or that is taken.")
            wanted[folded_name] = secret_text(value, f"headers[{name!r}]", title).encode()
        self._wanted = wanted

    @property
    def are_given(self) -> bool:
        """Whether there is anything to ask for."""
        return self._basic is not None or bool(self._wanted)

    @property
    def are_basic(self) -> bool:
        """Whether user and password are among them."""
        return self._basic is not None

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise `UnauthenticatedError` unless all of them came. Names of headers are given in lower case."""
        right = self.are_given
        if self._basic is not None:
            right &= hmac.compare_digest(_basic_in(headers.get("authorization", "")), self._basic)
        for name, value in self._wanted.items():
            right &= hmac.compare_digest(headers.get(name, "").strip().encode("utf-8", "surrogatepass"), value)
        if not right:
            raise UnauthenticatedError("The credentials of the webhook call are missing or wrong.")

    def __repr__(self) -> str:
        return "Credentials(…)"


def secret_text(given: Given, setting: str, title: str) -> str:
    """Return a secret that must not be empty. Raises `ValueError` naming the setting, never showing it."""
    value = cast("Any", given)
    text: object = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{title} needs `{setting}`, and it is empty: anybody could then call.")
    return text.strip()


def folded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _basic_in(header: str) -> bytes:
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
