"""The tea shop's own tests, run as its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django")

ROOT = Path(__file__).parents[2]
SETTINGS = "example_projects.django_shop.settings"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", *arguments, "--settings", SETTINGS],
        cwd=ROOT,
        env={**os.environ, "SHOP_DATA_DIR": str(folder), "POSTSTACK_API_KEY": "sk_test_x"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_own_tests_pass(tmp_path: Path) -> None:
    done = run(tmp_path, "test", "example_projects.django_shop")

    assert done.returncode == 0, done.stderr
    assert "Ran 0 tests" not in done.stderr


def test_no_migration_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "makemigrations", "--check", "--dry-run")

    assert (done.returncode, done.stdout) == (0, "No changes detected\n"), done.stderr


def test_its_configuration_is_sound(tmp_path: Path) -> None:
    done = run(tmp_path, "check")

    assert done.returncode == 0, done.stderr
    assert "E0" not in done.stderr
