"""The admin shows e-mails, what became of them and what they are about, and nothing can be changed by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from poststack_django.admin import events
from poststack_django.models import EmailEvent, SentEmail, Suppression
from poststack_django.privacy import fingerprint
from poststack_django.signals import receiver_name, tracking
from poststack_django.timeline import timeline_of
from tests.with_django.emulated import send, with_webhooks

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db

LIST = "/admin/poststack/sentemail/"
EVENTS = "/admin/poststack/emailevent/"
SUPPRESSIONS = "/admin/poststack/suppression/"


@pytest.fixture
def email() -> SentEmail:
    email = SentEmail.objects.create(
        idempotency_key="key-1",
        email_id="em_1",
        from_email="Shop <shop@example.com>",
        subject="<b>Welcome</b>",
        tags=["welcome"],
        status="bounced",
    )
    email.recipients.create(kind="to", address="ada@example.com", display="Ada <ada@example.com>")
    EmailEvent.objects.create(event_id="evt_1", email_id="em_1", sent_email=email, type="email.bounced")
    return email


def clerk(client: Client, *codenames: str) -> User:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return user


# The list


def test_the_list_shows_what_became_of_each_email(admin_client: Client, email: SentEmail) -> None:
    page = admin_client.get(LIST).content.decode()

    assert '<span class="poststack-badge poststack-bounced">Bounced</span>' in page
    assert "ada@<wbr>example.com" in page
    assert "&lt;b&gt;Welcome&lt;/b&gt;" in page


@pytest.mark.parametrize("search", ["em_1", "ada@example", "welcome", "key-1"])
def test_search_finds_ids_addresses_and_subjects(admin_client: Client, email: SentEmail, search: str) -> None:
    SentEmail.objects.create(idempotency_key="other", from_email="x@example.com", subject="Other")
    page = admin_client.get(LIST, {"q": search}).content.decode()

    assert "1 result" in page
    assert "ada@<wbr>example.com" in page


def test_addresses_are_found_by_their_fingerprints(admin_client: Client, emu: EmulatorSession, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_RECIPIENTS": "hashed"}
    send(subject="Hers")
    send(subject="His", to=["bob@example.com"])
    page = admin_client.get(LIST, {"q": "ADA@example.com"}).content.decode()

    assert "Hers" in page
    assert "His" not in page
    assert fingerprint("ada@example.com")[:15] + "…" in page
    assert "ada@" not in page.replace("ADA@example.com", "")


def test_the_number_of_queries_does_not_grow_with_the_list(
    admin_client: Client, emu: EmulatorSession, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        send(to=[f"{number}@example.com", "b@example.com", "c@example.com"], tags=["receipt"])
    with CaptureQueriesContext(connection) as few:
        page = admin_client.get(LIST).content.decode()
    assert "<br>+1" in page
    for number in range(30):
        send(to=[f"{number}@example.com"])
    with django_assert_num_queries(len(few)):
        admin_client.get(LIST)
    assert len(few) <= 11


def test_tags_can_be_filtered_by(admin_client: Client, emu: EmulatorSession) -> None:
    send(subject="One", tags=["receipt"])
    send(subject="Two", tags=["receipts", "grün"])
    assert "1 sent e-mail\n" in admin_client.get(LIST, {"tag": "receipt"}).content.decode()
    page = admin_client.get(LIST, {"tag": "grün"}).content.decode()
    assert ("Two" in page, ">One<" in page) == (True, False)
    assert "0 sent e-mails" in admin_client.get(LIST, {"tag": "gone"}).content.decode()


def test_mailers_are_shown_where_there_are_several(admin_client: Client, settings: Any, email: SentEmail) -> None:
    SentEmail.objects.create(idempotency_key="2", from_email="x@example.com", mailer="marketing")
    assert "column-mailer" not in admin_client.get(LIST).content.decode()
    settings.MAILERS = {
        name: {"BACKEND": "poststack_django.backends.EmailBackend"} for name in ("default", "marketing")
    }
    page = admin_client.get(LIST).content.decode()
    assert "column-mailer" in page
    assert "?mailer=marketing" in page


def test_the_emails_about_one_object_can_be_listed(admin_client: Client, emu: EmulatorSession) -> None:
    group = Group.objects.create(name="g")
    send(subject="About it", related_to=group)
    send(subject="Other")
    about = {"relations__model": "auth.group", "relations__object_id": str(group.pk)}
    page = admin_client.get(LIST, about).content.decode()

    assert ("About it" in page, "Other" in page) == (True, False)


def test_an_email_without_a_subject_can_be_opened(admin_client: Client) -> None:
    SentEmail.objects.create(idempotency_key="k", from_email="x@example.com")

    assert "(no subject)" in admin_client.get(LIST).content.decode()


# One e-mail


def test_one_email_with_its_history(admin_client: Client, email: SentEmail) -> None:
    page = admin_client.get(f"{LIST}{email.pk}/change/").content.decode()

    assert "email.bounced" in page
    assert "em_1" in page
    assert 'name="_save"' not in page


def test_the_timeline_tells_the_story(admin_client: Client, emu: EmulatorSession, heard: list[str]) -> None:
    with_webhooks(emu)
    email = send(to=["Ada <ada@example.com>", "bounce@example.com"], metadata={"order": 7}, tags=["receipt"])
    emu.clock.advance(60)

    titles = [(moment.title, moment.recipient, moment.status) for moment in timeline_of(email)]
    assert titles == [
        ("Stored, about to be sent", "", "pending"),
        ("Accepted by PostStack", "", "queued"),
        ("Sent", "", "sending"),
        ("Delivered", "Ada <ada@example.com>", "delivered"),
        ("Bounced", "bounce@example.com", "bounced"),
    ]
    page = admin_client.get(f"{LIST}{email.pk}/change/").content.decode()
    assert "550 5.1.1 The mailbox does not exist" in page
    assert "Ada &lt;ada@example.com&gt;" in page
    assert "&quot;order&quot;: 7" in page


def test_the_timeline_says_why_an_email_was_refused() -> None:
    email = SentEmail.objects.create(idempotency_key="k", from_email="x@example.com", status="refused", error="No.")
    last = timeline_of(email)[-1]
    assert (last.title, last.detail) == ("Refused", "No.")


def test_acceptance_is_told_without_its_event_too(email: SentEmail) -> None:
    email.sent_at = timezone.now()
    EmailEvent.objects.create(event_id="evt_2", email_id="em_1", sent_email=email, type="email.new_kind")
    assert {moment.title for moment in timeline_of(email)} == {
        "Stored, about to be sent",
        "Accepted by PostStack",
        "Bounced",
        "email.new_kind",
    }


def test_failed_receivers_are_shown(admin_client: Client, email: SentEmail) -> None:
    event = email.events.get()
    event.state, event.failures = "failed", [{"receiver": "shop.<flag>", "error": "ZeroDivisionError"}]
    event.save()
    for address in (f"{LIST}{email.pk}/change/", f"{EVENTS}{event.pk}/change/"):
        page = admin_client.get(address).content.decode()
        assert "shop.&lt;flag&gt; · ZeroDivisionError" in page


def test_only_so_many_events_are_on_the_page(admin_client: Client, email: SentEmail) -> None:
    EmailEvent.objects.bulk_create(
        EmailEvent(event_id=f"open_{number}", email_id="em_1", sent_email=email, type="email.opened")
        for number in range(201)
    )
    page = admin_client.get(f"{LIST}{email.pk}/change/").content.decode()
    assert page.count("Raw data") == 200
    assert "All events" in page


@pytest.mark.parametrize("permissions", [("view_group",), ()])
def test_related_objects_are_named_to_those_who_may_see_them(
    client: Client, emu: EmulatorSession, permissions: tuple[str, ...]
) -> None:
    group = Group.objects.create(name="Secret customers")
    gone = Group.objects.create(name="gone")
    email = send(related_to=[group, gone])
    gone_pk = gone.pk
    gone.delete()
    email.relations.create(model="shop.order", object_id="17")
    email.relations.create(model="auth.group", object_id="not a number")
    clerk(client, "view_sentemail", *permissions)
    page = client.get(f"{LIST}{email.pk}/change/").content.decode()

    seen = bool(permissions)
    assert (f'<a href="/admin/auth/group/{group.pk}/change/">Secret customers</a>' in page) is seen
    assert ("Secret customers" in page) is seen
    assert (f"{gone_pk} (deleted)" in page) is seen
    assert "Shop.order: 17" in page


# Nothing by hand


def test_nothing_can_be_added_or_changed(admin_client: Client, email: SentEmail) -> None:
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{email.pk}/change/", {"subject": "x"}).status_code == 403
    assert admin_client.get(f"{EVENTS}add/").status_code == 403


def test_the_view_permission_is_enough_and_needed(client: Client, email: SentEmail) -> None:
    user = clerk(client)
    assert client.get(LIST).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_sentemail"))
    assert client.get(LIST).status_code == 200
    page = client.get(f"{LIST}{email.pk}/change/").content.decode()
    for word in ("Refresh", "Send again", "Content", "Delete"):
        assert f">{word}</a>" not in page


def test_deleting_needs_its_permission(client: Client, email: SentEmail) -> None:
    user = clerk(client, "view_sentemail")
    delete = f"{LIST}{email.pk}/delete/"
    assert client.post(delete, {"post": "yes"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="delete_sentemail"))
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert EmailEvent.objects.get().sent_email is None


def test_events_have_a_list_of_their_own(admin_client: Client, email: SentEmail) -> None:
    EmailEvent.objects.create(
        event_id="evt_2",
        email_id="em_other",
        type="email.sent",
        occurred_at=timezone.now(),
        state="handled",
        data={"reason": "x"},
    )
    page = admin_client.get(EVENTS).content.decode()

    assert "email.bounced" in page
    assert "em_other" in page
    assert "1 e-mail event\n" in admin_client.get(EVENTS, {"state__exact": "handled"}).content.decode()
    other = EmailEvent.objects.get(event_id="evt_2")
    assert "&quot;reason&quot;: &quot;x&quot;" in admin_client.get(f"{EVENTS}{other.pk}/change/").content.decode()


def test_failed_receivers_can_be_called_again(admin_client: Client, email: SentEmail) -> None:
    heard: list[str] = []
    broken = True

    def flag(event: Any, **_: Any) -> None:
        heard.append(event.id)
        if broken:
            raise ZeroDivisionError("ada@example.com")

    def choose(**extra: str) -> Any:
        chosen = [event.pk for event in EmailEvent.objects.all()]
        data = {"action": "retry_receivers", "_selected_action": chosen, **extra}
        return admin_client.post(EVENTS, data, follow=True)

    def said() -> list[str]:
        return [str(message) for message in choose(confirmed="yes").context["messages"]]

    EmailEvent.objects.create(event_id="evt_new", type="email.sent")
    event = email.events.get()
    event.state = "failed"
    event.failures = [{"signal": "tracking", "receiver": receiver_name(flag), "error": "E", "at": ""}]
    event.save()
    tracking.connect(flag)
    try:
        page = choose().content.decode()
        assert ("email.bounced" in page, "Call them" in page, heard) == (True, True, [])
        assert said() == ["Receivers of 1 event still fail; the log says why."]
        broken = False
        assert said() == ["1 event is dealt with."]
        assert heard == ["evt_1", "evt_1"]
        assert said() == ["The receivers of all these have dealt with them."]
    finally:
        tracking.disconnect(flag)


def test_calling_receivers_again_needs_its_permission(
    client: Client, email: SentEmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = clerk(client, "view_emailevent")
    assert "retry_receivers" not in client.get(EVENTS).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="change_emailevent"))
    assert "retry_receivers" in client.get(EVENTS).content.decode()
    monkeypatch.setattr(events, "MOST_AT_ONCE", 0)
    EmailEvent.objects.update(state="failed")
    data = {"action": "retry_receivers", "_selected_action": [email.events.get().pk]}
    assert "Select at most 0" in client.post(EVENTS, data, follow=True).content.decode()


def test_rows_name_themselves(email: SentEmail) -> None:
    assert str(email) == "<b>Welcome</b>"
    assert str(email.events.get()) == "email.bounced"
    assert str(SentEmail(email_id="em_2")) == "em_2"
    assert str(SentEmail(idempotency_key="key")) == "key"


# Suppressions


@pytest.mark.parametrize(
    ("how", "stored"), [("plain", "ada@example.com"), ("hashed", None), ("none", None)], ids=["plain", "hashed", "none"]
)
def test_an_address_can_be_suppressed_by_hand(
    admin_client: Client, settings: Any, how: str, stored: str | None
) -> None:
    settings.POSTSTACK = {"STORE_RECIPIENTS": how, "SUPPRESSIONS": True}
    assert admin_client.post(f"{SUPPRESSIONS}add/", {"address": "Ada@Example.com"}).status_code == 302
    one = Suppression.objects.get()
    assert (one.address, one.reason) == (stored or fingerprint("ada@example.com"), "manual")
    again = admin_client.post(f"{SUPPRESSIONS}add/", {"address": "ada@example.com"}).content.decode()
    assert "already exists" in again

    Suppression.objects.create(address="bob@example.com")
    page = admin_client.get(SUPPRESSIONS, {"q": "ADA@example.com"}).content.decode()
    assert "1 result" in page
    assert "is off" not in page
    assert admin_client.get(f"{SUPPRESSIONS}{one.pk}/change/").status_code == 200
    assert admin_client.post(f"{SUPPRESSIONS}{one.pk}/change/", {"address": "x@example.com"}).status_code == 403
    assert admin_client.post(f"{SUPPRESSIONS}{one.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Suppression.objects.filter(pk=one.pk).exists()


def test_the_list_says_when_nobody_looks_at_it(admin_client: Client) -> None:
    assert "POSTSTACK[&#x27;SUPPRESSIONS&#x27;] is off" in admin_client.get(SUPPRESSIONS).content.decode()


def test_what_is_no_address_is_refused(admin_client: Client) -> None:
    page = admin_client.post(f"{SUPPRESSIONS}add/", {"address": json.dumps("nobody")}).content.decode()
    assert "valid email address" in page
