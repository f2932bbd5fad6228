"""The admin shows e-mails and their history, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from poststack_django.models import EmailEvent, SentEmail

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

LIST = "/admin/poststack/sentemail/"


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


def test_the_list_shows_what_became_of_each_email(admin_client: Client, email: SentEmail) -> None:
    page = admin_client.get(LIST).content.decode()

    assert '<span class="poststack-badge poststack-bounced">Bounced</span>' in page
    assert "ada@example.com" in page
    assert "&lt;b&gt;Welcome&lt;/b&gt;" in page


@pytest.mark.parametrize("search", ["em_1", "ada@example", "welcome", "key-1"])
def test_search_finds_ids_addresses_and_subjects(admin_client: Client, email: SentEmail, search: str) -> None:
    SentEmail.objects.create(idempotency_key="other", from_email="x@example.com", subject="Other")
    page = admin_client.get(LIST, {"q": search}).content.decode()

    assert "1 result" in page
    assert "ada@example.com" in page


def test_one_email_with_its_history(admin_client: Client, email: SentEmail) -> None:
    page = admin_client.get(f"{LIST}{email.pk}/change/").content.decode()

    assert "email.bounced" in page
    assert "em_1" in page
    assert 'name="_save"' not in page


def test_an_email_without_a_subject_can_be_opened(admin_client: Client) -> None:
    SentEmail.objects.create(idempotency_key="k", from_email="x@example.com")

    assert "(no subject)" in admin_client.get(LIST).content.decode()


def test_nothing_can_be_added_or_changed(admin_client: Client, email: SentEmail) -> None:
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{email.pk}/change/", {"subject": "x"}).status_code == 403


def test_the_view_permission_is_enough_and_needed(client: Client, email: SentEmail) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_sentemail"))
    assert client.get(LIST).status_code == 200


def test_events_have_a_list_of_their_own(admin_client: Client, email: SentEmail) -> None:
    EmailEvent.objects.create(event_id="evt_2", email_id="em_other", type="email.sent", occurred_at=timezone.now())
    page = admin_client.get("/admin/poststack/emailevent/").content.decode()

    assert "email.bounced" in page
    assert "em_other" in page


def test_rows_name_themselves(email: SentEmail) -> None:
    assert str(email) == "<b>Welcome</b>"
    assert str(email.events.get()) == "email.bounced"
    assert str(SentEmail(email_id="em_2")) == "em_2"
    assert str(SentEmail(idempotency_key="key")) == "key"
