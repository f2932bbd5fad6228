"""The application with the emulator in memory behind it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from example_projects.fastapi_signup.app import create_app
from example_projects.fastapi_signup.settings import Settings
from example_projects.fastapi_signup.tests.walks import URL, Walks
from poststack_fastapi.testing import emulated_poststack


@pytest.fixture
def stopped(tmp_path: Path) -> Generator[Walks]:
    """The application, not started yet."""
    settings = Settings(tmp_path / "data", URL)
    app = create_app(settings)
    with emulated_poststack(app, webhook="/webhooks/poststack") as post:
        yield Walks(app, settings, post, TestClient(app))


@pytest.fixture
def walks(stopped: Walks) -> Generator[Walks]:
    """The application, running."""
    with stopped.running():
        yield stopped
