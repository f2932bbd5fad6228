"""How long tests wait for what another thread, process or program is about to bring about."""

from __future__ import annotations

from typing import Final

__all__ = ["PATIENCE"]

PATIENCE: Final = 200.0
"""Seconds. No pass mark: what takes so long on any machine, however busy, has failed. Shorter than a test may take."""
