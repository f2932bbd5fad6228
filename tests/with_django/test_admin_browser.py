"""The admin in a real browser: questions before deeds, and mail that means harm."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group

from poststack_django.models import SentEmail
from tests.with_django import browsing
from tests.with_django.emulated import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack.testing import EmulatorSession
    from tests.emulator.inbox.receiver import Receiver

from playwright.sync_api import expect

from tests.emulator.inbox.browser import overflow
from tests.emulator.inbox.hostile import HTML

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/poststack/sentemail/"

chromium, desk = browsing.chromium, browsing.desk


@pytest.fixture
def elsewhere() -> Iterator[Receiver]:
    from tests.emulator.inbox.receiver import Receiver

    with Receiver() as running:
        yield running


def test_an_email_is_canceled_after_a_question(desk: browsing.Desk, emu: EmulatorSession) -> None:
    email = send(subject="Newsletter", scheduled_at=datetime.now(timezone.utc) + timedelta(days=1))
    page = desk.open(f"{LIST}{email.pk}/change/")
    page.get_by_role("link", name="Cancel sending").click()
    expect(page.get_by_role("heading", name="Cancel before it is sent?")).to_be_visible()
    assert SentEmail.objects.get().status == "queued"
    page.get_by_role("link", name="No, take me back").click()
    page.get_by_role("link", name="Cancel sending").click()
    page.get_by_role("button", name="Cancel sending").click()

    expect(page.locator(".messagelist")).to_have_text("Canceled.")
    expect(page.locator(".poststack-timeline")).to_contain_text("Canceled")
    assert SentEmail.objects.get().status == "canceled"
    assert desk.asked_elsewhere == []


def test_several_are_sent_again_from_the_list(desk: browsing.Desk, emu: EmulatorSession) -> None:
    send(subject="First")
    send(subject="Second")
    page = desk.open(LIST)
    page.get_by_role("checkbox", name=re.compile("Select all")).check()
    page.locator("select[name=action]").select_option("resend_selected")
    page.locator("button[name=index]").click()
    expect(page.locator(".poststack-chosen > li")).to_have_count(2)
    assert len(emu.sent) == 2
    page.get_by_role("button", name="Send again").click()

    expect(page.locator(".messagelist")).to_have_text("2 e-mails sent again.")
    assert len(emu.sent) == 4


def test_a_mail_that_means_harm_reaches_nobody(desk: browsing.Desk, emu: EmulatorSession, elsewhere: Receiver) -> None:
    email = send(subject="Hostile", html=HTML.format(elsewhere=elsewhere.address))
    page = desk.open(f"{LIST}{email.pk}/content/")
    frame = page.frame_locator(".poststack-frame")
    expect(frame.locator("#harmless")).to_be_visible()
    for target in ("#ping", "#script-link", "#submit", "#delete-all"):
        frame.locator(target).click()

    expect(frame.locator("body")).not_to_contain_text("RAN")
    assert page.evaluate("window.pwned") is None
    assert page.url == f"{desk.address}{LIST}{email.pk}/content/"
    # Alone in a tab, without the attributes of the frame, the headers are enough.
    desk.open(f"{LIST}{email.pk}/content/frame/")
    expect(page.locator("#harmless")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("RAN")
    assert page.evaluate("origin") == "null"
    # A round trip through the server leaves time for whatever was on its way.
    desk.open(LIST)
    assert (elsewhere.connections, elsewhere.calls) == (0, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_on_a_phone(desk: browsing.Desk, emu: EmulatorSession, scheme: str) -> None:
    group = Group.objects.create(name="Order 1001")
    address = f"{'long' * 15}@{'sub.' * 20}example.com"
    email = send(subject="Word" * 40, html="<p>Hi</p>", to=[address], tags=["tag" * 20], related_to=group)
    emu.clock.advance(60)
    page = desk.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in (
        LIST,
        f"{LIST}{email.pk}/change/",
        f"{LIST}{email.pk}/resend/",
        f"{LIST}{email.pk}/content/",
        f"/admin/auth/group/{group.pk}/change/",
        "/admin/poststack/emailevent/",
        "/admin/poststack/suppression/add/",
    ):
        desk.open(path)
        assert overflow(page) == 0, path
        assert desk.asked_elsewhere == []
