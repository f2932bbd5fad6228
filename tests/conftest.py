"""What all tests share: a clean environment, and the project as a user installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the distribution, built as a wheel, is installed by itself."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, str(folder), str(ROOT)], check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the developer's own environment says about PostStack and about proxies."""
    for name in list(os.environ):
        is_setting = name.startswith("POSTSTACK_") and name not in {"POSTSTACK_REQUIRE_SERVICES", "POSTSTACK_CHROMIUM"}
        if (is_setting and not name.startswith("POSTSTACK_TEST_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
