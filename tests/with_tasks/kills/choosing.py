"""Which cases of the kill matrix run: all of them take minutes, so without asking only those that say the most."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

__all__ = ["exhaustive", "only_exhaustively"]

only_exhaustively: Final = pytest.mark.skipif(
    os.environ.get("POSTSTACK_EXHAUSTIVE") != "1", reason="POSTSTACK_EXHAUSTIVE=1 runs the whole kill matrix"
)


def exhaustive(*values: Any) -> ParameterSet:
    """Return a case that runs only when everything is asked for."""
    return pytest.param(*values, marks=only_exhaustively)
