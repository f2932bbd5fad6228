"""The e-mails about an object, on the object's own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, Permission, User

from poststack_django.related import emails_about
from tests.with_django.emulated import send

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from poststack.testing import EmulatorSession

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="Order 1001")


def page_of(client: Client, group: Group) -> str:
    return client.get(f"/admin/auth/group/{group.pk}/change/").content.decode()


def test_an_object_shows_the_emails_about_it(admin_client: Client, emu: EmulatorSession, group: Group) -> None:
    email = send(subject="<Receipt>", related_to=group)
    send(subject="Other")
    page = page_of(admin_client, group)

    assert f'<a href="/admin/poststack/sentemail/{email.pk}/change/">&lt;Receipt&gt;</a>' in page
    assert '<span class="poststack-badge poststack-queued">Accepted</span>' in page
    assert "poststack_django/admin.css" in page
    assert "Other" not in page
    assert "All e-mails about this" not in page


def test_many_emails_are_linked_to(admin_client: Client, emu: EmulatorSession, group: Group) -> None:
    for number in range(21):
        send(subject=f"Number {number}.", related_to=group)
    page = page_of(admin_client, group)

    assert ("Number 20." in page, "Number 0." in page) == (True, False)
    address = f"/admin/poststack/sentemail/?relations__model=auth.group&amp;relations__object_id={group.pk}"
    assert address in page
    assert "Number 0." in admin_client.get(address.replace("&amp;", "&")).content.decode()


def test_no_email_yet(admin_client: Client, group: Group) -> None:
    assert "No e-mail yet." in page_of(admin_client, group)
    assert "E-mails" not in admin_client.get("/admin/auth/group/add/").content.decode()


def test_the_object_can_still_be_changed(admin_client: Client, emu: EmulatorSession, group: Group) -> None:
    send(related_to=group)
    answer = admin_client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Renamed"})
    assert answer.status_code == 302
    assert Group.objects.get().name == "Renamed"
    assert admin_client.post("/admin/auth/group/add/", {"name": "New"}).status_code == 302


@pytest.mark.parametrize("permission", ["view_group", "change_group"])
def test_emails_are_shown_to_those_who_may_see_them(
    client: Client, emu: EmulatorSession, group: Group, permission: str
) -> None:
    send(subject="Private", related_to=group)
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    assert "Private" not in page_of(client, group)
    user.user_permissions.add(Permission.objects.get(codename="view_sentemail"))
    assert "Private" in page_of(client, group)


def test_emails_about_an_object_for_pages_of_ones_own(
    emu: EmulatorSession, group: Group, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = Group.objects.create(name="Order 1002")
    send(subject="First", related_to=group)
    send(subject="Both", related_to=[group, other])
    with django_assert_num_queries(2):
        assert [(email.subject, email.to) for email in emails_about(group, other)] == [
            ("Both", ["Ada <ada@example.com>"]),
            ("First", ["Ada <ada@example.com>"]),
        ]
