"""The webhooks page: endpoints without their secrets, deliveries, and sending them again."""

from __future__ import annotations

import re

import httpx
import pytest

from poststack.emulator.inbox.views.webhooks import PER_PAGE
from tests.emulator.inbox.site import Site, tags, words


def failed_delivery(site: Site) -> int:
    webhook_id = site.webhook()
    site.send()
    site.wait(1)
    site.wait(200_000, 500)
    return webhook_id


def test_without_a_webhook_the_page_shows_how_to_register_one(site: Site) -> None:
    shown = words(site.get("/inbox/webhooks"))

    assert "No webhook yet" in shown
    assert "poststack emulator --webhook" in shown


def test_an_endpoint_is_shown_without_its_secret(site: Site) -> None:
    site.api("POST", "/webhooks", {"url": "https://a.example/hook", "events": ["email.sent"], "description": "Mine"})
    site.webhook()
    page = site.get("/inbox/webhooks")

    assert "https://a.example/hook active Mine Events email.sent Secret whsec_••••••••" in words(page)
    assert all(webhook.secret not in page.text for webhook in site.store.webhooks.all())
    assert "topsecret" not in page.text


def test_a_short_secret_is_hidden_wholly(site: Site) -> None:
    site.emulator.add_webhook("https://a.example/", ["*"], site.now, secret="hunter2")

    assert "Secret ••••••••" in words(site.get("/inbox/webhooks"))


def test_a_rotated_secret_says_when(site: Site) -> None:
    webhook_id = site.webhook()
    site.api("POST", f"/webhooks/{webhook_id}/rotate-secret", {})

    assert "rotated just now" in words(site.get("/inbox/webhooks"))


def test_deliveries_are_filtered_by_what_became_of_them(site: Site) -> None:
    site.webhook()
    site.send()
    site.wait(0.1)
    site.wait(10, 503)
    everything = words(site.get("/inbox/webhooks"))
    retrying = words(site.get("/inbox/webhooks?show=retrying"))
    failed = words(site.get("/inbox/webhooks?show=failed"))

    assert "1 delivered · 2 retrying · 0 failed" in everything
    assert "email.queued" in everything
    assert "email.queued" not in retrying
    assert "email.sent" in retrying
    assert "None failed." in failed


def test_one_delivery_is_sent_again(site: Site) -> None:
    site.webhook()
    site.send()
    site.wait(5)
    (first, *_) = site.store.deliveries_of_webhook(1)
    answer = site.post(f"/inbox/deliveries/{first.id}/replay?show=delivered")

    assert answer.headers["location"] == "/inbox/webhooks?show=delivered&done=replayed"
    assert site.wait(1) == [first.body.encode()]


def test_all_that_failed_is_sent_again(site: Site) -> None:
    site.webhook()
    site.send()
    site.wait(200_000, 500)
    page = words(site.get("/inbox/webhooks?show=failed"))
    answer = site.post("/inbox/webhooks/1/replay?show=failed")
    posted = site.wait(1)
    again = site.post("/inbox/webhooks/1/replay")

    assert "Replay 3 failed" in page
    assert answer.headers["location"] == "/inbox/webhooks?show=failed&done=replayed-failed"
    assert len(posted) == 3
    assert again.headers["location"] == "/inbox/webhooks?done=nothing-failed"


def test_nothing_is_replayed_to_a_disabled_webhook(site: Site) -> None:
    site.webhook()
    site.send()
    site.wait(200_000, 500)
    (first, *_) = site.store.deliveries_of_webhook(1)
    (webhook,) = site.store.webhooks.all()
    webhook.active = False

    for address in (f"/inbox/deliveries/{first.id}/replay", "/inbox/webhooks/1/replay"):
        location = site.post(address).headers["location"]
        assert location == "/inbox/webhooks?done=webhook-disabled"
        assert "The webhook is disabled" in words(site.get(location))
    assert first.state == "failed"


def test_what_does_not_exist_is_not_replayed(site: Site) -> None:
    assert site.post("/inbox/deliveries/7/replay").status_code == 404
    assert site.post("/inbox/webhooks/7/replay").status_code == 404


def test_the_delivery_of_a_test_names_no_message(site: Site) -> None:
    webhook_id = site.webhook()
    site.api("POST", f"/webhooks/{webhook_id}/test")
    page = site.get("/inbox/webhooks")

    assert "email.delivered" in words(page)
    assert not [tag for tag in tags(page, "a") if "/inbox/mail/" in str(tag["href"])]


def test_deliveries_come_in_pages_that_a_replay_returns_to(site: Site) -> None:
    webhook_id = site.webhook()
    for _ in range(PER_PAGE + 1):
        site.api("POST", f"/webhooks/{webhook_id}/test")
    site.wait(1)
    first = site.get("/inbox/webhooks?show=delivered")
    second = site.get("/inbox/webhooks?show=delivered&page=2")
    (oldest,) = delivery_ids(second)

    assert len(delivery_ids(first)) == PER_PAGE
    assert "26–26 of 26" in words(second)
    assert [tag["href"] for tag in tags(first, "a") if tag.get("rel") == "next"] == [
        "/inbox/webhooks?show=delivered&page=2"
    ]
    assert [tag["href"] for tag in tags(second, "a") if tag.get("rel") == "prev"] == ["/inbox/webhooks?show=delivered"]
    (replay,) = [tag["action"] for tag in tags(second, "form") if f"/{oldest}/" in str(tag.get("action"))]
    location = site.post(str(replay)).headers["location"]
    assert location == "/inbox/webhooks?show=delivered&page=2&done=replayed"
    assert delivery_ids(site.get("/inbox/webhooks?page=99")) == [oldest]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/hook?token=hunter2",
        "http://hunter2@127.0.0.1:9/hook",
        "http://me:hunter2@127.0.0.1:9/hook?hunter2",
    ],
)
def test_pages_show_no_user_and_no_query_of_an_endpoint(site: Site, url: str) -> None:
    site.webhook(url)
    email_id = site.send()
    site.emulator.receive({"from": "a@example.com", "to": "b@example.com", "subject": "S", "text": "T"}, site.now)
    site.wait(5)
    pages = [site.get(path) for path in ("/inbox/webhooks", f"/inbox/mail/{email_id}", "/inbox/received/1")]

    for page in pages:
        assert "127.0.0.1:9/hook" in words(page)
        assert "hunter2" not in page.text
    assert site.api("GET", "/webhooks")["webhooks"][0]["url"] == url


def test_the_whole_address_of_an_endpoint_is_shown_once(site: Site) -> None:
    path = "/a-very-long/path/to-an-endpoint/that-fills/a-line-of-a-phone"
    site.webhook(f"http://127.0.0.1:9{path}")
    site.send()
    site.wait(5)

    shown = words(site.get("/inbox/webhooks"))
    assert shown.count(path) == 1
    assert shown.count("to 127.0.0.1:9/a-very…") == 3


def delivery_ids(page: httpx.Response) -> list[int]:
    return [int(found) for found in re.findall(r'<li class="delivery" id="delivery-(\d+)"', page.text)]


def test_a_disabled_endpoint_says_so(site: Site) -> None:
    webhook_id = site.webhook()
    site.api("PATCH", f"/webhooks/{webhook_id}", {"enabled": False})

    assert "disabled" in words(site.get("/inbox/webhooks"))
