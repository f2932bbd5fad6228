"""A fresh emulator for every test."""

from __future__ import annotations

import pytest

from tests.emulator.app import App


@pytest.fixture
def app() -> App:
    return App()
