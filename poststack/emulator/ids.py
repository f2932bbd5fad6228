"""Where ids come from: unguessable by default, countable in tests."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

__all__ = ["IdSource", "counted_ids", "random_ids"]

IdSource = Callable[[int], str]
_ALPHABET = string.ascii_letters + string.digits
_system_random = random.SystemRandom()


def random_ids(length: int) -> str:
    """Return so many random letters and digits."""
    return "".join(_system_random.choices(_ALPHABET, k=length))


def counted_ids() -> IdSource:
    """Return a source whose ids count up from 1, padded with zeros, so that two runs give the same."""
    counter = 0

    def next_id(length: int) -> str:
        nonlocal counter
        counter += 1
        return str(counter).zfill(length)

    return next_id
