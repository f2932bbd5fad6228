"""What the tests of `poststack send-many` share: an API over HTTP, and files in a folder of their own."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.sending_many.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generator[Desk]:
    """Return a folder to work in, with an API of its own."""
    monkeypatch.chdir(tmp_path)
    with Desk(tmp_path, capsys) as made:
        monkeypatch.setenv("POSTSTACK_BASE_URL", made.api.address)
        monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_desk")
        yield made
