"""What tests need and a machine may lack: servers, and packages that are fetched while the tests run."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def is_missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where `POSTSTACK_REQUIRE_SERVICES=1` says that everything must be there."""
    if os.environ.get("POSTSTACK_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
