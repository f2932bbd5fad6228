"""Mail that means harm, in a real browser: it is shown, and reaches nobody."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.emulator.inbox.browser import Visit
from tests.emulator.inbox.hostile import HTML, SCRIPTS, hostile_email
from tests.emulator.inbox.receiver import Receiver
from tests.emulator.inbox.served import Served

pytestmark = pytest.mark.browser


def test_a_script_in_a_mail_does_not_run_and_reaches_nobody(
    hostile_visit: Visit, served: Served, elsewhere: Receiver
) -> None:
    email_id = served.send(subject="Hostile", html=HTML.format(elsewhere=elsewhere.address))
    served.send(subject="Other")
    served.settled()
    page = hostile_visit.open(f"/inbox/mail/{email_id}")
    frame = page.frame_locator("#frame")
    expect(frame.locator("#harmless")).to_be_visible()
    frame.locator("#ping").click()
    frame.locator("#script-link").click()
    frame.locator("#submit").click()
    frame.locator("#delete-all").click()

    expect(frame.locator("body")).not_to_contain_text("RAN")
    expect(page).to_have_title("Hostile · PostStack")
    assert page.evaluate("window.pwned") is None
    assert page.url == f"{served.address}/inbox/mail/{email_id}"
    assert served.emulator.store.total == 2
    # A round trip through the page and the server leaves time for whatever was on its way.
    served.send(subject="Last")
    expect(page.locator("#newer")).to_be_visible()
    assert (elsewhere.connections, elsewhere.calls) == (0, [])


def test_the_frame_is_harmless_in_a_tab_of_its_own(hostile_visit: Visit, served: Served, elsewhere: Receiver) -> None:
    email_id = served.send(html=HTML.format(elsewhere=elsewhere.address))
    served.settled()
    page = hostile_visit.open(f"/inbox/mail/{email_id}/frame")

    expect(page.locator("#harmless")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("RAN")
    assert page.evaluate("origin") == "null"
    assert served.emulator.store.total == 1
    assert (elsewhere.connections, elsewhere.calls) == (0, [])


def test_links_open_in_a_new_tab_that_knows_nothing_of_the_inbox(
    hostile_visit: Visit, served: Served, elsewhere: Receiver
) -> None:
    email_id = served.send(html=f'<a href="{elsewhere.address}/shop" target="_top">Shop</a>')
    served.settled()
    page = hostile_visit.open(f"/inbox/mail/{email_id}")
    with page.context.expect_page() as opened:
        page.frame_locator("#frame").locator("a").click()
    opened.value.wait_for_load_state()

    call = next(call for call in elsewhere.calls if call.path == "/shop")
    assert "referer" not in call.headers
    assert opened.value.evaluate("opener") is None
    assert page.url == f"{served.address}/inbox/mail/{email_id}"


def test_remote_pictures_load_only_after_a_click(hostile_visit: Visit, served: Served, elsewhere: Receiver) -> None:
    email_id = served.send(
        html=f'<img id=far src="{elsewhere.address}/a.gif"><script src="{elsewhere.address}/b"></script>'
    )
    served.settled()
    page = hostile_visit.open(f"/inbox/mail/{email_id}")
    expect(page.frame_locator("#frame").locator("#far")).to_be_attached()
    assert elsewhere.connections == 0

    page.get_by_role("link", name="Load them").click()
    expect(page.get_by_text("Remote images are loaded.")).to_be_visible()
    served.until(lambda: elsewhere.calls)

    assert {call.path for call in elsewhere.calls} == {"/a.gif"}
    assert "referer" not in elsewhere.calls[0].headers


def test_hostile_fields_are_inert_on_every_page(hostile_visit: Visit, served: Served) -> None:
    served.emulator.add_webhook("http://127.0.0.1:9/hook", ["*"], 0.0)
    for number, script in enumerate(SCRIPTS, 1):
        served.emulator.store.add_email(hostile_email(script, number))
    page = hostile_visit.page
    page.on("dialog", lambda dialog: pytest.fail("A mail opened a dialog."))
    expected = page.context.new_page()
    expected.close()
    paths = ["/inbox/", "/inbox/webhooks"]
    for number in range(1, len(SCRIPTS) + 1):
        paths += [f"/inbox/mail/em_hostile{number}?view={view}" for view in ("html", "headers", "files")]
    for path in paths:
        hostile_visit.open(path)
        page.wait_for_load_state("load")

        assert page.evaluate("window.pwned") is None, path
        assert page.url == served.address + path
        assert page.evaluate("getComputedStyle(document.querySelector('main')).display") == "block"
        assert page.evaluate("document.querySelectorAll('script').length") == 1
