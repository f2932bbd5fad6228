"""Distributions from PyPI to compare with, each in an environment of its own that is made once."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.services import is_missing


def installed(config: pytest.Config, name: str, requirements: list[str]) -> Path:
    """Return an interpreter that has the requirements.

    Without PyPI the test is skipped, or fails where `POSTSTACK_REQUIRE_SERVICES=1` says that everything must be there.
    """
    cache = config.cache
    assert cache is not None
    folder = cache.mkdir(f"{name}-{sys.version_info.major}.{sys.version_info.minor}")
    python = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    complete = folder / "complete"
    if not complete.exists():
        # Elsewhere first: several processes may be at it.
        with TemporaryDirectory(dir=folder) as temporary:
            made = Path(temporary) / "venv"
            venv.create(made)
            pip = [sys.executable, "-m", "pip", "--python", str(made / python), "--disable-pip-version-check"]
            command = [*pip, "install", "--quiet", *requirements]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                is_missing(f"{name} cannot be installed from PyPI: {run.stderr.strip().splitlines()[-1:]}")
            try:
                made.rename(complete)
            except OSError:
                if not complete.exists():  # Otherwise another process was quicker.
                    raise
    return complete / python
