"""Webhook endpoints and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackError, events
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio

URL = "https://shop.example.com/webhooks"


async def test_the_secret_is_shown_once(client: AsyncPostStack) -> None:
    created = await client.webhooks.create({"url": URL, "events": ["email.delivered"]})
    got = await client.webhooks.get(created["webhook"]["id"])
    listed = await client.webhooks.list()

    assert created["signingSecret"]
    assert created["signingSecret"] not in repr(got) + repr(listed)
    assert [webhook["url"] for webhook in listed["webhooks"]] == [URL]


async def test_an_id_may_be_text_as_with_the_published_sdk(client: AsyncPostStack) -> None:
    created = await client.webhooks.create({"url": URL, "events": ["*"]})
    from_an_address: Any = str(created["webhook"]["id"])

    assert (await client.webhooks.get(from_an_address))["webhook"]["url"] == URL
    with pytest.raises(ValueError, match="is not an id"):
        await client.webhooks.delete("..")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what the test is about


async def test_an_endpoint_is_changed_and_removed(client: AsyncPostStack) -> None:
    webhook = (await client.webhooks.create({"url": URL, "events": ["*"]}))["webhook"]["id"]

    paused = await client.webhooks.update(webhook, {"enabled": False})
    await client.webhooks.delete(webhook)

    assert not paused["webhook"]["active"]
    with pytest.raises(PostStackError) as caught:
        await client.webhooks.get(webhook)
    assert caught.value.status_code == 404


async def test_a_rotated_secret_leaves_a_grace_period(client: AsyncPostStack) -> None:
    created = await client.webhooks.create({"url": URL, "events": ["*"]})
    webhook = created["webhook"]["id"]

    rotated = await client.webhooks.rotate_secret(webhook, grace_hours=1)
    at_once = await client.webhooks.rotate_secret(webhook, grace_hours=0)

    assert len({created["signingSecret"], rotated["signingSecret"], at_once["signingSecret"]}) == 3
    assert rotated["webhook"]["previousSecretExpiresAt"] is not None
    assert at_once["webhook"]["previousSecretExpiresAt"] is None
    assert (await client.webhooks.rotate_secret(webhook))["webhook"]["previousSecretExpiresAt"] is not None


async def test_a_delivered_event_verifies_and_names_the_email(client: AsyncPostStack, emu: EmulatorSession) -> None:
    received: list[events.WebhookEvent] = []

    def receive(body: bytes, headers: Mapping[str, str]) -> int:
        signature = {name.lower(): value for name, value in headers.items()}[events.SIGNATURE_HEADER.lower()]
        assert client.webhooks.verify(body, signature, "shop-secret")
        received.append(events.construct_event(body, signature, ["another", "shop-secret"]))
        return 200

    emu.on_webhook(receive, secret="shop-secret", events=["email.delivered"])
    sent = await client.emails.send(
        {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
    )
    emu.clock.advance(60)

    assert [(event.type, event.email_id) for event in received] == [("email.delivered", sent["id"])]


async def test_failed_deliveries_are_listed_and_sent_again(client: AsyncPostStack, emu: EmulatorSession) -> None:
    answers = [500]
    bodies: list[bytes] = []

    def receive(body: bytes, headers: Mapping[str, str]) -> int:
        bodies.append(body)
        return answers[0]

    emu.on_webhook(receive, secret="shop-secret", events=["email.delivered"])
    webhook = (await client.webhooks.list())["webhooks"][0]["id"]
    await client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})
    emu.clock.advance(3 * 86_400)
    [failed] = (await client.webhooks.get_deliveries(webhook))["deliveries"]
    answers[0] = 200

    replayed = await client.webhooks.batch_replay(webhook)
    emu.clock.advance(60)
    await client.webhooks.replay(webhook, failed["id"])
    emu.clock.advance(60)

    assert (failed["deliveredAt"], failed["nextRetryAt"], failed["statusCode"]) == (None, None, 500)
    assert failed["attempts"] > 1
    assert replayed == {"replayed": 1, "remaining": 0}
    assert len(set(bodies)) == 1
    assert (await client.webhooks.batch_replay(webhook, {"limit": 5}))["replayed"] == 0


async def test_a_sample_event_can_be_asked_for(client: AsyncPostStack, emu: EmulatorSession) -> None:
    bodies: list[bytes] = []

    def receive(body: bytes, headers: Mapping[str, str]) -> int:
        bodies.append(body)
        return 204

    emu.on_webhook(receive, secret="shop-secret", events=["*"])
    webhook = (await client.webhooks.list())["webhooks"][0]["id"]

    assert (await client.webhooks.test(webhook))["success"]
    emu.clock.advance(60)

    assert len(bodies) == 1
