"""Listing e-mails: filters, pages, and the store behind them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from poststack.emulator.search import EmailSearch
from poststack.emulator.settings import Settings
from tests.emulator.app import App


def subjects(app: App, query: str) -> list[str]:
    reply = app.get(f"/emails?{query}")
    assert reply.status == 200, reply.json
    return [email["subject"] for email in reply.json["data"]]


@pytest.fixture
def filled(app: App) -> App:
    app.sent(subject="Welcome", to=["Ada <ada@gmail.com>"], tags=["welcome", "new"])
    app.wait(24 * 3600)
    opened = app.sent(subject="Receipt 7", to=["bob@outlook.com"], **{"from": "billing@example.com"})
    app.emulator.simulate(opened, "opened", app.now, person={"country": "FR", "device": "mobile"})
    app.sent(subject="Receipt 8", to=["bounce@example.com"], tags=["new"])
    app.wait(24 * 3600)
    return app


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Receipt 8", "Receipt 7", "Welcome"]),
        ("status=bounced", ["Receipt 8"]),
        ("to=ADA", ["Welcome"]),
        ("from=Billing%40", ["Receipt 7"]),
        ("subject=receipt", ["Receipt 8", "Receipt 7"]),
        ("tag=new&subject=8", ["Receipt 8"]),
        ("tag=ne", []),
        ("provider=gmail", ["Welcome"]),
        ("country=FR", ["Receipt 7"]),
        ("device=mobile", ["Receipt 7"]),
        ("device=desktop", []),
        ("date_from=2027-01-16", ["Receipt 8", "Receipt 7"]),
        ("date_to=2027-01-15", ["Welcome"]),
        ("date_to=2027-01-15T07:59:59Z", []),
        ("domain_id=1", []),
        ("per_page=1&page=2", ["Receipt 7"]),
        ("per_page=2&page=9", []),
        ("page=-3&per_page=0", ["Receipt 8"]),
    ],
)
def test_filters_and_pages(filled: App, query: str, found: list[str]) -> None:
    assert subjects(filled, query) == found


@pytest.mark.parametrize("query", ["page=x", "per_page=1e3", "page=" + "9" * 5000, "page=+-1", "domain_id=dom_1"])
def test_numbers_must_be_numbers(app: App, query: str) -> None:
    assert app.get(f"/emails?{query}").error == (400, "invalid_request")


def test_dates_must_be_dates(app: App) -> None:
    assert app.get("/emails?date_from=yesterday").error == (422, "unprocessable_entity")


def test_pages_have_at_most_a_hundred(app: App) -> None:
    for _ in range(101):
        app.sent()

    assert app.get("/emails").json["meta"] == {"page": 1, "perPage": 20, "total": 101, "totalPages": 6}
    assert len(app.get("/emails?per_page=1000").json["data"]) == 100


def test_an_inbox_searches_words_anywhere_but_in_bodies(filled: App) -> None:
    store = filled.emulator.store

    def found(search: EmailSearch) -> list[str]:
        return [email.message.subject for email in store.emails(search).items]

    assert found(EmailSearch(text="RECEIPT example")) == ["Receipt 8", "Receipt 7"]
    assert found(EmailSearch(text="hello")) == []
    assert found(EmailSearch(text=store.accepted()[0].id)) == ["Welcome"]
    assert found(EmailSearch(unread=False)) == []


def test_reading_and_deleting_keep_the_counts_right(filled: App) -> None:
    emulator = filled.emulator
    first, second, _ = emulator.store.accepted()
    revision = emulator.store.revision
    emulator.set_unread(first.id, False)
    emulator.set_unread(first.id, False)
    after_reading = (emulator.store.unread, emulator.store.revision - revision)
    emulator.delete_email(second.id)

    assert after_reading == (2, 1)
    assert (emulator.store.total, emulator.store.unread) == (2, 1)
    assert emulator.delete_emails() == 2
    assert (emulator.store.total, emulator.store.unread, emulator.store.bytes) == (0, 0, 0)
    with pytest.raises(KeyError):
        emulator.delete_email(second.id)


def test_listeners_hear_of_changes_until_they_stop(app: App) -> None:
    heard: list[int] = []
    stop = app.emulator.subscribe(lambda: heard.append(app.emulator.store.revision))
    app.sent()
    app.get("/emails")
    stop()
    app.sent()

    assert len(heard) == 1


@pytest.mark.parametrize(
    ("settings", "kept"),
    [(Settings(max_emails=3), 3), (Settings(max_bytes=2_500), 2), (Settings(max_bytes=1), 1)],
)
def test_the_oldest_go_when_there_are_too_many_or_too_much(settings: Settings, kept: int) -> None:
    app = App(settings)
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    for number in range(5):
        app.sent(subject=f"Number {number}", text="x" * 500)

    assert [email.message.subject for email in app.emulator.store.accepted()] == [
        f"Number {number}" for number in range(5 - kept, 5)
    ]
    assert len(app.emulator.store.deliveries_of_webhook(1)) == kept


@pytest.mark.parametrize(
    "make",
    [
        lambda: Settings(api_keys=("",)),
        lambda: Settings(max_emails=0),
        lambda: Settings(retry_delays=(-1.0,)),
        lambda: Settings(webhook_timeout=0.0),
        lambda: Settings(delivery_delay=float("nan")),
        lambda: Settings(rate_limit=-1),
        lambda: Settings(disable_webhook_after=0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Settings]) -> None:
    with pytest.raises(ValueError, match="must"):
        make()
