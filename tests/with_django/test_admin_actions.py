"""Refresh, cancel and resend from the admin: a question, a permission each, and nothing by GET."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from poststack_django.admin import doing
from poststack_django.models import SentEmail
from tests.with_django.emulated import send

if TYPE_CHECKING:
    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db

LIST = "/admin/poststack/sentemail/"
BUTTONS = {"refresh": "Refresh", "cancel": "Cancel sending", "resend": "Send again"}
GONE = "PostStack does not have it, or no longer."


def tomorrow() -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=1)


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def from_list(client: Client, name: str, *emails: SentEmail, confirmed: bool) -> Any:
    data: dict[str, Any] = {"action": f"{name}_selected", "_selected_action": [email.pk for email in emails]}
    return client.post(LIST, {**data, **({"confirmed": "yes"} if confirmed else {})}, follow=True)


def test_buttons_are_there_for_what_is_possible(admin_client: Client, emu: EmulatorSession, settings: Any) -> None:
    def buttons(email: SentEmail) -> set[str]:
        page = admin_client.get(f"{LIST}{email.pk}/change/").content.decode()
        return {name for name, text in BUTTONS.items() if f">{text}</a>" in page}

    scheduled = send(scheduled_at=tomorrow())
    assert buttons(scheduled) == {"refresh", "cancel", "resend"}
    assert buttons(send()) == {"refresh", "resend"}
    waiting = SentEmail.objects.create(
        idempotency_key="w", from_email="x@example.com", status="waiting", next_attempt_at=tomorrow()
    )
    assert buttons(waiting) == {"cancel"}
    settings.POSTSTACK = {**settings.POSTSTACK, "STORE_BODIES": False}
    assert buttons(send()) == {"refresh"}


@pytest.mark.parametrize("name", ["refresh", "cancel", "resend"])
def test_get_asks_and_changes_nothing(admin_client: Client, emu: EmulatorSession, name: str) -> None:
    email = send(scheduled_at=tomorrow())
    emu.clock.advance(1)
    requests = emu.emulator.store.revision
    page = admin_client.get(f"{LIST}{email.pk}/{name}/")

    assert page.status_code == 200
    assert b"csrfmiddlewaretoken" in page.content
    assert BUTTONS[name] in page.content.decode()
    assert emu.emulator.store.revision == requests
    assert SentEmail.objects.get().status == "queued"


def test_refreshing_says_what_became_of_it(admin_client: Client, emu: EmulatorSession) -> None:
    email = send()
    emu.clock.advance(60)
    answer = admin_client.post(f"{LIST}{email.pk}/refresh/", follow=True)

    assert answer.redirect_chain == [(f"{LIST}{email.pk}/change/", 302)]
    assert messages_of(answer) == ["PostStack was asked. Status: Delivered."]
    assert LogEntry.objects.get().get_change_message() == "Refreshed."


def test_cancelling_and_sending_again(admin_client: Client, emu: EmulatorSession) -> None:
    email = send(scheduled_at=tomorrow())
    assert messages_of(admin_client.post(f"{LIST}{email.pk}/cancel/", follow=True)) == ["Canceled."]
    assert SentEmail.objects.get().status == "canceled"
    answer = admin_client.post(f"{LIST}{email.pk}/resend/", follow=True)
    again = SentEmail.objects.exclude(pk=email.pk).get()
    assert answer.redirect_chain == [(f"{LIST}{again.pk}/change/", 302)]
    assert messages_of(answer) == ["Sent again."]


def test_forged_requests_are_refused(emu: EmulatorSession, admin_user: User) -> None:
    email = send()
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    for name in BUTTONS:
        assert client.post(f"{LIST}{email.pk}/{name}/").status_code == 403
    assert len(emu.sent) == 1


@pytest.mark.parametrize("name", ["refresh", "cancel", "resend"])
def test_each_needs_its_own_permission(client: Client, emu: EmulatorSession, name: str) -> None:
    email = send(scheduled_at=tomorrow())
    user = User.objects.create_user("clerk", is_staff=True)
    others = [f"{other}_sentemail" for other in BUTTONS if other != name]
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_sentemail", *others]))
    client.force_login(user)
    address = f"{LIST}{email.pk}/{name}/"

    assert client.get(address).status_code == client.post(address).status_code == 403
    page = client.get(LIST).content.decode()
    assert f'value="{name}_selected"' not in page
    from_list(client, name, email, confirmed=True)
    assert len(emu.sent) == 1
    assert SentEmail.objects.get().status == "queued"
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_sentemail"]))
    assert client.post(address).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_sentemail"))
    assert client.post(address).status_code == 302


def test_an_email_that_is_not_there(admin_client: Client) -> None:
    assert admin_client.get(f"{LIST}1/refresh/").status_code == 404


def test_the_list_asks_before_it_does(admin_client: Client, emu: EmulatorSession) -> None:
    first, second = send(subject="First"), send(subject="Second")
    asked = from_list(admin_client, "resend", first, second, confirmed=False)
    assert "First" in asked.content.decode()
    assert len(emu.sent) == 2

    done = from_list(admin_client, "resend", first, second, confirmed=True)
    assert messages_of(done) == ["2 e-mails sent again."]
    assert len(emu.sent) == 4


def test_what_fails_is_counted_and_the_rest_is_done(admin_client: Client, emu: EmulatorSession) -> None:
    ids = [send().pk, send().pk]
    gone = [
        SentEmail.objects.create(idempotency_key=key, email_id=f"em_{key}", from_email="a@example.com")
        for key in ("secret-key-1", "secret-key-2")
    ]
    done = from_list(admin_client, "refresh", *SentEmail.objects.filter(pk__in=ids), *gone, confirmed=True)
    assert messages_of(done) == ["PostStack was asked about 2 e-mails.", f"2 e-mails: {GONE}"]
    cancelled = from_list(admin_client, "cancel", gone[0], confirmed=True)
    assert messages_of(cancelled) == ["1 e-mail: Only an e-mail that is scheduled and not sent yet can be canceled."]


def test_the_list_stops_when_it_is_told_to_wait(admin_client: Client, emu: EmulatorSession) -> None:
    emails = [send(), send()]
    emu.fail(429, retry_after=9, method="GET")
    done = from_list(admin_client, "refresh", *emails, confirmed=True)
    text = "PostStack takes no more at the moment; nothing more was tried. Try again in 9 seconds."
    assert messages_of(done) == [f"1 e-mail: {text}"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"status": 500}, "PostStack failed with status 500"),
        ({"status": 403, "error": "no ada@example.com"}, "PostStack refused: status 403"),
        ({"reset": True}, "PostStack did not answer."),
    ],
)
def test_errors_name_no_addresses(admin_client: Client, emu: EmulatorSession, fault: dict[str, Any], text: str) -> None:
    email = send()
    emu.fail(**fault)
    (message,) = messages_of(admin_client.post(f"{LIST}{email.pk}/refresh/", follow=True))
    assert text in message
    assert "@" not in message


def test_too_many_at_once_are_refused(
    admin_client: Client, emu: EmulatorSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "MOST_AT_ONCE", 1)
    done = from_list(admin_client, "refresh", send(), send(), confirmed=True)
    assert messages_of(done) == [
        "Select at most 1 e-mails at a time. For more, there is manage.py poststack_reconcile."
    ]
