"""What all tests share: a clean environment, and the project as a user installs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.collecting import collect_tests, keep_collected_tests
from tests.interrupting import heed_signals
from tests.measuring import pytest_collection, pytest_configure, pytest_runtest_protocol, pytest_sessionfinish

__all__ = [
    "collect_tests",
    "keep_collected_tests",
    "pytest_collection",
    "pytest_configure",
    "pytest_runtest_protocol",
    "pytest_sessionfinish",
]

ROOT = Path(__file__).parents[1]

heed_signals()

# How quick an example is decides nothing: the machine may be busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the distribution, built as a wheel, is installed by itself."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, str(folder), str(ROOT)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    """Start `poststack emulator` as a program of its own and return its address."""
    command = [sys.executable, "-m", "poststack", "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            else:
                pytest.fail("The emulator ended before it named its address.")
            yield found[0]
        finally:
            process.terminate()
            process.stdout.read()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the developer's own environment says about PostStack and about proxies."""
    for name in list(os.environ):
        is_setting = name.startswith("POSTSTACK_") and name not in {"POSTSTACK_REQUIRE_SERVICES", "POSTSTACK_CHROMIUM"}
        if (is_setting and not name.startswith("POSTSTACK_TEST_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
