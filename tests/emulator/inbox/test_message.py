"""The page of one message: its views, its history, and what one can do with it."""

from __future__ import annotations

import httpx
import pytest

from tests.emulator.inbox.site import Site, attachment, names, tags, words


@pytest.fixture
def email_id(site: Site) -> str:
    found = site.send(
        to=["Ada <ada@example.com>"],
        cc=["carl@example.com"],
        bcc=["archive@example.com"],
        reply_to="help@example.com",
        subject="Your order",
        html="<p>Hello <b>Ada</b></p>",
        text="Hello Ada",
        headers={"X-Order": "7"},
        tags=["receipt"],
        idempotency_key="order-7",
        attachments=[attachment("plan.pdf", b"%PDF-1", "application/pdf")],
    )
    site.wait(5)
    return found


def test_the_envelope_shows_everybody_it_went_to(site: Site, email_id: str) -> None:
    shown = words(site.get(f"/inbox/mail/{email_id}"))

    assert "Your order" in shown
    assert "To Ada < ada@example.com >" in shown.replace("<ada", "< ada").replace("com>", "com >")
    assert "Cc carl@example.com" in shown
    assert "Bcc archive@example.com (hidden from the others)" in shown
    assert "Reply to help@example.com" in shown
    assert "Idempotency key order-7" in shown


def test_an_email_of_a_broadcast_and_a_test_of_it_name_the_broadcast(site: Site) -> None:
    contact = site.api("POST", "/contacts", {"email": "ada@example.com"})["contact"]["publicId"]
    segment = site.api("POST", "/segments", {"name": "Readers"})["segment"]["publicId"]
    site.api("POST", f"/segments/{segment}/contacts", {"contact_ids": [contact]})
    content = {"segment_id": segment, "from": "a@example.com", "subject": "News", "text": "Hello"}
    broadcast = site.api("POST", "/broadcasts", content)["broadcast"]["publicId"]
    site.api("POST", f"/broadcasts/{broadcast}/test", {"email": "me@example.com"})
    site.api("POST", f"/broadcasts/{broadcast}/send")
    site.wait(5)

    tested, sent = (words(site.get(f"/inbox/mail/{email.id}")) for email in site.emulator.store.accepted())
    assert f"Test of broadcast {broadcast} Unsubscribe with one click" in tested
    assert f"Broadcast {broadcast} Unsubscribe with one click" in sent
    assert "Test of broadcast" not in sent


def test_html_is_shown_in_a_frame_that_may_do_nothing(site: Site, email_id: str) -> None:
    page = site.get(f"/inbox/mail/{email_id}")

    (frame,) = tags(page, "iframe")
    assert frame["src"] == f"/inbox/mail/{email_id}/frame"
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert "Hello Ada" not in words(page)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("text", "Hello Ada"),
        ("headers", "From Shop <shop@example.com> To Ada <ada@example.com> Cc carl@example.com"),
        ("headers", "Reply-To help@example.com Subject Your order X-Order 7"),
        ("source", "<p>Hello <b>Ada</b></p>"),
        ("raw", '"idempotency_key": "order-7"'),
        ("files", "plan.pdf 6 bytes · application/pdf"),
    ],
)
def test_every_view_shows_its_part(site: Site, email_id: str, view: str, expected: str) -> None:
    page = site.get(f"/inbox/mail/{email_id}?view={view}")

    (current,) = [tag for tag in tags(page, "a") if tag.get("aria-current") and "/mail/" in str(tag["href"])]
    assert expected in words(page)
    assert current["href"] == f"/inbox/mail/{email_id}?view={view}"
    assert "iframe" not in names(page)


def test_views_that_a_message_lacks_are_not_offered(site: Site) -> None:
    plain = site.get(f"/inbox/mail/{site.send()}?view=html")
    rich = site.get(f"/inbox/mail/{site.send(html='<p>x</p>', text=None)}?view=text")

    assert "iframe" not in names(plain)
    assert not {"HTML", "Attachments"} & set(tab_names(plain))
    assert "iframe" in names(rich)
    assert "Text" not in tab_names(rich)


def test_a_missing_message_gets_a_friendly_404(site: Site, email_id: str) -> None:
    site.emulator.delete_email(email_id)
    for path in ("", "/frame", "/files/0", "/files/0/picture"):
        page = site.get(f"/inbox/mail/{email_id}{path}")

        assert page.status_code == 404
        assert "The message was deleted" in words(page)
    for path in ("unread", "delete", "simulate"):
        assert site.post(f"/inbox/mail/{email_id}/{path}").status_code == 404
    assert site.get("/inbox/no/such/page").status_code == 404


def test_opening_marks_as_read(site: Site, email_id: str) -> None:
    site.get(f"/inbox/mail/{email_id}", {"Sec-Fetch-Mode": "navigate"})

    assert site.store.unread == 0


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Mode": "same-origin"}, {"Sec-Fetch-Mode": "no-cors"}, {"Sec-Purpose": "prefetch;prerender"}],
)
def test_only_a_person_who_opens_it_reads_it(site: Site, email_id: str, headers: dict[str, str]) -> None:
    assert site.get(f"/inbox/mail/{email_id}", headers).status_code == 200

    assert site.store.unread == 1


def test_unread_and_read_again(site: Site, email_id: str) -> None:
    site.get(f"/inbox/mail/{email_id}")
    unread = site.post(f"/inbox/mail/{email_id}/unread?q=order&page=2", unread="1")
    assert site.store.unread == 1

    read = site.post(f"/inbox/mail/{email_id}/unread", unread="0")

    assert site.store.unread == 0
    assert unread.headers["location"] == "/inbox/?q=order&page=2&done=unread"
    assert read.headers["location"] == "/inbox/"


def test_deleting_returns_to_the_same_search(site: Site, email_id: str) -> None:
    answer = site.post(f"/inbox/mail/{email_id}/delete?show=unread")

    assert answer.headers["location"] == "/inbox/?show=unread&done=deleted"
    assert site.store.email(email_id) is None


def test_an_event_by_hand_joins_the_timeline(site: Site, email_id: str) -> None:
    answer = site.post(f"/inbox/mail/{email_id}/simulate?view=text", event="bounced", recipient="ada@example.com")
    page = site.get(answer.headers["location"])

    assert answer.headers["location"] == f"/inbox/mail/{email_id}?view=text&done=simulated"
    assert "bounced just now ada@example.com" in words(page)
    assert "550 5.1.1 The mailbox does not exist" in words(page)
    assert "Status bounced" in words(page)


def test_who_opened_it_is_told(site: Site, email_id: str) -> None:
    site.emulator.simulate(email_id, "opened", site.now, recipient="ada@example.com", metadata={"n": 1, "on": [True]})
    shown = words(site.get(f"/inbox/mail/{email_id}"))

    assert "Apple Mail, macOS, Copenhagen, DK" in shown
    assert "n 1 on [true]" in shown


@pytest.mark.parametrize("event", ["", "nonsense", "queued"])
def test_an_event_that_cannot_be_is_refused_with_the_reason(site: Site, email_id: str, event: str) -> None:
    before = len(site.api("GET", f"/emails/{email_id}/events")["events"])
    page = site.post(f"/inbox/mail/{email_id}/simulate", event=event)

    assert page.status_code == 409
    assert "Unknown event. Choose one of: delivered" in words(page)
    assert len(site.api("GET", f"/emails/{email_id}/events")["events"]) == before


def test_a_form_that_is_too_large_or_has_too_many_fields_counts_as_empty(site: Site, email_id: str) -> None:
    large = site.post(f"/inbox/mail/{email_id}/simulate", event="opened", more="x" * 70_000)
    many = site.post(f"/inbox/mail/{email_id}/simulate", **{f"f{number}": "1" for number in range(200)})

    assert (large.status_code, many.status_code) == (409, 409)


def test_a_scheduled_message_says_when_it_leaves(site: Site) -> None:
    email_id = site.send(scheduled_at="2027-06-01T00:00:00Z")
    shown = words(site.get(f"/inbox/mail/{email_id}"))

    assert "Status scheduled Leaves 1 Jun 2027" in shown


def test_suppressed_recipients_and_the_spam_check_are_told(site: Site) -> None:
    site.api("POST", "/suppressions", {"email": "gone@example.com", "reason": "manual"})
    email_id = site.send(to=["ada@example.com", "gone@example.com"], subject="WIN FREE MONEY NOW!!!")
    shown = words(site.get(f"/inbox/mail/{email_id}"))

    assert "Dropped gone@example.com (suppressed)" in shown
    assert "Spam score" in shown


def test_a_template_is_named(site: Site) -> None:
    template = site.api("POST", "/templates", {"name": "Hi", "subject": "Hi {{n}}", "html": "<p>{{n}}</p>"})
    template_id = template["template"]["publicId"] if "publicId" in template["template"] else template["template"]["id"]
    site.api("POST", f"/templates/{template_id}/publish")
    email_id = site.send(subject=None, text=None, template_id=template_id, variables={"n": "Ada"})

    assert f"Template {template_id}" in words(site.get(f"/inbox/mail/{email_id}"))


def test_neighbours_are_those_of_the_search(site: Site) -> None:
    ids = [site.send(subject="odd" if number % 2 else "even") for number in range(6)]
    site.emulator.delete_email(ids[3])
    page = site.get(f"/inbox/mail/{ids[2]}")
    searched = site.get(f"/inbox/mail/{ids[2]}?q=even")
    first = site.get(f"/inbox/mail/{ids[0]}")
    last = site.get(f"/inbox/mail/{ids[5]}")

    assert steps(page) == {"newer": f"/inbox/mail/{ids[4]}", "older": f"/inbox/mail/{ids[1]}"}
    assert steps(searched) == {"newer": f"/inbox/mail/{ids[4]}?q=even", "older": f"/inbox/mail/{ids[0]}?q=even"}
    assert steps(first) == {"newer": f"/inbox/mail/{ids[1]}"}
    assert steps(last) == {"older": f"/inbox/mail/{ids[4]}"}


def test_deliveries_of_the_message_show_every_attempt(site: Site) -> None:
    site.webhook()
    email_id = site.send()
    site.wait(5, 500, "out of order")
    shown = words(site.get(f"/inbox/mail/{email_id}"))

    assert "retrying email.delivered" in shown
    assert "to 127.0.0.1:9/hook" in shown
    assert "500 in 125 ms," in shown
    assert "out of order" in shown
    assert '"type":"email.delivered"' in shown
    assert "1 attempt, next in 1" in shown.replace("1 attempt , next", "1 attempt, next")


def test_a_delivery_whose_endpoint_gave_no_answer_says_why(site: Site) -> None:
    site.webhook()
    email_id = site.send()
    site.wait(5, None)

    assert "no answer in 125 ms, 4 s ago" in words(site.get(f"/inbox/mail/{email_id}")) or "refused" in words(
        site.get(f"/inbox/mail/{email_id}")
    )


def test_replaying_from_a_message_returns_to_it(site: Site) -> None:
    site.webhook()
    email_id = site.send()
    site.wait(5)
    delivery = site.store.deliveries_of_email(email_id)[0]
    answer = site.post(f"/inbox/deliveries/{delivery.id}/replay?from=mail")
    posted = site.wait(1)

    assert answer.headers["location"] == f"/inbox/mail/{email_id}?done=replayed"
    assert posted == [delivery.body.encode()]
    assert len(delivery.attempts) == 2


def steps(page: httpx.Response) -> dict[str, str]:
    found = tags(page, "a")
    return {str(tag["id"]): str(tag["href"]) for tag in found if tag.get("id") in {"newer", "older"}}


def tab_names(page: httpx.Response) -> list[str]:
    shown = words(page)
    return [name for name in ("HTML source", "HTML", "Text", "Headers", "Attachments") if f" {name} " in shown]
