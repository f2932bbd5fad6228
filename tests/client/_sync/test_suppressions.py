# Written by tools/unasync.py from tests/client/_async/test_suppressions.py. Do not edit.
"""Addresses that the API no longer sends to."""

from __future__ import annotations

import pytest

from poststack import PostStack, PostStackError
from poststack.types import SendEmail

pytestmark = pytest.mark.anyio


def email_to(*addresses: str) -> SendEmail:
    return {"from": "shop@example.com", "to": list(addresses), "subject": "Hi", "text": "Hello"}


def test_a_suppressed_address_gets_no_mail_until_it_is_removed(client: PostStack) -> None:
    client.suppressions.add({"email": "a+b@example.com", "reason": "manual"})

    with pytest.raises(PostStackError) as caught:
        client.emails.send(email_to("a+b@example.com"))
    assert caught.value.status_code == 422

    client.suppressions.remove("a+b@example.com")
    assert (client.emails.send(email_to("a+b@example.com")))["id"]


def test_the_list_is_paged(client: PostStack) -> None:
    for number in range(3):
        client.suppressions.add({"email": f"a{number}@example.com", "reason": "manual"})

    page = client.suppressions.list({"per_page": 2})
    everyone = {entry["email"] for entry in client.suppressions.iterate({"per_page": 2})}

    assert (len(page["data"]), page["meta"]["total"]) == (2, 3)
    assert everyone == {f"a{number}@example.com" for number in range(3)}
    assert page["data"][0]["reason"] == "manual"
