"""The demonstration: the tea shop sends its mail through PostStack, to the emulator on this machine.

    python -m example_projects.demo          # goes on until Ctrl-C, for you to look around
    python -m example_projects.demo --once   # ends by itself: status 0 if both e-mails were delivered

The emulator, the shop and its drainer, which sends what the shop has put into its outbox, are programs of their own, as
they would be in production: shop and drainer share a database, the rest is HTTP. What they keep is in a temporary
folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import secrets
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from example_projects.programs import DemoError, DemoStoppedError, Program, free_port

SOON: Final = 30.0
"""Seconds that each step may take."""

SUMMARY: Final = "Show the tea shop sending its mail through PostStack, to the emulator on this machine."

APPS: Final = ("django",)

EMULATOR: Final = "import sys; from poststack.cli import main; sys.exit(main(sys.argv[1:]))"


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m example_projects.demo", description=SUMMARY)
    parser.add_argument("app", nargs="?", choices=APPS, default=APPS[0], help="the framework of the shop")
    parser.add_argument("--once", action="store_true", help="end after the e-mails are delivered")
    once: bool = parser.parse_args(arguments).once
    stop = threading.Event()

    def request_stop(number: int, frame: object) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):  # Windows has no SIGHUP.
            signal.signal(number, request_stop)
    try:
        with tempfile.TemporaryDirectory(prefix="poststack-demo-") as folder:
            demonstrate(Path(folder), once, stop)
    except DemoStoppedError:
        _say("\nStopped; nothing is left running.")
        return 130 if once else 0
    except DemoError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(folder: Path, once: bool, stop: threading.Event) -> None:
    """Start the programs, be their customer, show what happens."""
    with running(folder, once, stop) as demo, Customer(demo) as customer:
        customer.sign_up()
        _done(f"signed up {customer.email}, over HTTP")
        demo.follow("Welcome to Kettle & Leaf", customer.email)
        customer.order("late-oolong")
        _done("ordered two tins of Late Oolong")
        demo.follow("Your order", customer.email)
        if once:
            _say("\nBoth e-mails were delivered, and the shop was told so by signed webhooks.")
            return
        _say(
            f"\n  The shop    {demo.shop}\n"
            f"              customer {customer.email}, password {customer.password}\n"
            f"  Its admin   {demo.shop}/admin/poststack/sentemail/\n"
            f"              user admin, password {demo.admin_password}\n"
            f"  The inbox   {demo.api}/inbox\n\n"
            "Everything is on this machine only. Stop with Ctrl-C."
        )
        while True:
            demo.check()
            stop.wait(1.0)


@dataclass
class Demo:
    """The running programs and what joins them."""

    api: str
    shop: str
    admin_password: str
    database: Path
    emulator: Program
    program: Program
    drainer: Program

    @property
    def programs(self) -> tuple[Program, Program, Program]:
        """All of them."""
        return self.emulator, self.program, self.drainer

    def check(self) -> None:
        """Raise `DemoError` if one of the programs has ended, `DemoStoppedError` if all are to."""
        for program in self.programs:
            program.check()

    def follow(self, subject: str, recipient: str) -> None:
        """Show how an e-mail is accepted and delivered, as the shop has stored it."""
        email_id, _ = self.wait_for(
            f"the drainer to store the id of {subject!r}",
            lambda: self.stored(subject, recipient, "email_id IS NOT NULL"),
        )
        line = self.wait_for(f"the drainer to speak of {email_id}", lambda: self.drainer.line_with(email_id))
        _done(f"e-mail “{subject}” accepted as {email_id}")
        _say(f"      drainer: {line}")
        delivered = (
            "m.status = 'delivered' AND EXISTS (SELECT 1 FROM poststack_emailevent e WHERE e.sent_email_id = m.id)"
        )
        _, at = self.wait_for(
            f"a webhook to say that {email_id} is delivered", lambda: self.stored(subject, recipient, delivered)
        )
        _done(f"delivered, says a signed webhook ({at:.19} UTC)")

    def stored(self, subject: str, recipient: str, condition: str) -> tuple[str, str] | None:
        """Return id and time of status of an e-mail in the shop's own database, `None` if there is none like that."""
        query = (
            "SELECT email_id, m.status_at FROM poststack_sentemail m "
            "JOIN poststack_emailrecipient r ON r.sent_email_id = m.id AND r.address = ? "
            f"WHERE subject LIKE ? AND {condition}"
        )
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection:
            found: tuple[str, str] | None = connection.execute(query, (recipient, f"{subject}%")).fetchone()
        return found

    def wait_for(self, what: str, question: Callable[[], Any]) -> Any:
        """Ask until there is an answer. Raises `DemoError` after `SOON` seconds, or when a program ends."""
        until = time.monotonic() + SOON
        while time.monotonic() < until:
            if answer := question():
                return answer
            self.check()
            time.sleep(0.05)
        raise DemoError(f"Waited {SOON:.0f} seconds in vain for {what}.{self.said()}")

    def said(self) -> str:
        """Return the last lines that the programs have written."""
        return "".join(program.last_lines() for program in self.programs)


class Customer:
    """Somebody with a browser."""

    def __init__(self, demo: Demo, email: str = "ada@example.com") -> None:
        self.demo = demo
        self.email = email
        self.password = secrets.token_urlsafe(9)
        self.browser = httpx.Client(base_url=demo.shop, follow_redirects=True, timeout=SOON, trust_env=False)

    def __enter__(self) -> Customer:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def sign_up(self) -> None:
        """Fill in the form."""
        self.fill_in("/sign-up/", "/sign-up/", name="Ada Lovelace", email=self.email, password=self.password)

    def order(self, tea: str) -> None:
        """Order two tins."""
        self.fill_in(f"/tea/{tea}/", f"/tea/{tea}/order/", quantity="2")

    def fill_in(self, page: str, target: str, *, then: str = "/account/", **fields: str) -> str:
        """Look at a page, send its form, return the page that follows. Raises `DemoError` if that is another one."""
        self.demo.check()
        try:
            self.browser.get(page).raise_for_status()
            token = self.browser.cookies["csrftoken"]
            answer = self.browser.post(target, data={**fields, "csrfmiddlewaretoken": token})
            answer.raise_for_status()
        except (httpx.HTTPError, KeyError) as error:
            raise DemoError(f"The shop did not serve {target}: {error}{self.demo.said()}") from error
        if answer.url.path != then:
            raise DemoError(f"The shop did not accept the form at {target}.{self.demo.said()}")
        return answer.text


@contextlib.contextmanager
def running(folder: Path, once: bool, stop: threading.Event) -> Generator[Demo]:
    """Start the emulator, the shop and its drainer, told where the others are; end all of them afterwards."""
    secret, admin_password = secrets.token_hex(24), secrets.token_urlsafe(9)
    api_port, shop_port = (0, free_port()) if once else (free_port(8025), free_port(8000))
    shop = f"http://127.0.0.1:{shop_port}"
    webhook = ["--webhook", f"{shop}/webhooks/poststack/", "--webhook-secret", secret]
    command = ["-c", EMULATOR, "emulator", "--port", str(api_port), *webhook]
    with Program("emulator", command, folder / "emulator.log", {}, stop) as emulator:
        api = emulator.wait_for_address(SOON)
        _done(f"emulator started at {api}")
        environment = {
            "POSTSTACK_API_KEY": f"sk_test_{secrets.token_hex(12)}",
            "POSTSTACK_BASE_URL": api,
            "POSTSTACK_WEBHOOK_SECRETS": secret,
            "SHOP_DATA_DIR": str(folder),
            "SHOP_SECRET_KEY": secrets.token_urlsafe(40),
            "SHOP_ADMIN_PASSWORD": admin_password,
        }
        command = ["-m", "example_projects.django_shop"]
        with Program("shop", [*command, "--port", str(shop_port)], folder / "shop.log", environment, stop) as program:
            program.wait_until_it_answers(shop, SOON)
            _done(f"shop started at {shop}")
            with Program("drainer", [*command, "drainer"], folder / "drainer.log", environment, stop) as drainer:
                _done("drainer started, which sends what is in the shop's outbox")
                yield Demo(api, shop, admin_password, folder / "shop.sqlite3", emulator, program, drainer)


def _done(text: str) -> None:
    _say(f"  ✓ {text}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # Some consoles have no check mark.
    sys.exit(main())
