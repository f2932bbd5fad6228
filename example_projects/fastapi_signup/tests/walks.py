"""The application from a visitor's side, and the world outside it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_projects.fastapi_signup.parts import Parts
from example_projects.fastapi_signup.settings import Settings
from poststack.testing import EmulatorSession

URL = "https://walks.example"


@dataclass
class Walks:
    """The application, its visitor's browser while it runs, and the post."""

    app: FastAPI
    settings: Settings
    post: EmulatorSession
    browser: TestClient

    @property
    def parts(self) -> Parts:
        parts: Parts = self.browser.app_state["parts"]
        return parts

    @contextmanager
    def running(self) -> Generator[None]:
        """Start the application, and end it."""
        with TestClient(self.app, base_url=URL, raise_server_exceptions=False) as browser:
            self.browser = browser
            # It would also send what a test stores in its first moments.
            self.call(self.parts.post_office.caught_up.wait)
            yield

    def sign_up(self, name: str = "Ada", email: str = "ada@example.com", **headers: str) -> str:
        """Fill in the form and return the page that follows."""
        return self.browser.post("/sign-up", data={"name": name, "email": email}, headers=headers).text

    def confirm_link(self) -> str:
        """The link in the newest letter, as a path."""
        (link,) = re.findall(rf"{URL}(/confirm/\S+)", self.post.sent[-1].text or "")
        return str(link)

    def call(self, work: Any, *arguments: Any, **options: Any) -> Any:
        """Run a coroutine function where the application runs."""
        portal = self.browser.portal
        assert portal is not None
        return portal.call(partial(work, *arguments, **options))

    def sweep(self) -> int:
        """Try everything again that is left over."""
        tried: int = self.call(self.parts.post_office.sweep, self.app.state.poststack, due=False)
        return tried

    def deliver(self) -> None:
        """Let time pass for the post: it delivers, and tells the webhook."""
        self.post.clock.advance(60)

    def rows(self, query: str) -> list[Any]:
        """Look into the database."""
        with closing(sqlite3.connect(self.settings.data_dir / "signup.sqlite3", timeout=10)) as connection:
            found = connection.execute(query).fetchall()
            connection.commit()
            return found
