"""The tea shop, its drainer and the emulator as programs of their own: mail and webhooks go over real HTTP."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from example_projects.demo.django import Customer, TeaShop, opened
from example_projects.demo.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytest.importorskip("django")
pytest.importorskip("starlette")

pytestmark = pytest.mark.slow

UNREACHABLE = "We cannot reach you at"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[TeaShop]:
    folder: Path = tmp_path_factory.mktemp("shop")
    with Stage(folder, once=True, stop=threading.Event()) as stage:
        yield opened(stage)


def letter(shop: TeaShop, recipient: str, subject: str) -> str:
    """The text of the newest e-mail of this kind, once it has been sent."""
    wanted: dict[str, str | int] = {"to": recipient, "subject": subject, "wait": 30}
    answer = httpx.get(f"{shop.api}/_emulator/emails/latest", params=wanted, timeout=60, trust_env=False)
    text: str = answer.raise_for_status().json()["email"]["payload"]["text"]
    return text


def test_a_bounce_asks_for_another_address_until_there_is_one(shop: TeaShop) -> None:
    with Customer(shop, "bounce@example.com") as customer:
        customer.sign_up()
        shop.stage.wait_for("the bounce", lambda: UNREACHABLE in customer.browser.get("/account/").text)

        form = "/account/address/"
        page = customer.fill_in(form, form, email="carol@example.com", password=customer.password)

        assert UNREACHABLE not in page
        assert "from now on we write to you here" in letter(shop, "carol@example.com", "Your new address")
        shop.follow("Your new address", "carol@example.com")


def test_a_forgotten_password_is_replaced(shop: TeaShop) -> None:
    with Customer(shop, "dora@example.com") as customer:
        customer.sign_up()
    with Customer(shop, customer.email) as visitor:
        visitor.fill_in("/password/", "/password/", then="/password/sent/", email=visitor.email)
        (link,) = re.findall(rf"{shop.url}(/password/\S+)", letter(shop, visitor.email, "Choose a new password"))

        form = visitor.browser.get(link).url.path
        chosen = {"new_password1": "a better password", "new_password2": "a better password"}
        visitor.fill_in(form, form, then="/log-in/", **chosen)

        page = visitor.fill_in("/log-in/", "/log-in/", username=visitor.email, password="a better password")
        assert "Hello, Ada" in page
