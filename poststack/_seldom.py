"""Warnings about what may go wrong with every call, and is to be told once a minute."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["SeldomWarning"]

PAUSE: Final = 60.0


class SeldomWarning:
    """Logs a warning, unless the same one did so within the last minute."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._again_at = float("-inf")

    def log(self, *values: object) -> None:
        """Log the text with these values. Two threads at the same moment may both do so."""
        now = time.monotonic()
        if now < self._again_at:
            return
        self._again_at = now + PAUSE
        from logging import getLogger

        getLogger("poststack").warning(self._text, *values)
