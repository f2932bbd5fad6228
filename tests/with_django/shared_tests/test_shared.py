"""Django's own tests of mail backends pass, on each Django, however the project is configured."""

from __future__ import annotations

import email.errors
import os
import re
import subprocess
import sys
from pathlib import Path

import django
import pytest

from tests.services import is_missing
from tests.with_django.api import CONFIGURATIONS
from tests.with_django.shared_tests.fetch import NotFetchedError, fetched

ROOT = Path(__file__).parents[3]
HERE = "tests.with_django.shared_tests"
# A loader that finds too few tests reports success as well, so their number is part of what is asserted.
NUMBER_OF_TESTS = {(5, 2): 18, (6, 0): 20, (6, 1): 11}

pytestmark = [
    pytest.mark.skipif(
        django.VERSION >= (6, 1) and not hasattr(email.errors, "HeaderWriteError"),
        reason="Django 6.1's own tests need a newer patch release of this Python",
    ),
]


@pytest.fixture(scope="session")
def djangos_tests(pytestconfig: pytest.Config) -> Path:
    """Return the folder that contains Django's tests of mail, as a package `mail`."""
    cache = pytestconfig.cache
    assert cache is not None
    try:
        return fetched(cache.mkdir("django-mail-tests"))
    except NotFetchedError as error:
        is_missing(str(error))


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("app", ["installed", "not installed"])
def test_djangos_own_tests_pass(djangos_tests: Path, app: str, configuration: str) -> None:
    # The two classes under which Django files what the next versions remove. Naming Django's own, more exact ones here
    # has no effect: Python reads these options before it can import Django.
    warnings = ["-W", "error::DeprecationWarning", "-W", "error::PendingDeprecationWarning"]
    command = ["-m", "django", "test", f"--settings={HERE}.settings", f"{HERE}.backend_tests"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(djangos_tests),
        "POSTSTACK_TEST_APP": app,
        "POSTSTACK_TEST_CONFIGURATION": configuration,
    }
    run = subprocess.run(
        [sys.executable, *warnings, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    ran = re.search(r"^Ran (\d+) tests? in .*\n\nOK$", run.stderr, re.MULTILINE)

    assert run.returncode == 0, run.stderr
    assert ran is not None, run.stderr
    assert int(ran[1]) == NUMBER_OF_TESTS[django.VERSION[:2]]
