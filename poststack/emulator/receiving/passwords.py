"""Passwords of mailboxes, kept as salted hashes: what is in memory and in the data file does not tell them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["hashed", "matches"]

# The cost that RFC 7914 suggests for logging in: 16 MiB and some 50 ms.
_COST, _BLOCK_SIZE, _PARALLEL = 2**14, 8, 1
_SALT_BYTES, _HASH_BYTES = 16, 32


def hashed(password: str) -> str:
    """Return what to keep of a password: a salt and a hash, another one each time."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt:{salt.hex()}:{_scrypt(password, salt).hex()}"


def matches(password: str, kept: str) -> bool:
    """Return whether this is the password of which `kept` was made."""
    _, salt, expected = kept.split(":")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK_SIZE, p=_PARALLEL, dklen=_HASH_BYTES)
