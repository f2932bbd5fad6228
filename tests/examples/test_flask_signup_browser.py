"""Northlight's pages in a real browser, at the width of a phone and of a desk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("flask")
pytest.importorskip("flask_wtf")
pytest.importorskip("rq")
pytest.importorskip("starlette")

from tests.emulator.inbox import browser
from tests.emulator.inbox.browser import overflow
from tests.examples import northlight
from tests.examples.northlight import worker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from example_projects.demo.flask import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn and RQ's worker fork"),
]

chromium, site = browser.chromium, northlight.site


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_keeps_itself_up_to_date(site: Site, chromium: Browser, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(site.url)
    assert overflow(page) <= 0
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("E-mail address").fill(f"{width}@example.com")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_text("Waiting for a worker").wait_for()
    with worker(site):
        page.locator("[data-state=delivered]").wait_for()

    assert overflow(page) <= 0
    assert complaints == []
    context.close()
