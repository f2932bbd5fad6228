"""A fresh emulator with its pages for every test."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.inbox.site import Site

if find_spec("starlette") is None or find_spec("jinja2") is None:
    # Without the extra `emulator` there are no pages to test.
    collect_ignore_glob = ["*"]
elif find_spec("playwright") is not None:
    from tests.emulator.inbox import browser

    # pytest finds fixtures in the conftest of their folder.
    chromium, served, elsewhere = browser.chromium, browser.served, browser.elsewhere
    visit, hostile_visit = browser.visit, browser.hostile_visit


@pytest.fixture
def site() -> Site:
    from tests.emulator.inbox.site import Site

    return Site()
