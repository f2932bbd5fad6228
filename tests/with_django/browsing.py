"""Somebody of the project's staff, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client

if os.environ.get("POSTSTACK_REQUIRE_SERVICES") != "1":
    pytest.importorskip("playwright", reason="Playwright is not there: the admin is not tested in a browser.")
from playwright.sync_api import Browser, Page, sync_playwright

from tests.emulator.inbox import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, ConsoleMessage
    from pytest_django.live_server_helper import LiveServer

    from poststack.testing import EmulatorSession

__all__ = ["Desk", "chromium", "desk"]

# What Chromium says when the frame of a mail is kept from something; anything else on the console is a mistake of ours.
BLOCKED = re.compile(r"Content Security Policy|Blocked script execution|sandboxed|Blocked form submission|ERR_BLOCKED")


class Desk:
    """A browser whose user is logged in, and everything it complained about or asked for elsewhere."""

    def __init__(self, context: BrowserContext, address: str, user: User) -> None:
        self.address = address
        self.user = user
        self.complaints: list[str] = []
        self.asked_elsewhere: list[str] = []
        context.set_default_timeout(15_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.url))
        client = Client()
        client.force_login(user)
        cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
        self.page: Page = context.new_page()

    def _hear(self, message: ConsoleMessage) -> None:
        # The project of the tests has no icon, which browsers ask for by themselves.
        ignored = message.location["url"].endswith("/favicon.ico") or BLOCKED.search(message.text)
        if message.type in {"error", "warning"} and not ignored:
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address + "/", "data:", "blob:")):
            self.asked_elsewhere.append(url)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """Playwright runs an event loop in this thread, where the tests use the database."""
    executable = os.environ.get("POSTSTACK_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        browser.missing("Chromium")
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        launched = playwright.chromium.launch(executable_path=executable, args=list(browser.ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def desk(chromium: Browser, live_server: LiveServer, emu: EmulatorSession, settings: Any) -> Iterator[Desk]:
    """The tests send from this thread, too."""
    settings.POSTSTACK = {**settings.POSTSTACK, "BLOCK_EVENT_LOOP": True}
    user = User.objects.create_superuser("grace", "grace@example.com", "secret")
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    desk = Desk(context, live_server.url, user)
    yield desk
    context.close()
    assert desk.complaints == []
