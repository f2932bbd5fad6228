"""A fresh emulator with its pages for every test."""

from __future__ import annotations

import pytest

from tests.emulator.inbox.site import Site


@pytest.fixture
def site() -> Site:
    return Site()
