"""The tea shop takes a sign-up and an order; a Celery worker sends the mail that is in its outbox.

The emulator, Redis, the shop, the worker and Celery's beat are programs of their own, as they would be in production:
shop and worker share a database and the queue, the rest is HTTP. Where there is no Redis, the shop's drainer sends.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from example_projects.demo.programs import DemoError, Program
from example_projects.demo.redis_server import RedisMissingError
from example_projects.demo.stage import SOON, Stage, done, say

__all__ = ["Customer", "TeaShop", "demonstrate", "opened"]

SHOP: Final = ["-m", "example_projects.django_shop"]
CELERY: Final = ["-m", "celery", "--app", "example_projects.django_shop"]


def demonstrate(stage: Stage) -> None:
    """Start the programs, be their customer, show what happens."""
    try:
        broker = stage.start_redis()
    except RedisMissingError:
        broker = ""
    shop = opened(stage, broker)
    if broker:
        sender = shop.start_worker()
        shop.start_beat()
    else:
        sender = shop.start_drainer()
    with Customer(shop) as customer:
        customer.sign_up()
        done(f"signed up {customer.email}, over HTTP")
        shop.follow("Welcome to Kettle & Leaf", customer.email, sender)
        customer.order("late-oolong")
        done("ordered two tins of Late Oolong")
        shop.follow("Your order", customer.email, sender)
        if stage.once:
            say("\nBoth e-mails were delivered, and the shop was told so by signed webhooks.")
            return
        say(
            f"\n  The shop    {shop.url}\n"
            f"              customer {customer.email}, password {customer.password}\n"
            f"  Its admin   {shop.url}/admin/poststack/sentemail/\n"
            f"              user admin, password {shop.admin_password}\n"
            f"  The inbox   {shop.api}/inbox\n\n"
            "Everything is on this machine only. Stop with Ctrl-C."
        )
        stage.stay()


@dataclass
class TeaShop:
    """The running shop and what joins it with the other programs."""

    stage: Stage
    api: str
    url: str
    admin_password: str
    database: Path
    environment: dict[str, str]
    lines_read: int = 0
    """Of what the sender of the mail has written."""

    def start_worker(self, name: str = "worker") -> Program:
        """Start a Celery worker, which sends the shop's mail."""
        worker = self.stage.start(name, [*CELERY, "worker"], self.environment)
        done("Celery worker started, which sends the shop's mail")
        return worker

    def start_beat(self) -> Program:
        """Start what lets the worker look into the outbox from time to time."""
        beat = self.stage.start("beat", [*CELERY, "beat"], self.environment)
        done("Celery beat started, which has it look for mail that the queue did not take")
        return beat

    def start_drainer(self) -> Program:
        """Start what sends the shop's mail where there is no queue."""
        drainer = self.stage.start("drainer", [*SHOP, "drainer"], self.environment)
        done("drainer started, which sends the shop's mail: this machine has no Redis for a queue")
        return drainer

    def follow(self, subject: str, recipient: str, sender: Program) -> None:
        """Show how an e-mail is accepted and delivered, as the shop has stored it."""
        email_id, _ = self.stage.wait_for(
            f"the {sender.name} to store the id of {subject!r}",
            lambda: self.stored(subject, recipient, "email_id IS NOT NULL"),
        )
        lines = self.stage.wait_for(f"the {sender.name} to speak of it", lambda: sender.lines_to(email_id))
        done(f"e-mail “{subject}” accepted as {email_id}")
        for line in lines[self.lines_read :]:
            if email_id in line or ("send_stored_email" in line and line.endswith("received")):
                say(f"      {sender.name}: {line}")
        self.lines_read = len(lines)
        delivered = (
            "m.status = 'delivered' AND EXISTS (SELECT 1 FROM poststack_emailevent e WHERE e.sent_email_id = m.id)"
        )
        _, at = self.stage.wait_for(
            f"a webhook to say that {email_id} is delivered", lambda: self.stored(subject, recipient, delivered)
        )
        done(f"delivered, says a signed webhook ({at:.19} UTC)")

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


class Customer:
    """Somebody with a browser."""

    def __init__(self, shop: TeaShop, email: str = "ada@example.com") -> None:
        self.shop = shop
        self.email = email
        self.password = secrets.token_urlsafe(9)
        self.browser = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=SOON, trust_env=False)

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
        self.shop.stage.check()
        try:
            self.browser.get(page).raise_for_status()
            token = self.browser.cookies["csrftoken"]
            answer = self.browser.post(target, data={**fields, "csrfmiddlewaretoken": token})
            answer.raise_for_status()
        except (httpx.HTTPError, KeyError) as error:
            raise DemoError(f"The shop did not serve {target}: {error}{self.shop.stage.said()}") from error
        if answer.url.path != then:
            raise DemoError(f"The shop did not accept the form at {target}.{self.shop.stage.said()}")
        return answer.text


def opened(stage: Stage, broker: str = "") -> TeaShop:
    """Start the emulator and the shop, told where each other and the queue are; without a broker there is none."""
    secret, admin_password = secrets.token_hex(24), secrets.token_urlsafe(9)
    port = stage.port(8000)
    url = f"http://127.0.0.1:{port}"
    api = stage.start_emulator(f"{url}/webhooks/poststack/", secret)
    environment = {
        "DJANGO_SETTINGS_MODULE": "example_projects.django_shop.settings",
        "POSTSTACK_API_KEY": f"sk_test_{secrets.token_hex(12)}",
        "POSTSTACK_BASE_URL": api,
        "POSTSTACK_WEBHOOK_SECRETS": secret,
        "CELERY_BROKER_URL": broker,
        "SHOP_DATA_DIR": str(stage.folder),
        "SHOP_SECRET_KEY": secrets.token_urlsafe(40),
        "SHOP_ADMIN_PASSWORD": admin_password,
    }
    stage.start("shop", [*SHOP, "--port", str(port)], environment).wait_until_it_answers(url, SOON)
    done(f"shop started at {url}")
    return TeaShop(stage, api, url, admin_password, stage.folder / "shop.sqlite3", environment)
