"""Somebody signs up for the walks and confirms the address; the page about it hears of each step as it happens.

The emulator and the application are programs of their own, as they would be in production.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from example_projects.demo.programs import DemoError, Program
from example_projects.demo.stage import SOON, Stage, done, say

__all__ = ["Visitor", "Walks", "demonstrate", "prepared"]

COMMAND: Final = ["-m", "example_projects.fastapi_signup"]
SHOWN: Final = re.compile(r'data-kind="(\w+)" data-status="(\w+)"')


def demonstrate(stage: Stage) -> None:
    """Start the programs, sign somebody up, show what happens."""
    walks = prepared(stage)
    walks.start()
    with Visitor(walks) as visitor:
        visitor.sign_up()
        done(f"signed up {visitor.email}, over HTTP")
        visitor.follow("confirm")
        visitor.confirm()
        done("opened the link in the letter and pressed the button")
        visitor.follow("welcome")
        if stage.once:
            say("\nBoth letters were delivered, and the open page was told so by server-sent events.")
            return
        say(
            f"\n  The walks   {walks.url}\n"
            f"  The page    {walks.url}{visitor.page}\n"
            f"  The inbox   {walks.api}/inbox\n\n"
            "Everything is on this machine only. Stop with Ctrl-C."
        )
        stage.stay()


@dataclass
class Walks:
    """The application and what joins it with the emulator."""

    stage: Stage
    api: str
    url: str
    environment: dict[str, str]

    def start(self, name: str = "walks") -> Program:
        """Start the application. It keeps what it has where it kept it before."""
        port = self.url.rpartition(":")[2]
        program = self.stage.start(name, [*COMMAND, "--port", port], self.environment)
        program.wait_until_it_answers(self.url, SOON)
        done(f"application started at {self.url}")
        return program


class Visitor:
    """Somebody with a browser."""

    def __init__(self, walks: Walks, email: str = "ada@example.com") -> None:
        self.walks = walks
        self.email = email
        self.page = ""
        self.browser = httpx.Client(base_url=walks.url, follow_redirects=True, timeout=SOON, trust_env=False)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def sign_up(self) -> str:
        """Fill in the form, and return the page that follows."""
        return self._submit("/sign-up", name="Ada Lovelace", email=self.email)

    def confirm(self) -> str:
        """Open the link of the newest letter, press the button, and return the page that follows."""
        wanted: dict[str, str | int] = {"to": self.email, "subject": "Is this your address?", "wait": 20}
        answer = httpx.get(f"{self.walks.api}/_emulator/emails/latest", params=wanted, timeout=SOON, trust_env=False)
        text: str = answer.raise_for_status().json()["email"]["payload"]["text"]
        (link,) = re.findall(rf"{self.walks.url}(/confirm/\S+)", text)
        self.browser.get(link).raise_for_status()
        return self._submit(link)

    def follow(self, kind: str) -> None:
        """Listen to the page until it says that a letter is delivered."""
        seen = ""
        with self.events() as fragments:
            for html in fragments():
                status = dict(SHOWN.findall(html)).get(kind, "")
                if status != seen:
                    say(f"      page: the letter “{kind}” is {status}")
                    seen = status
                if status == "delivered":
                    done(f"letter “{kind}” delivered, says the page")
                    return
        raise DemoError(f"The page stopped before the letter “{kind}” was delivered.{self.walks.stage.said()}")

    @contextmanager
    def events(self, version: str = "") -> Generator[Callable[[], Generator[str]]]:
        """Listen to the page as a browser does; fragments of HTML come as the server sends them."""
        with self.browser.stream("GET", f"{self.page}/events", params={"version": version}) as answer:
            answer.raise_for_status()

            def fragments() -> Generator[str]:
                lines: list[str] = []
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        lines.append(line.removeprefix("data: "))
                    elif not line and lines:
                        yield "\n".join(lines)
                        lines.clear()

            yield fragments

    def _submit(self, target: str, **fields: str) -> str:
        self.walks.stage.check()
        try:
            answer = self.browser.post(target, data=fields, headers={"Origin": self.walks.url})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"The application did not take {target}: {error}{self.walks.stage.said()}") from error
        if not answer.url.path.startswith("/sign-ups/"):
            raise DemoError(f"The application did not accept the form at {target}.{self.walks.stage.said()}")
        self.page = answer.url.path
        return answer.text


def prepared(stage: Stage) -> Walks:
    """Start the emulator, and return the application that is told of it."""
    secret = secrets.token_hex(24)
    url = f"http://127.0.0.1:{stage.port(8000)}"
    api = stage.start_emulator(f"{url}/webhooks/poststack", secret)
    environment = {
        "POSTSTACK_API_KEY": f"sk_test_{secrets.token_hex(12)}",
        "POSTSTACK_BASE_URL": api,
        "POSTSTACK_WEBHOOK_SECRETS": secret,
        "SIGNUP_DATA_DIR": str(stage.folder),
        "SIGNUP_URL": url,
    }
    return Walks(stage, api, url, environment)
