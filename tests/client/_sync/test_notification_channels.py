# Written by tools/unasync.py from tests/client/_async/test_notification_channels.py. Do not edit.
"""Channels in chats: which events they are told, in which words, and that no chat is ever called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from tests.conforming import checked

pytestmark = pytest.mark.anyio

LOCAL = "http://127.0.0.1:9/hook"
SLACK = "https://hooks.slack.com/services/T000/B000/secretpart"
TELEGRAM: dict[str, Any] = {
    "type": "telegram",
    "config": {"botToken": "123456:" + "secret" * 4, "chatId": "-100200"},
}


def made(client: PostStack, url: str = LOCAL, **changes: Any) -> str:
    content: Any = {"type": "slack", "name": "Ops", "events": ["*"], "config": {"webhookUrl": url}, **changes}
    return (client.notification_channels.create(content))["channel"]["publicId"]


def refusal(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        method(*arguments)
    return caught.value.status_code, caught.value.error


def send(client: PostStack, emu: EmulatorSession, **changes: Any) -> None:
    email: Any = {"from": "a@shop.test", "to": ["ada@customer.test"], "subject": "Hi", "text": "x", **changes}
    client.emails.send(email)
    emu.clock.advance(1)


def listen(emu: EmulatorSession, status: int = 200, url: str = LOCAL) -> list[Any]:
    posts: list[Any] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        posts.append(json.loads(body))
        return status

    emu.transport.receive(url, receive)
    return posts


def told(client: PostStack, channel: str) -> list[str]:
    types = [entry["eventType"] for entry in client.notification_channels.iterate_deliveries(channel)]
    return types[::-1]


def test_a_channel_is_made_without_showing_its_secrets(client: PostStack) -> None:
    slack, telegram = made(client, SLACK), made(client, **TELEGRAM)
    channels = (client.notification_channels.list())["channels"]

    assert [channel["publicId"] for channel in channels] == [slack, telegram]
    assert (client.notification_channels.get(slack))["channel"] == channels[0]
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
def test_a_channel_that_cannot_work_is_refused(client: PostStack, change: Any, status: int) -> None:
    content = {"type": "slack", "name": "Ops", "events": ["*"], "config": {"webhookUrl": SLACK}, **change}

    assert (refusal(client.notification_channels.create, content))[0] == status
    assert (client.notification_channels.list())["channels"] == []


def test_what_is_not_there_is_404(client: PostStack) -> None:
    channels, known = client.notification_channels, made(client)
    calls: list[tuple[Any, ...]] = [
        (channels.get, "nc_no"),
        (channels.update, "nc_no", {}),
        (channels.delete, "nc_no"),
        (channels.list_deliveries, "nc_no"),
        (channels.test, "nc_no"),
        (channels.replay_delivery, known, 9),
    ]

    assert [(refusal(*call))[0] for call in calls] == [404] * len(calls)


def test_an_update_leaves_the_rest_of_the_config(client: PostStack) -> None:
    channel = made(client, **TELEGRAM)
    changed = client.notification_channels.update(
        channel, {"name": "New", "events": ["email.sent"], "config": {"chatId": "@shop"}}
    )
    summary = changed["channel"]["configSummary"]
    bad = refusal(client.notification_channels.update, channel, {"name": "x", "config": {"chatId": "no chat"}})
    other = refusal(client.notification_channels.update, channel, {"type": "slack"})

    assert summary == {"botToken": "123456:…", "chatId": "@shop"}
    assert (bad[0], other[0]) == (422, 422)
    assert (client.notification_channels.get(channel))["channel"] == changed["channel"]


def test_events_are_told_in_the_words_of_each_chat(client: PostStack, emu: EmulatorSession) -> None:
    slack, discord = listen(emu), listen(emu, url=LOCAL + "/discord")
    made(client, events=["email.bounced"])
    made(client, LOCAL + "/discord", type="discord", events=["email.bounced"])
    send(client, emu, to=["bounce@customer.test"], subject="<b> & @everyone")

    assert slack[0]["text"].startswith("email.bounced\nTo: bounce@customer.test\n")
    assert "Subject: &lt;b&gt; &amp; @everyone" in slack[0]["text"]
    assert "Subject: <b> & @everyone" in discord[0]["content"]
    assert discord[0]["allowed_mentions"] == {"parse": []}
    assert (len(slack), len(discord)) == (1, 1)


def test_only_wanted_events_are_told(client: PostStack, emu: EmulatorSession) -> None:
    posts = listen(emu)
    channel = made(client, events=["email.delivered", "inbound_email.received", "email.inbound"])
    send(client, emu)
    emu.receive(from_="ada@customer.test", to="x@shop.test", subject="s", text="t")
    client.notification_channels.update(channel, {"enabled": False})
    send(client, emu)

    assert told(client, channel) == ["email.delivered", "email.inbound"]
    assert len(posts) == 2


def test_a_channel_can_be_for_one_domain_or_mailbox(client: PostStack, emu: EmulatorSession) -> None:
    listen(emu)
    domain = (client.domains.create({"name": "shop.test"}))["domain"]["id"]
    client.domains.update(domain, {"inbound_enabled": True})
    client.domains.verify(domain)
    emu.clock.advance(1)
    mailbox = client.mailboxes.create({"domainId": domain, "localPart": "in", "password": "correct horse"})
    of_domain = made(client, domainId=domain, events=["email.delivered", "email.inbound"])
    of_mailbox = made(client, mailboxId=mailbox["mailbox"]["id"], events=["email.delivered", "email.inbound"])
    send(client, emu)
    send(client, emu, **{"from": "a@other.test"})
    send(client, emu, **{"from": "in@shop.test"})
    emu.receive(from_="ada@customer.test", to="in+1@shop.test", subject="s", text="t")
    both = client.notification_channels.update(of_mailbox, {"mailboxId": None, "domainId": None})

    assert told(client, of_domain) == ["email.delivered", "email.delivered", "email.inbound"]
    assert told(client, of_mailbox) == ["email.delivered", "email.inbound"]
    assert (both["channel"]["mailboxId"], both["channel"]["domainId"]) == (None, None)


@pytest.mark.parametrize("channel", [{"config": {"webhookUrl": SLACK}}, TELEGRAM])
def test_a_chat_is_never_called(client: PostStack, emu: EmulatorSession, channel: Any) -> None:
    posts = listen(emu, url=SLACK)
    made_channel = made(client, **channel)
    tested = client.notification_channels.test(made_channel)
    send(client, emu)
    emu.clock.advance(100_000)
    page = client.notification_channels.list_deliveries(made_channel, {"per_page": 1})
    [newest] = page["deliveries"]
    replayed = refusal(client.notification_channels.replay_delivery, made_channel, newest["id"])

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
def test_a_test_tells_what_was_answered(client: PostStack, emu: EmulatorSession, status: int, success: bool) -> None:
    posts = listen(emu, status)
    channel = made(client, events=["email.bounced"])
    answer = client.notification_channels.test(channel)
    emu.clock.advance(100_000)

    assert (answer["success"], answer.get("statusCode")) == (success, status)
    assert len(posts) == 1
    assert told(client, channel) == ["test"]


def test_a_test_that_nobody_answers_says_why(client: PostStack) -> None:
    answer = client.notification_channels.test(made(client))

    assert (answer["success"], answer.get("statusCode")) == (False, None)
    assert "Nothing listens" in (answer.get("responseBody") or "")


def test_a_delivery_is_retried_and_can_be_replayed(client: PostStack, emu: EmulatorSession) -> None:
    posts = listen(emu, 500)
    channel = made(client, events=["email.delivered"])
    send(client, emu)
    [waiting] = (client.notification_channels.list_deliveries(channel))["deliveries"]
    again = listen(emu)
    emu.clock.advance(15)
    client.notification_channels.replay_delivery(channel, waiting["id"])
    emu.clock.advance(0)
    [done] = (client.notification_channels.list_deliveries(channel))["deliveries"]
    shown = (client.notification_channels.get(channel))["channel"]

    assert (waiting["attempts"], waiting["statusCode"], waiting["deliveredAt"]) == (1, 500, None)
    assert waiting["nextRetryAt"] is not None
    assert (done["attempts"], done["statusCode"], done["nextRetryAt"]) == (3, 200, None)
    assert done["deliveredAt"] is not None
    assert (posts, again) == ([posts[0]], [posts[0], posts[0]])
    assert (shown["consecutiveFailures"], shown["lastUsedAt"] is not None) == (0, True)


def test_a_channel_that_fails_too_often_is_disabled_until_it_is_enabled() -> None:
    with emulator(Settings(disable_webhook_after=2)) as emu:
        client = checked(emu.client())
        channel = made(client, events=["email.delivered"])
        send(client, emu)
        emu.clock.advance(15)
        disabled = (client.notification_channels.get(channel))["channel"]
        tested = refusal(client.notification_channels.test, channel)
        [delivery] = (client.notification_channels.list_deliveries(channel))["deliveries"]
        replayed = refusal(client.notification_channels.replay_delivery, channel, delivery["id"])
        enabled = (client.notification_channels.update(channel, {"enabled": True}))["channel"]

    assert (disabled["active"], disabled["disabledReason"]) == (False, "2 failed deliveries in a row")
    assert (tested[0], replayed[0]) == (409, 409)
    assert (enabled["active"], enabled["consecutiveFailures"], enabled["disabledAt"]) == (True, 0, None)


def test_a_deleted_channel_hears_nothing(client: PostStack, emu: EmulatorSession) -> None:
    posts = listen(emu)
    channel = made(client)
    client.emails.send({"from": "a@shop.test", "to": ["b@c.test"], "subject": "s", "text": "t"})
    client.notification_channels.delete(channel)
    emu.clock.advance(1)

    assert posts == []
    assert (client.notification_channels.list())["channels"] == []
