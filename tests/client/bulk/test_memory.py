"""Memory stays flat, however many e-mails there are, and however large."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SIZES = [(1_000_000 if os.environ.get("POSTSTACK_EXHAUSTIVE") == "1" else 30_000, 300, 20.0), (200, 1_000_000, 150.0)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="It tells no such figure.")
@pytest.mark.parametrize(("count", "size", "most"), SIZES, ids=["many", "large"])
@pytest.mark.parametrize("flavour", ["threads", "asyncio"])
def test_memory_stays_flat(flavour: str, count: int, size: int, most: float) -> None:
    """Large ones: 200 MB in 26 calls, of which four are in flight and as many at most prepared."""
    command = [sys.executable, "-m", "tests.client.bulk.million", str(count), flavour, str(size)]
    out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout

    assert float(out) < most
