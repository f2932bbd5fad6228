"""Somebody signs up with Northlight; its RQ worker sends the letter of welcome.

The emulator, Redis, the site under gunicorn and the worker are programs of their own, as they would be in production:
site and worker share a database and the queue, the rest is HTTP.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final

import httpx

from example_projects.demo.programs import DemoError, Program
from example_projects.demo.stage import SOON, Stage, done, say

__all__ = ["SUBJECT", "Site", "Visitor", "demonstrate", "opened"]

SUBJECT: Final = "Welcome to Northlight"
COMMAND: Final = ["-m", "example_projects.flask_signup"]


def demonstrate(stage: Stage) -> None:
    """Start the programs, be a visitor, show what happens."""
    site = opened(stage)
    worker = site.start_worker()
    done("worker started, which does what is in the queue")
    with Visitor(site) as visitor:
        visitor.sign_up("ada@example.com")
        done("signed up ada@example.com, over HTTP")
        email_id = visitor.wait_for_id()
        done(f"e-mail “{SUBJECT}” accepted as {email_id}")
        say(f"      worker: {stage.wait_for('the worker to speak of it', lambda: worker.line_with(email_id))}")
        visitor.wait_for_state("delivered")
        done("delivered, says a signed webhook; the visitor's page shows it")
    if stage.once:
        say("\nThe e-mail was delivered, and the site was told so by signed webhooks.")
        return
    say(
        f"\n  Sign up     {site.url}\n"
        f"              as bounce@example.com or defer@example.com to see another fate\n"
        f"  The inbox   {site.api}/inbox\n\n"
        "Everything is on this machine only. Stop with Ctrl-C."
    )
    stage.stay()


@dataclass
class Site:
    """The running site and what joins it with the other programs."""

    stage: Stage
    api: str
    url: str
    environment: dict[str, str]

    def start_worker(self, name: str = "worker") -> Program:
        """Start an RQ worker."""
        return self.stage.start(name, [*COMMAND, "worker"], self.environment)


class Visitor:
    """Somebody with a browser."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.browser = httpx.Client(base_url=site.url, follow_redirects=True, timeout=SOON, trust_env=False)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def sign_up(self, email: str, name: str = "Ada Lovelace") -> None:
        """Fill in the form. Raises `DemoError` if the page of one's letters does not follow."""
        self.site.stage.check()
        try:
            token = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/"))
            form = {"csrf_token": token[1] if token else "", "name": name, "email": email}
            answer = self.browser.post("/", data=form).raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"The site did not take the form: {error}{self.site.stage.said()}") from error
        if answer.url.path != "/mail":
            raise DemoError(f"The site did not accept the form.{self.site.stage.said()}")

    def page(self, path: str) -> str:
        """Return a page."""
        return self.browser.get(path).raise_for_status().text

    def wait_for_id(self) -> str:
        """Return PostStack's id of the newest letter, as soon as the visitor's page shows it."""

        def shown() -> str | None:
            found = re.search(r"<code>(em_\w+)</code>", self.page("/mail"))
            return found and found[1]

        return self.site.stage.wait_for("the worker to store an id", shown)

    def wait_for_state(self, state: str) -> None:
        """Return as soon as the visitor's page shows this state."""
        self.site.stage.wait_for(
            f"the page to show {state!r}", lambda: f'data-state="{state}"' in self.page("/mail") or None
        )


def opened(stage: Stage) -> Site:
    """Start the emulator, Redis and the site, told where the others are."""
    secret = secrets.token_hex(24)
    port = stage.port(8000)
    url = f"http://127.0.0.1:{port}"
    api = stage.start_emulator(f"{url}/webhooks/poststack", secret)
    environment = {
        "POSTSTACK_API_KEY": f"sk_test_{secrets.token_hex(12)}",
        "POSTSTACK_BASE_URL": api,
        "POSTSTACK_WEBHOOK_SECRETS": secret,
        "SIGNUP_DATA_DIR": str(stage.folder),
        "SIGNUP_REDIS_URL": stage.start_redis(),
        "SIGNUP_SECRET_KEY": secrets.token_urlsafe(40),
    }
    stage.start("site", [*COMMAND, "--port", str(port)], environment).wait_until_it_answers(url, SOON)
    done(f"site started at {url}, under gunicorn")
    return Site(stage, api, url, environment)
