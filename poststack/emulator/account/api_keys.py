"""The API keys that were made through the API. A key is known by its hash alone: nobody can read it anywhere again.

The keys the emulator makes have a form of their own with their number in it. One that was revoked, replaced or
forgotten is told from a key that somebody made up, which the emulator may accept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from poststack.emulator.ids import IdSource
from poststack.emulator.tables import Kind, Table
from poststack.types import ApiKeyMode, ApiKeyPermission

__all__ = ["API_KEYS", "ApiKey", "find_api_key", "has_made_form"]

_MADE = re.compile(r"sk_(?:live|test)_k([1-9][0-9]{0,17})_[A-Za-z0-9]{32}")
_RANDOM, _SHOWN = 32, 4


@dataclass
class ApiKey:
    """A key without the key itself. `domain` is the number of the only domain that it sends from, if there is one."""

    number: int
    name: str
    permission: ApiKeyPermission
    mode: ApiKeyMode
    created_at: float
    prefix: str = ""
    digest: str = field(default="", repr=False)
    domain: int | None = None
    last_used_at: float | None = None

    def replace_secret(self, ids: IdSource) -> str:
        """Return a new secret, which alone is accepted from now on."""
        secret = f"sk_{self.mode}_k{self.number}_{ids(_RANDOM)}"
        self.prefix = secret[: _SHOWN - _RANDOM]
        self.digest = _digest(secret)
        self.last_used_at = None
        return secret


def find_api_key(keys: Table[ApiKey], secret: str) -> ApiKey | None:
    """Return the key with this secret."""
    made = _MADE.fullmatch(secret)
    key = None if made is None else keys.get(int(made[1]))
    return key if key is not None and hmac.compare_digest(key.digest, _digest(secret)) else None


def has_made_form(secret: str) -> bool:
    """Return whether an emulator made this key, this one or another."""
    return _MADE.fullmatch(secret) is not None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


API_KEYS = Kind("api_key", ApiKey)
