"""Addresses that the API no longer sends to."""

from __future__ import annotations

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.types import SendEmail

pytestmark = pytest.mark.anyio


def email_to(*addresses: str) -> SendEmail:
    return {"from": "shop@example.com", "to": list(addresses), "subject": "Hi", "text": "Hello"}


async def test_a_suppressed_address_gets_no_mail_until_it_is_removed(client: AsyncPostStack) -> None:
    await client.suppressions.add({"email": "a+b@example.com", "reason": "manual"})

    with pytest.raises(PostStackError) as caught:
        await client.emails.send(email_to("a+b@example.com"))
    assert caught.value.status_code == 422

    await client.suppressions.remove("a+b@example.com")
    assert (await client.emails.send(email_to("a+b@example.com")))["id"]


async def test_the_list_is_paged(client: AsyncPostStack) -> None:
    for number in range(3):
        await client.suppressions.add({"email": f"a{number}@example.com", "reason": "manual"})

    page = await client.suppressions.list({"per_page": 2})
    everyone = {entry["email"] async for entry in client.suppressions.iterate({"per_page": 2})}

    assert (len(page["data"]), page["meta"]["total"]) == (2, 3)
    assert everyone == {f"a{number}@example.com" for number in range(3)}
    assert page["data"][0]["reason"] == "manual"
