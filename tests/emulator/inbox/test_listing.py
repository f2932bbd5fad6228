"""The list: what it says about messages, how it is narrowed, and what reading it costs."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

import httpx
import pytest

from poststack.emulator.model import Address, Email, Message
from poststack.emulator.settings import Settings
from tests.emulator.inbox.site import START, Site, attachment, listed, tags, words


def test_browsers_are_led_to_the_list(site: Site) -> None:
    home = site.get("/", {"Accept": "text/html"})
    bare = site.get("/inbox")

    assert home.status_code == 303
    assert home.headers["location"].startswith("/inbox")
    assert (bare.status_code, bare.headers["location"]) == (308, "/inbox/")


def test_an_empty_inbox_shows_how_to_send_the_first_mail(site: Site) -> None:
    page = site.get("/inbox/", {"Host": "localhost:4321"})

    assert "export POSTSTACK_BASE_URL=http://localhost:4321\n" in page.text
    assert "POSTSTACK_API_KEY=sk_test_local" in page.text
    assert "PostStack()" in words(page)


def test_keys_that_were_chosen_are_not_shown() -> None:
    page = Site(Settings(api_keys=("sk_test_secret_of_mine",))).get("/inbox/")

    assert "secret_of_mine" not in page.text
    assert "sk_test_local" not in page.text


def test_a_message_is_listed_with_all_that_tells_it_apart(site: Site) -> None:
    site.send(
        **{"from": "Meadow <hello@meadow.example>"},
        to=["Ada Lovelace <ada@example.com>", "grace@example.com"],
        cc=["alan@example.com"],
        bcc=["hidden@example.com"],
        subject="Your order",
        text="Thank you.\n\nIt leaves   tomorrow.",
        tags=["receipt", "b", "c", "d"],
        attachments=[attachment("a.pdf", b"%PDF", "application/pdf")],
    )
    site.wait(10)
    shown = words(site.get("/inbox/"))

    assert "Meadow to Ada Lovelace, grace@example.com, alan@example.com +1" in shown
    assert "Your order Thank you. It leaves tomorrow." in shown
    assert "receipt b c +1 1 attachment delivered 10 s ago" in shown
    assert "1 message , 1 unread" in shown


def test_the_newest_comes_first_and_pages_follow(site: Site) -> None:
    ids = [site.send(subject=f"Number {number}") for number in range(55)]
    first, second = site.get("/inbox/"), site.get("/inbox/?page=2")

    assert listed(first) == ids[:4:-1]
    assert listed(second) == ids[4::-1]
    assert "1–50 of 55 Older" in words(first)
    assert "Newer 51–55 of 55" in words(second)


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "99999999999", "3", ""])
def test_a_page_that_does_not_exist_is_the_nearest_that_does(site: Site, page: str) -> None:
    ids = [site.send() for _ in range(51)]
    shown = listed(site.get(f"/inbox/?page={page}"))

    assert shown == ([ids[0]] if page == "3" else ids[:0:-1])


def test_moments_are_told_by_the_clock_of_the_emulator(site: Site) -> None:
    site.send()
    site.now += 3 * 3600
    page = site.get("/inbox/")

    (time,) = tags(page, "time")
    assert "3 h ago" in words(page)
    assert time["datetime"] == "2027-01-15T08:00:00.000Z"
    assert time["title"] == "Fri 15 Jan 2027, 08:00:00 UTC"


def test_scheduled_and_cancelled_mail_is_called_that(site: Site) -> None:
    later = site.send(scheduled_at="2027-06-01T00:00:00Z")
    assert "scheduled" in words(site.get("/inbox/?show=scheduled"))

    site.api("POST", f"/emails/{later}/cancel")

    assert listed(site.get("/inbox/?show=scheduled")) == []
    assert listed(site.get("/inbox/?show=cancelled")) == [later]


@pytest.fixture
def library(site: Site) -> dict[str, str]:
    found = {
        "order": site.send(subject="Order 7", tags=["Receipt"], text="walnut tray"),
        "news": site.send(
            **{"from": "News <news@example.com>"},
            subject="Weekly",
            html="<p>Fine <b>lam</b>ps &amp; more</p>",
            text=None,
        ),
        "grace": site.send(to=["bob@example.com"], bcc=["Grace <g@example.com>"], subject="Two words here"),
    }
    site.wait(5)
    site.emulator.set_unread(found["news"], False)
    site.emulator.simulate(found["grace"], "bounced", site.now)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ORDER", ["order"]),
        ("from:news", ["news"]),
        ("to:grace", ["grace"]),
        ("subject:week", ["news"]),
        ('subject:"two words"', ["grace"]),
        ('"words here"', ["grace"]),
        ('"words her', ["grace"]),
        ("tag:receipt", ["order"]),
        ("tag:rec", []),
        ("body:walnut", ["order"]),
        ("walnut", ["order"]),
        ("body:lam", ["news"]),
        ("body:strong", []),
        ("body:b", []),
        ("more", ["news"]),
        ("body:&", ["news"]),
        ("is:read", ["news"]),
        ("is:unread", ["grace", "order"]),
        ("status:bounced", ["grace"]),
        ("is:bounced", ["grace"]),
        ("has:html", ["news"]),
        ("has:text", ["grace", "order"]),
        ("has:tags", ["order"]),
        ("has:attachments", []),
        ("has:nonsense", []),
        ("from:shop to:bob", ["grace"]),
        ("order zebra", []),
        ("colour:red", []),
        ("   ", ["grace", "news", "order"]),
        ("from:", ["grace", "news", "order"]),
        ("walnut from:", ["order"]),
    ],
)
def test_the_box_finds_by_words_and_fields(
    site: Site, library: dict[str, str], query: str, expected: list[str]
) -> None:
    page = asked(site, q=query)

    assert listed(page) == [library[name] for name in expected]


def test_an_id_finds_its_message(site: Site, library: dict[str, str]) -> None:
    assert listed(asked(site, q=library["news"])) == [library["news"]]
    assert listed(asked(site, q=f"id:{library['news']}")) == [library["news"]]


def test_box_and_filter_must_both_hold(site: Site, library: dict[str, str]) -> None:
    page = asked(site, q="example.com", show="unread")

    assert listed(page) == [library["grace"], library["order"]]
    assert "2 matches in 3 messages" in words(page)


def test_nothing_found_says_what_was_looked_for(site: Site, library: dict[str, str]) -> None:
    page = asked(site, q="zebra", show="failed")

    assert "No message matches zebra among failed ones." in words(page)


def test_a_search_is_kept_when_one_opens_a_message(site: Site, library: dict[str, str]) -> None:
    narrowed = asked(site, q='"walnut tray"', show="unread")
    made_up = asked(site, q="walnut", show="bogus")

    assert opened(narrowed) == [f"/inbox/mail/{library['order']}?q=%22walnut+tray%22&show=unread"]
    assert opened(made_up) == [f"/inbox/mail/{library['order']}?q=walnut"]


def test_everything_is_marked_as_read(site: Site) -> None:
    for _ in range(3):
        site.send()
    answer = site.post("/inbox/read-all")

    assert answer.headers["location"] == "/inbox/?done=read-all"
    assert site.store.unread == 0
    assert "All messages are marked as read." in words(site.get(answer.headers["location"]))


def test_everything_is_deleted(site: Site) -> None:
    site.send()
    answer = site.post("/inbox/delete-all")

    assert answer.status_code == 303
    assert site.store.total == 0
    assert "No mail yet" in words(site.get("/inbox/"))


def test_a_word_that_no_redirect_carries_says_nothing(site: Site) -> None:
    assert "notice" not in site.get("/inbox/?done=<b>hacked</b>").text


class _Watched(Email):
    """A message that says when somebody reads it."""

    read: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> Any:
        if name == "message":
            _Watched.read.add(super().__getattribute__("id"))
        return super().__getattribute__(name)


def test_a_page_of_the_list_reads_only_the_messages_it_shows(site: Site) -> None:
    message = Message(Address("shop@example.com"), (Address("ada@example.com"),), text="Hello")
    for number in range(1, 301):
        site.store.add_email(_Watched(number, f"em_{number}", message, START))
    _Watched.read.clear()
    shown = listed(site.get("/inbox/?page=3"))

    assert len(shown) == 50
    assert _Watched.read == set(shown)


def opened(page: httpx.Response) -> list[str | None]:
    return [tag["href"] for tag in tags(page, "a") if tag.get("class") == "open"]


def asked(site: Site, **query: str) -> httpx.Response:
    return site.get(f"/inbox/?{urlencode(query)}")
