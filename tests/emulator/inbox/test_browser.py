"""The inbox in a real browser, against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from poststack.emulator.settings import Settings
from tests.emulator.inbox.browser import Visit, overflow, subjects
from tests.emulator.inbox.receiver import Receiver
from tests.emulator.inbox.served import Served
from tests.emulator.inbox.site import attachment

pytestmark = pytest.mark.browser


def test_new_mail_appears_by_itself_and_disturbs_nothing(visit: Visit, served: Served) -> None:
    for number in range(40):
        served.send(subject=f"Mail {number}")
    served.settled()
    page = visit.open()
    page.evaluate("window.sameDocument = true")
    for _ in range(30):
        page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.id")
    top = page.evaluate("document.activeElement.getBoundingClientRect().top")
    scrolled = page.evaluate("scrollY")
    expect(page.locator("#connection.on")).to_be_visible()
    served.send(subject="The newest")

    expect(subjects(page).first).to_have_text("The newest")
    expect(page.locator("#announcer")).to_have_text("1 new message")
    expect(page).to_have_title("(41) Inbox · PostStack")
    assert scrolled > 0
    assert page.evaluate("document.activeElement.id") == focused
    assert abs(page.evaluate("document.activeElement.getBoundingClientRect().top") - top) < 2
    assert page.evaluate("window.sameDocument") is True


def test_the_first_mail_takes_the_place_of_the_welcome(visit: Visit, served: Served) -> None:
    page = visit.open()
    expect(page.get_by_text("No mail yet")).to_be_visible()
    expect(page.locator("#environment")).to_contain_text(f"POSTSTACK_BASE_URL={served.address}")
    expect(page.locator("#connection.on")).to_be_visible()
    served.send(subject="Hello")

    expect(subjects(page)).to_have_text(["Hello"])
    expect(page.get_by_text("No mail yet")).to_have_count(0)


def test_the_snippet_that_is_shown_sends_the_first_mail(
    visit: Visit, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit.open()
    expect(page.locator("#connection.on")).to_be_visible()
    for line in page.locator("#environment").inner_text().splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        monkeypatch.setenv(name, value)
    space: dict[str, Any] = {}
    exec(page.locator("#first-mail").inner_text(), space)
    space["client"].close()

    expect(subjects(page)).to_have_text(["Hi"])


def test_status_changes_are_shown_as_they_happen(chromium: Browser) -> None:
    with Served(Settings(delivery_delay=3600)) as served:
        context = chromium.new_context()
        visit = Visit(context, served.address)
        email_id = served.send()
        page = visit.open()
        expect(page.locator("#messages .badge")).to_have_text("queued")
        expect(page.locator("#connection.on")).to_be_visible()
        served.emulator.simulate(email_id, "bounced", 2_000_000_000.0)

        expect(page.locator("#messages .badge")).to_have_text("bounced")
        context.close()


def test_search_narrows_as_one_types(visit: Visit, served: Served) -> None:
    for subject in ("Receipt 1", "Welcome", "Receipt 2"):
        served.send(subject=subject, tags=[subject.split()[0].lower()])
    served.settled()
    page = visit.open()
    page.locator("#q").press_sequentially("tag:receipt")

    expect(subjects(page)).to_have_text(["Receipt 2", "Receipt 1"])
    expect(page.locator("#found")).to_have_text("2 matches")
    expect(page).to_have_url(re.compile(r"\?q=tag%3Areceipt$"))

    page.locator("#q").fill("")
    page.locator("#show").select_option("bounced")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.locator("#show").select_option("")
    expect(subjects(page)).to_have_count(3)


def test_a_message_is_shown_at_three_widths(visit: Visit, served: Served) -> None:
    email_id = served.send(
        html="<h1>Good morning</h1><img src='cid:dot' id=dot>",
        attachments=[attachment("dot.gif", b"GIF89a", "image/gif", "dot")],
    )
    served.settled()
    page = visit.open()
    page.get_by_role("link", name=re.compile("Hi")).click()
    frame = page.locator("#frame")

    expect(page).to_have_url(f"{served.address}/inbox/mail/{email_id}")
    expect(page.frame_locator("#frame").locator("h1")).to_have_text("Good morning")
    assert page.frame_locator("#frame").locator("#dot").get_attribute("src") == "data:image/gif;base64,R0lGODlh"
    for name, width in (("Phone", 375), ("Tablet", 768), ("Desktop", 880)):
        page.get_by_text(name, exact=False).locator("visible=true").first.click()
        box = frame.bounding_box()
        assert box is not None
        assert abs(box["width"] - width) < 3
        expect(page.frame_locator("#frame").locator("h1")).to_be_visible()
    assert served.emulator.store.unread == 0


@pytest.mark.parametrize("name", ["plan.pdf", "sum <b>&.html", "../Übersicht.svg"])
def test_attachments_are_downloaded_byte_for_byte(visit: Visit, served: Served, name: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400 + b"<script>alert(1)</script>"
    email_id = served.send(attachments=[attachment(name, content, "text/html")])
    served.settled()
    page = visit.open(f"/inbox/mail/{email_id}?view=files")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    started.value.save_as(tmp_path / "saved")

    assert (tmp_path / "saved").read_bytes() == content
    assert "/" not in started.value.suggested_filename


def test_simulating_changes_the_timeline_without_leaving(visit: Visit, served: Served) -> None:
    email_id = served.send(to=["ada@example.com", "bob@example.com"])
    served.settled()
    page = visit.open(f"/inbox/mail/{email_id}")
    page.evaluate("window.sameDocument = true")
    page.locator("#recipient").select_option("bob@example.com")
    page.get_by_role("button", name="soft bounced").click()
    expect(page.locator("#timeline li").first).to_contain_text("soft bounced")
    page.get_by_role("button", name="complained").click()

    expect(page.locator("#timeline li").first).to_contain_text("complained")
    expect(page.locator("#timeline li").first).to_contain_text("bob@example.com")
    expect(page.locator("#progress h2 .badge")).to_have_text("complained")
    expect(page.locator("#recipient")).to_have_value("bob@example.com")
    assert page.evaluate("window.sameDocument") is True
    assert served.emulator.store.email(email_id).status == "complained"  # type: ignore[union-attr]  # it was sent


def test_replaying_delivers_the_same_bytes_again(visit: Visit, served: Served, elsewhere: Receiver) -> None:
    served.emulator.add_webhook(f"{elsewhere.address}/hook", ["email.delivered"], 0.0)
    email_id = served.send()
    served.until(lambda: len(elsewhere.calls) == 1)
    served.settled()
    page = visit.open(f"/inbox/mail/{email_id}")
    page.get_by_text("1 attempt").click()
    expect(page.locator(".attempts")).to_contain_text("200")
    page.get_by_role("button", name=re.compile("Replay")).click()

    expect(page.get_by_text("2 attempts")).to_be_visible()
    expect(page.locator(".attempts > li")).to_have_count(2)
    first, second = elsewhere.calls
    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)
    assert second.headers["x-poststack-signature"] == first.headers["x-poststack-signature"]


def test_failed_deliveries_are_replayed_together(visit: Visit, chromium: Browser, elsewhere: Receiver) -> None:
    with Served(Settings(delivery_delay=0.0, retry_delays=())) as served:
        webhook = served.emulator.add_webhook("http://127.0.0.1:9/closed", ["*"], 0.0)
        served.send()
        served.until(
            lambda: [d.state for d in served.emulator.store.deliveries_of_webhook(webhook.id)] == ["failed"] * 3
        )
        webhook.url = f"{elsewhere.address}/hook"
        context = chromium.new_context()
        page = Visit(context, served.address).open("/inbox/webhooks?show=failed")
        expect(page.locator(".delivery")).to_have_count(3)
        page.get_by_role("button", name="Replay 3 failed").click()

        expect(page.get_by_text("None failed.")).to_be_visible()
        expect(page.get_by_text("3 delivered")).to_be_visible()
        assert len(elsewhere.calls) == 3
        context.close()


def test_the_list_is_worked_by_keyboard(visit: Visit, served: Served) -> None:
    ids = [served.send(subject=f"Mail {number}") for number in range(3)]
    served.settled()
    store = served.emulator.store
    page = visit.open()
    keys = page.keyboard
    keys.press("j")
    expect(page.locator(f"#open-{ids[2]}")).to_be_focused()
    keys.press("ArrowDown")
    expect(page.locator(f"#open-{ids[1]}")).to_be_focused()
    keys.press("k")
    keys.press("r")
    expect(page.locator(f"#m-{ids[2]}")).not_to_have_class(re.compile("unread"))
    expect(page.locator(f"#open-{ids[2]}")).to_be_focused()
    keys.press("r")
    expect(page.locator(f"#m-{ids[2]}")).to_have_class(re.compile("unread"))
    keys.press("#")
    expect(page.locator(f"#m-{ids[2]}")).to_have_count(0)
    expect(page.locator(f"#open-{ids[1]}")).to_be_focused()
    assert store.total == 2

    keys.press("/")
    expect(page.locator("#q")).to_be_focused()
    keys.type("jk?")
    expect(page.locator("#q")).to_have_value("jk?")
    page.locator("#q").fill("")
    keys.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()
    expect(subjects(page)).to_have_count(2)

    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_messages_are_walked_by_keyboard(visit: Visit, served: Served) -> None:
    ids = [served.send(subject=f"Mail {number}") for number in range(3)]
    served.settled()
    page = visit.open()
    keys = page.keyboard
    # The class is there once the page knows its keys.
    heading, row = page.locator("html.scripted article h1"), page.locator(f"html.scripted #m-{ids[2]}")
    keys.press("j")
    keys.press("Enter")
    expect(heading).to_have_text("Mail 2")
    keys.press("j")
    expect(heading).to_have_text("Mail 1")
    keys.press("k")
    expect(heading).to_have_text("Mail 2")
    keys.press("u")
    expect(page.locator(f"#open-{ids[2]}")).to_be_focused()
    keys.press("Enter")
    expect(heading).to_have_text("Mail 2")
    keys.press("r")
    expect(row).to_have_class(re.compile("unread"))
    keys.press("j")
    keys.press("Enter")
    expect(heading).to_have_text("Mail 2")
    keys.press("Delete")

    expect(page.get_by_text("The message is deleted.")).to_be_visible()
    expect(row).to_have_count(0)
    assert served.emulator.store.total == 2


def test_everything_is_deleted_after_asking(visit: Visit, served: Served) -> None:
    for _ in range(3):
        served.send()
    served.settled()
    page = visit.open()
    page.get_by_text("Delete all…").click()
    expect(page.get_by_text("Delete 3 messages, with their events and deliveries?")).to_be_visible()
    page.locator("h1").evaluate("element => element.ownerDocument.body.click()")
    expect(page.get_by_text("Delete 3 messages")).to_be_hidden()
    page.get_by_text("Delete all…").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Delete 3 messages")).to_be_hidden()
    assert served.emulator.store.total == 3

    page.get_by_text("Delete all…").click()
    page.get_by_role("button", name="Delete all", exact=True).click()
    expect(page.get_by_text("No mail yet")).to_be_visible()
    assert served.emulator.store.total == 0


def test_a_fault_is_set_by_hand(visit: Visit, served: Served) -> None:
    page = visit.open("/inbox/faults")
    page.get_by_label("Status").fill("429")
    page.get_by_label("Retry-After").fill("5")
    page.get_by_role("button", name="Set the fault").click()
    expect(page.get_by_text("Status 429")).to_be_visible()
    assert [fault.status for fault in served.emulator.faults()] == [429]

    page.get_by_role("button", name=re.compile("Remove fault")).click()
    expect(page.get_by_text("None is set")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 768), ("light", 375), ("dark", 320)])
def test_every_page_fits_its_screen(chromium: Browser, served: Served, scheme: str, width: int) -> None:
    served.emulator.add_webhook("http://127.0.0.1:9/" + "long" * 60, ["*"], 0.0)
    served.emulator.fail(500, path="/" + "long" * 40)
    email_id = served.send(
        **{"from": f'"{"Long" * 20}" <{"long" * 15}@example.com>'},
        to=[f"{'long' * 15}{number}@example.com" for number in range(9)],
        subject="Unbreakable" * 30,
        html=f"<table width=1200><tr><td>{'wide ' * 200}</td></tr></table>",
        text="Unbreakable" * 100,
        tags=["long" * 20] * 9,
        headers={"X-Long": "long" * 100},
        attachments=[attachment("long" * 50 + ".pdf", b"%PDF", "application/pdf")],
    )
    context = chromium.new_context(
        viewport={"width": width, "height": 700},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    visit = Visit(context, served.address)
    try:
        views = ("html", "text", "headers", "source", "raw", "files")
        message_pages = [f"/inbox/mail/{email_id}?view={view}" for view in views]
        long_mail = {"from": f"{'long' * 15}@example.com", "to": f"{'long' * 15}@example.com", "subject": "Long" * 200}
        (received,) = served.emulator.receive({**long_mail, "text": "Unbreakable" * 100, "html": "<p>x"}, 0.0)
        message_pages += [f"/inbox/received/{received.number}?view={view}" for view in ("html", "text", "headers")]
        message_pages += ["/inbox/received", "/inbox/received/new"]
        for path in ("/inbox/", "/inbox/?q=nothing", "/inbox/webhooks", "/inbox/faults", "/inbox/no", *message_pages):
            page = visit.open(path)
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")

            assert overflow(page) <= 0, path
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            lightness = sum(map(int, re.findall(r"\d+", background))) / 3
            assert (lightness < 60) is (scheme == "dark"), background
    finally:
        context.close()
    assert [text for text in visit.complaints if "404" not in text] == []
    assert visit.asked_elsewhere == []


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_to_choose_from_is_cut_off(chromium: Browser, served: Served, width: int) -> None:
    webhook = served.emulator.add_webhook("http://127.0.0.1:9/" + "long" * 20, ["*"], 0.0)
    webhook.active = False
    mail = {"from": "a@example.com", "to": "b@example.com", "text": "Yes\n\n> No", "html": "<p>x"}
    files = [attachment("a.txt", b"x", "text/plain")]
    (received,) = served.emulator.receive({**mail, "subject": "S", "attachments": files}, 0.0)
    email_id = served.send(html="<p>x", attachments=files)
    for _ in range(12):
        served.emulator.receive({**mail, "subject": "S"}, 0.0)
    served.settled()
    cut_off = """
        [...document.querySelectorAll(".bar a, .bar .connection, .tabs a")].filter(element => {
            const box = element.getBoundingClientRect();
            let [left, right] = [0, innerWidth];
            for (let around = element.parentElement; around; around = around.parentElement) {
                if (getComputedStyle(around).overflowX === "visible") continue;
                const edge = around.getBoundingClientRect();
                [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
            }
            return box.left < left - 1 || box.right > right + 1;
        }).map(element => element.textContent.trim())
    """
    context = chromium.new_context(viewport={"width": width, "height": 700})
    visit = Visit(context, served.address)
    try:
        for path in ("/inbox/", f"/inbox/received/{received.number}", f"/inbox/mail/{email_id}", "/inbox/faults"):
            assert visit.open(path).evaluate(cut_off) == [], path
    finally:
        context.close()
    assert visit.complaints == []


def test_a_page_of_deliveries_stays_short_on_a_phone(chromium: Browser, served: Served) -> None:
    served.emulator.add_webhook("http://127.0.0.1:9/closed/" + "long" * 20, ["*"], 0.0)
    for _ in range(34):
        served.send()
    served.until(
        lambda: served.emulator.store.total == 34 and len(served.emulator.store.deliveries_of_webhook(1)) >= 100
    )
    context = chromium.new_context(viewport={"width": 375, "height": 700})
    page = Visit(context, served.address).open("/inbox/webhooks")
    try:
        expect(page.locator(".delivery")).to_have_count(25)
        assert page.evaluate("document.documentElement.scrollHeight") < 4_500
        beside = page.evaluate(
            """[...document.querySelectorAll(".delivery-head")].every(head => {
                const [what, form] = [...head.children].map(child => child.getBoundingClientRect());
                return form.left >= what.right && form.top < what.bottom;
            })"""
        )
        assert beside
        page.get_by_role("link", name="Older").click()
        expect(page.locator("#pager")).to_contain_text("26–50")
    finally:
        context.close()


def test_the_filter_for_a_broadcast_stays_while_one_searches(visit: Visit, served: Served) -> None:
    for subject in ("One", "Two"):
        served.send(subject=subject)
    email = served.emulator.store.latest()
    assert email is not None
    email.broadcast_id = "br_test"
    page = visit.open("/inbox?broadcast=br_test")
    expect(subjects(page)).to_have_text(["Two"])
    page.locator("#q").fill("o")
    page.wait_for_url("**/inbox/?q=o&broadcast=br_test")

    expect(subjects(page)).to_have_text(["Two"])


def test_everything_that_can_be_worked_has_a_name(visit: Visit, served: Served, elsewhere: Receiver) -> None:
    served.emulator.add_webhook(f"{elsewhere.address}/hook", ["*"], 0.0)
    email_id = served.send(html="<p>x</p>", attachments=[attachment("a.png", b"x", "image/png")])
    served.settled()
    nameless = """
        [...document.querySelectorAll("a, button, input, select, iframe, summary, img")].filter(element =>
            !(element.textContent.trim() || element.getAttribute("aria-label") || element.title
              || element.labels?.length || element.hasAttribute("alt"))).map(element => element.outerHTML)
    """
    for path in ("/inbox/", f"/inbox/mail/{email_id}", f"/inbox/mail/{email_id}?view=files", "/inbox/webhooks"):
        page = visit.open(path)

        assert page.evaluate(nameless) == []
        assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == page.evaluate(
            "document.querySelectorAll('[id]').length"
        )
        assert page.locator("h1").count() == 1


def test_it_works_without_a_script(chromium: Browser, served: Served) -> None:
    for subject in ("One", "Two"):
        served.send(subject=subject, html="<h1>Framed</h1>")
    served.settled()
    context = chromium.new_context(java_script_enabled=False)
    visit = Visit(context, served.address)
    page = visit.open()
    page.locator("#q").fill("subject:one")
    page.get_by_role("button", name="Search").click()
    expect(subjects(page)).to_have_text(["One"])
    page.locator("#messages .open").click()
    expect(page.frame_locator("#frame").locator("h1")).to_have_text("Framed")
    page.get_by_role("button", name="opened").click()
    expect(page.locator("#timeline li").first).to_contain_text("opened")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The message is deleted.")).to_be_visible()
    page.get_by_role("link", name="Show all").first.click()
    page.get_by_text("Delete all…").click()
    page.get_by_role("button", name="Delete all", exact=True).click()
    expect(page.get_by_text("No mail yet")).to_be_visible()
    context.close()
    assert visit.complaints == []
