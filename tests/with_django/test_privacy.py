"""One mailbox is one address, however it is spelled, and is found again however it is stored."""

from __future__ import annotations

from typing import Any

import pytest

from poststack_django.models import EmailEvent, SentEmail
from poststack_django.privacy import bare_address, fingerprint, spellings
from tests.with_django.histories import Accepted, Told, outcome, stored


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada@Example.COM ", "ada@example.com"),
        ("Ada Lovelace <ada@example.com>", "ada@example.com"),
        ('"Lovelace, Ada" <ada@example.com>', "ada@example.com"),
        ("Lovelace, Ada <ADA@example.com>", "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        (f"ada@{'ü' * 70}.example", f"ada@{'ü' * 70}.example"),
        ("root", "root"),
    ],
)
def test_spellings_of_one_mailbox_have_one_bare_address(written: str, bare: str) -> None:
    assert bare_address(written) == bare


def test_spellings_are_found_under_earlier_keys(settings: Any) -> None:
    earlier = fingerprint("ada@example.com")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]

    assert fingerprint("ada@example.com") != earlier
    assert spellings("Ada@example.com") == ["ada@example.com", fingerprint("ada@example.com"), earlier]


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "then"), [("plain", "hashed"), ("hashed", "plain")])
def test_events_find_recipients_stored_under_another_setting(settings: Any, first: str, then: str) -> None:
    settings.POSTSTACK = {"STORE_RECIPIENTS": first}
    stored()
    Accepted().arrives()
    settings.POSTSTACK = {"STORE_RECIPIENTS": then}
    Told(1, "bounced", "BOB@example.com").arrives()
    Told(2, "delivered", "stranger@example.com").arrives()

    assert [status for status, _ in outcome().recipients] == ["queued", "bounced", "queued"]


@pytest.mark.django_db
def test_without_stored_recipients_no_address_is_stored(settings: Any) -> None:
    settings.POSTSTACK = {"STORE_RECIPIENTS": "none"}
    stored()
    Told(1, "bounced", "bob@example.com").arrives()
    Accepted().arrives()

    assert "bob" not in str(EmailEvent.objects.values().get())
    assert SentEmail.objects.get().status == "bounced"
