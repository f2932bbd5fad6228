"""JSON from outside, made fit for every database: some of what JSON can say breaks an INSERT."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ["storable", "without_breakers"]

# PostgreSQL stores neither NUL nor halves of surrogate pairs, and JSON can spell both.
_BREAKERS: Final = re.compile("[\x00\ud800-\udfff]")
DEEPEST: Final = 30
"""Levels of nesting that are kept. MariaDB takes 32; no event of the API comes near."""


def without_breakers(text: str) -> str:
    """Return the text with what a database cannot store replaced by the replacement character."""
    return _BREAKERS.sub("\ufffd", text)


def storable(value: object, depth: int = 0) -> Any:
    """Return a JSON value that every database can store: clean texts, finite numbers, bounded nesting."""
    if isinstance(value, str):
        return without_breakers(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST and isinstance(value, (Mapping, list)):
        return None
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        return {without_breakers(name): storable(inner, depth + 1) for name, inner in fields.items()}
    if isinstance(value, list):
        return [storable(inner, depth + 1) for inner in cast("list[object]", value)]
    return value
