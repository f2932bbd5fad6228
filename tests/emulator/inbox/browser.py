"""Chromium, without a window, and somebody who looks at the inbox with it.

Uses `POSTSTACK_CHROMIUM` or Debian's `chromium`; without one, skipped in one line, or failed when
`POSTSTACK_REQUIRE_SERVICES=1`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

if os.environ.get("POSTSTACK_REQUIRE_SERVICES") != "1":
    pytest.importorskip("playwright", reason="Playwright is not there: the inbox is not tested in a browser.")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from tests.emulator.inbox.receiver import Receiver
from tests.emulator.inbox.served import Served

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What Chromium says when the frame of a mail is kept from something; anything else on the console is a mistake of ours.
BLOCKED = re.compile(
    r"Content Security Policy|Blocked script execution|sandboxed|Unsafe attempt|Blocked form submission|ERR_BLOCKED"
)


def missing(what: str) -> NoReturn:
    if os.environ.get("POSTSTACK_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is required and not there.")
    pytest.skip(f"{what} is not there: the inbox is not tested in a browser.")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = os.environ.get("POSTSTACK_CHROMIUM") or shutil.which("chromium")
    if executable is None or not Path(executable).exists():
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class Visit:
    """Somebody who looks at the inbox, and everything the browser complained about or asked for meanwhile."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.complaints: list[str] = []
        self.asked_elsewhere: list[str] = []
        context.set_default_timeout(15_000)
        context.on("console", lambda message: self._complain(message.type, message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.url))
        self.page: Page = context.new_page()

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address + "/", "data:", "blob:")):
            self.asked_elsewhere.append(url)

    def open(self, path: str = "/inbox/") -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def visit(chromium: Browser, served: Served, elsewhere: Receiver) -> Iterator[Visit]:
    # A tab that a test has opened may still ask `elsewhere` for its icon: it must outlive the browser's tabs.
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    visit = Visit(context, served.address)
    yield visit
    context.close()
    assert not visit.complaints, visit.complaints
    assert not visit.asked_elsewhere, visit.asked_elsewhere


@pytest.fixture
def hostile_visit(chromium: Browser, served: Served, elsewhere: Receiver) -> Iterator[Visit]:
    """A visit to mail that asks for things: Chromium says so on the console each time it refuses."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    visit = Visit(context, served.address)
    yield visit
    context.close()
    unexpected = [text for text in visit.complaints if not BLOCKED.search(text)]
    assert not unexpected, unexpected


def subjects(page: Page) -> Locator:
    return page.locator("#messages .subject")


def overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
