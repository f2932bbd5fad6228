"""pytest within a test, as users have it, without the plugins of other packages that only take time to load."""

from __future__ import annotations

from typing import Final

__all__ = ["WITHOUT_OTHER_PLUGINS"]

WITHOUT_OTHER_PLUGINS: Final = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:faker",
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:valkey",
)
"""Importing what Faker and Hypothesis bring takes three seconds of processor time, which is most of such a run."""
