"""Channels in chats: which events they are told, in which words, and that no chat is ever called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from tests.conforming import checked

pytestmark = pytest.mark.anyio

LOCAL = "http://127.0.0.1:9/hook"
SLACK = "https://hooks.slack.com/services/T000/B000/secretpart"
TELEGRAM: dict[str, Any] = {
    "type": "telegram",
    "config": {"botToken": "123456:" + "secret" * 4, "chatId": "-100200"},
}


async def made(client: AsyncPostStack, url: str = LOCAL, **changes: Any) -> str:
    content: Any = {"type": "slack", "name": "Ops", "events": ["*"], "config": {"webhookUrl": url}, **changes}
    return (await client.notification_channels.create(content))["channel"]["publicId"]


async def refusal(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        await method(*arguments)
    return caught.value.status_code, caught.value.error


async def send(client: AsyncPostStack, emu: EmulatorSession, **changes: Any) -> None:
    email: Any = {"from": "a@shop.test", "to": ["ada@customer.test"], "subject": "Hi", "text": "x", **changes}
    await client.emails.send(email)
    emu.clock.advance(1)


def listen(emu: EmulatorSession, status: int = 200, url: str = LOCAL) -> list[Any]:
    posts: list[Any] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        posts.append(json.loads(body))
        return status

    emu.transport.receive(url, receive)
    return posts


async def told(client: AsyncPostStack, channel: str) -> list[str]:
    types = [entry["eventType"] async for entry in client.notification_channels.iterate_deliveries(channel)]
    return types[::-1]


async def test_a_channel_is_made_without_showing_its_secrets(client: AsyncPostStack) -> None:
    slack, telegram = await made(client, SLACK), await made(client, **TELEGRAM)
    channels = (await client.notification_channels.list())["channels"]

    assert [channel["publicId"] for channel in channels] == [slack, telegram]
    assert (await client.notification_channels.get(slack))["channel"] == channels[0]
    assert channels[0]["configSummary"] == {"webhookUrl": "https://hooks.slack.com/…"}
    assert channels[1]["configSummary"] == {"botToken": "123456:…", "chatId": "-100200"}
    assert "secret" not in repr(channels)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"type": "irc"}, 422),
        ({"type": "web_push"}, 422),
        ({"name": ""}, 400),
        ({"name": "x" * 201}, 422),
        ({"events": []}, 400),
        ({"events": "email.sent"}, 400),
        ({"config": {}}, 400),
        ({"config": {"webhookUrl": 7}}, 400),
        ({"config": {"webhookUrl": "https://example.com/hook"}}, 422),
        ({"config": {"webhookUrl": "http://hooks.slack.com/services/a"}}, 422),
        ({"config": {"webhookUrl": "https://hooks.slack.com/else"}}, 422),
        ({"config": {"webhookUrl": "http://localhost@evil.test/"}}, 422),
        ({"config": {"webhookUrl": "http://a:b@localhost/"}}, 422),
        ({"type": "discord", "config": {"webhookUrl": SLACK}}, 422),
        ({**TELEGRAM, "config": {"botToken": "123456:" + "a" * 20}}, 400),
        ({**TELEGRAM, "config": {"botToken": "a", "chatId": "1"}}, 422),
        ({**TELEGRAM, "config": {"botToken": "123456:" + "a" * 20, "chatId": "a chat"}}, 422),
        ({"domainId": 9}, 404),
        ({"domainId": "dom_1"}, 400),
        ({"mailboxId": 9}, 404),
    ],
)
async def test_a_channel_that_cannot_work_is_refused(client: AsyncPostStack, change: Any, status: int) -> None:
    content = {"type": "slack", "name": "Ops", "events": ["*"], "config": {"webhookUrl": SLACK}, **change}

    assert (await refusal(client.notification_channels.create, content))[0] == status
    assert (await client.notification_channels.list())["channels"] == []


async def test_what_is_not_there_is_404(client: AsyncPostStack) -> None:
    channels, known = client.notification_channels, await made(client)
    calls: list[tuple[Any, ...]] = [
        (channels.get, "nc_no"),
        (channels.update, "nc_no", {}),
        (channels.delete, "nc_no"),
        (channels.list_deliveries, "nc_no"),
        (channels.test, "nc_no"),
        (channels.replay_delivery, known, 9),
    ]

    assert [(await refusal(*call))[0] for call in calls] == [404] * len(calls)


async def test_an_update_leaves_the_rest_of_the_config(client: AsyncPostStack) -> None:
    channel = await made(client, **TELEGRAM)
    changed = await client.notification_channels.update(
        channel, {"name": "New", "events": ["email.sent"], "config": {"chatId": "@shop"}}
    )
    summary = changed["channel"]["configSummary"]
    bad = await refusal(client.notification_channels.update, channel, {"name": "x", "config": {"chatId": "no chat"}})
    other = await refusal(client.notification_channels.update, channel, {"type": "slack"})

    assert summary == {"botToken": "123456:…", "chatId": "@shop"}
    assert (bad[0], other[0]) == (422, 422)
    assert (await client.notification_channels.get(channel))["channel"] == changed["channel"]


async def test_events_are_told_in_the_words_of_each_chat(client: AsyncPostStack, emu: EmulatorSession) -> None:
    slack, discord = listen(emu), listen(emu, url=LOCAL + "/discord")
    await made(client, events=["email.bounced"])
    await made(client, LOCAL + "/discord", type="discord", events=["email.bounced"])
    await send(client, emu, to=["bounce@customer.test"], subject="<b> & @everyone")

    assert slack[0]["text"].startswith("email.bounced\nTo: bounce@customer.test\n")
    assert "Subject: &lt;b&gt; &amp; @everyone" in slack[0]["text"]
    assert "Subject: <b> & @everyone" in discord[0]["content"]
    assert discord[0]["allowed_mentions"] == {"parse": []}
    assert (len(slack), len(discord)) == (1, 1)


async def test_only_wanted_events_are_told(client: AsyncPostStack, emu: EmulatorSession) -> None:
    posts = listen(emu)
    channel = await made(client, events=["email.delivered", "inbound_email.received", "email.inbound"])
    await send(client, emu)
    emu.receive(from_="ada@customer.test", to="x@shop.test", subject="s", text="t")
    await client.notification_channels.update(channel, {"enabled": False})
    await send(client, emu)

    assert await told(client, channel) == ["email.delivered", "email.inbound"]
    assert len(posts) == 2


async def test_a_channel_can_be_for_one_domain_or_mailbox(client: AsyncPostStack, emu: EmulatorSession) -> None:
    listen(emu)
    domain = (await client.domains.create({"name": "shop.test"}))["domain"]["id"]
    await client.domains.update(domain, {"inbound_enabled": True})
    await client.domains.verify(domain)
    emu.clock.advance(1)
    mailbox = await client.mailboxes.create({"domainId": domain, "localPart": "in", "password": "correct horse"})
    of_domain = await made(client, domainId=domain, events=["email.delivered", "email.inbound"])
    of_mailbox = await made(client, mailboxId=mailbox["mailbox"]["id"], events=["email.delivered", "email.inbound"])
    await send(client, emu)
    await send(client, emu, **{"from": "a@other.test"})
    await send(client, emu, **{"from": "in@shop.test"})
    emu.receive(from_="ada@customer.test", to="in+1@shop.test", subject="s", text="t")
    both = await client.notification_channels.update(of_mailbox, {"mailboxId": None, "domainId": None})

    assert await told(client, of_domain) == ["email.delivered", "email.delivered", "email.inbound"]
    assert await told(client, of_mailbox) == ["email.delivered", "email.inbound"]
    assert (both["channel"]["mailboxId"], both["channel"]["domainId"]) == (None, None)


@pytest.mark.parametrize("channel", [{"config": {"webhookUrl": SLACK}}, TELEGRAM])
async def test_a_chat_is_never_called(client: AsyncPostStack, emu: EmulatorSession, channel: Any) -> None:
    posts = listen(emu, url=SLACK)
    made_channel = await made(client, **channel)
    tested = await client.notification_channels.test(made_channel)
    await send(client, emu)
    emu.clock.advance(100_000)
    page = await client.notification_channels.list_deliveries(made_channel, {"per_page": 1})
    [newest] = page["deliveries"]
    replayed = await refusal(client.notification_channels.replay_delivery, made_channel, newest["id"])

    assert posts == []
    assert (tested["success"], tested.get("statusCode")) == (False, None)
    assert "calls only this machine" in (tested.get("responseBody") or "")
    assert (newest["eventType"], newest["attempts"], newest["nextRetryAt"], newest["deliveredAt"]) == (
        *("email.delivered", 0),
        *(None, None),
    )
    assert newest["responseBody"] == tested.get("responseBody")
    assert "email.delivered" in str(newest["payload"])
    assert page["meta"]["total"] == 4
    assert replayed[0] == 501


@pytest.mark.parametrize(("status", "success"), [(200, True), (500, False)])
async def test_a_test_tells_what_was_answered(
    client: AsyncPostStack, emu: EmulatorSession, status: int, success: bool
) -> None:
    posts = listen(emu, status)
    channel = await made(client, events=["email.bounced"])
    answer = await client.notification_channels.test(channel)
    emu.clock.advance(100_000)

    assert (answer["success"], answer.get("statusCode")) == (success, status)
    assert len(posts) == 1
    assert await told(client, channel) == ["test"]


async def test_a_test_that_nobody_answers_says_why(client: AsyncPostStack) -> None:
    answer = await client.notification_channels.test(await made(client))

    assert (answer["success"], answer.get("statusCode")) == (False, None)
    assert "Nothing listens" in (answer.get("responseBody") or "")


async def test_a_delivery_is_retried_and_can_be_replayed(client: AsyncPostStack, emu: EmulatorSession) -> None:
    posts = listen(emu, 500)
    channel = await made(client, events=["email.delivered"])
    await send(client, emu)
    [waiting] = (await client.notification_channels.list_deliveries(channel))["deliveries"]
    again = listen(emu)
    emu.clock.advance(15)
    await client.notification_channels.replay_delivery(channel, waiting["id"])
    emu.clock.advance(0)
    [done] = (await client.notification_channels.list_deliveries(channel))["deliveries"]
    shown = (await client.notification_channels.get(channel))["channel"]

    assert (waiting["attempts"], waiting["statusCode"], waiting["deliveredAt"]) == (1, 500, None)
    assert waiting["nextRetryAt"] is not None
    assert (done["attempts"], done["statusCode"], done["nextRetryAt"]) == (3, 200, None)
    assert done["deliveredAt"] is not None
    assert (posts, again) == ([posts[0]], [posts[0], posts[0]])
    assert (shown["consecutiveFailures"], shown["lastUsedAt"] is not None) == (0, True)


async def test_a_channel_that_fails_too_often_is_disabled_until_it_is_enabled() -> None:
    with emulator(Settings(disable_webhook_after=2)) as emu:
        client = checked(emu.async_client())
        channel = await made(client, events=["email.delivered"])
        await send(client, emu)
        emu.clock.advance(15)
        disabled = (await client.notification_channels.get(channel))["channel"]
        tested = await refusal(client.notification_channels.test, channel)
        [delivery] = (await client.notification_channels.list_deliveries(channel))["deliveries"]
        replayed = await refusal(client.notification_channels.replay_delivery, channel, delivery["id"])
        enabled = (await client.notification_channels.update(channel, {"enabled": True}))["channel"]

    assert (disabled["active"], disabled["disabledReason"]) == (False, "2 failed deliveries in a row")
    assert (tested[0], replayed[0]) == (409, 409)
    assert (enabled["active"], enabled["consecutiveFailures"], enabled["disabledAt"]) == (True, 0, None)


async def test_a_deleted_channel_hears_nothing(client: AsyncPostStack, emu: EmulatorSession) -> None:
    posts = listen(emu)
    channel = await made(client)
    await client.emails.send({"from": "a@shop.test", "to": ["b@c.test"], "subject": "s", "text": "t"})
    await client.notification_channels.delete(channel)
    emu.clock.advance(1)

    assert posts == []
    assert (await client.notification_channels.list())["channels"] == []
