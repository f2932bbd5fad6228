"""`/notification-channels`: events told in Slack, Discord and Telegram (`poststack-api` §4.16).

The emulator never calls those: it posts to addresses of this machine, and notes of any other that nothing was posted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from poststack.emulator.api.answers import RefusalError, Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import (
    boolean,
    integer,
    object_of,
    record_number,
    required_text,
    short_text,
    texts,
    web_address,
)
from poststack.emulator.api.mailbox_input import one_of
from poststack.emulator.api.routes import Route
from poststack.emulator.api.webhooks import checked_events, report_events
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.notifying.channels import Channel, ChannelDelivery, is_this_machine
from poststack.emulator.notifying.notifications import NOT_MADE
from poststack.types.notification_channels import NotificationChannel, NotificationChannelType, NotificationDelivery

__all__ = ["ROUTES", "test_json"]

_MAX_CHANNELS = 100
_MAX_NAME = 200
_TYPES: tuple[NotificationChannelType, ...] = ("slack", "discord", "telegram")
_HOSTS: Final[Mapping[str, tuple[str, str, frozenset[str]]]] = {
    "slack": ("Slack", "/services/", frozenset({"hooks.slack.com", "hooks.slack-gov.com"})),
    "discord": (
        "Discord",
        "/api/",
        frozenset({"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"}),
    ),
}
_BOT_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{10,100}")
_CHAT_ID = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,63}")


def channel_json(channel: Channel) -> NotificationChannel:
    """Write a channel; of its address or token only what tells it apart from others."""
    return {
        "publicId": channel.id,
        "type": channel.type,
        "name": channel.name,
        "domainId": channel.domain,
        "mailboxId": channel.mailbox,
        "events": list(channel.events),
        "active": channel.active,
        "configSummary": _summary(channel.config),
        "consecutiveFailures": channel.consecutive_failures,
        "disabledAt": _iso(channel.disabled_at),
        "disabledReason": channel.disabled_reason,
        "lastUsedAt": _iso(channel.last_used_at),
        "createdAt": iso(channel.created_at),
        "updatedAt": iso(channel.updated_at),
    }


def test_json(delivery: ChannelDelivery) -> dict[str, Any]:
    """Write what came of a test."""
    return {
        "success": delivery.delivered_at is not None,
        "statusCode": delivery.attempts[-1].status if delivery.attempts else None,
        "responseBody": delivery.answer,
    }


def _delivery_json(delivery: ChannelDelivery) -> NotificationDelivery:
    return {
        "id": delivery.number,
        "channelId": delivery.channel,
        "eventType": delivery.event_type,
        "payload": json.loads(delivery.body),
        "statusCode": delivery.attempts[-1].status if delivery.attempts else None,
        "responseBody": delivery.answer,
        "attempts": len(delivery.attempts),
        "nextRetryAt": _iso(delivery.next_attempt_at),
        "deliveredAt": _iso(delivery.delivered_at),
        "createdAt": iso(delivery.created_at),
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _summary(config: Mapping[str, str]) -> dict[str, str]:
    shown = dict(config)
    if "webhookUrl" in shown:
        parts = urlsplit(shown["webhookUrl"])
        shown["webhookUrl"] = f"{parts.scheme}://{parts.netloc}/…"
    if "botToken" in shown:
        shown["botToken"] = f"{shown['botToken'].partition(':')[0]}:…"
    return shown


def _find(backend: Backend, arguments: Mapping[str, str]) -> Channel:
    channel = backend.store.channels.find("id", arguments["id"])
    if channel is None:
        raise not_found("Notification channel", arguments["id"])
    return channel


def _enabled(channel: Channel) -> Channel:
    if not channel.active:
        raise conflict('The channel is disabled. Enable it first: PUT it with {"enabled": true}.')
    return channel


def _config(kind: NotificationChannelType, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the config of a channel if it is one that this type can have; what else is given is left out."""
    if kind == "telegram":
        token, chat = required_text(given, "botToken"), required_text(given, "chatId")
        if not _BOT_TOKEN.fullmatch(token):
            raise unprocessable("`botToken` must be the token of a bot, such as 123456:ABC-DEF.")
        if not _CHAT_ID.fullmatch(chat):
            raise unprocessable("`chatId` must be the number of a chat, or the @name of a channel.")
        return {"botToken": token, "chatId": chat}
    url = web_address(required_text(given, "webhookUrl"), "webhookUrl")
    service, path, hosts = _HOSTS[kind]
    parts = urlsplit(url)
    theirs = parts.scheme == "https" and parts.hostname in hosts and parts.path.startswith(path)
    if "@" in parts.netloc or not (theirs or is_this_machine(url)):
        raise unprocessable(f"`webhookUrl` must be an incoming webhook of {service}, or an address of this machine.")
    return {"webhookUrl": url}


def _domain(backend: Backend, content: Mapping[str, Any]) -> int | None:
    number = integer(content, "domainId")
    if number is not None and backend.store.domains.get(number) is None:
        raise not_found("Domain")
    return number


def _mailbox(backend: Backend, content: Mapping[str, Any]) -> int | None:
    number = integer(content, "mailboxId")
    if number is not None and backend.store.mailboxes.get(number) is None:
        raise not_found("Mailbox")
    return number


def _name(content: Mapping[str, Any]) -> str:
    return short_text(required_text(content, "name"), "name", _MAX_NAME)


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"channels": [channel_json(channel) for channel in backend.store.channels.all()]})


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    kind: NotificationChannelType = one_of(content, "type", _TYPES)
    name = _name(content)
    report_events(backend, "POST /notification-channels", texts(content, "events"), strict=backend.settings.strict)
    events, config = checked_events(texts(content, "events")), _config(kind, object_of(content, "config"))
    domain, mailbox = _domain(backend, content), _mailbox(backend, content)
    if len(backend.store.channels) >= _MAX_CHANNELS:
        raise unprocessable(f"The emulator keeps at most {_MAX_CHANNELS} notification channels.")
    channel = Channel(
        number=backend.store.next_number("notification_channel"),
        id="nc_" + backend.ids(18),
        type=kind,
        name=name,
        events=events,
        config=config,
        created_at=call.now,
        updated_at=call.now,
        domain=domain,
        mailbox=mailbox,
    )
    backend.store.channels.save(channel)
    return Reply(201, {"channel": channel_json(channel)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"channel": channel_json(_find(backend, arguments))})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    channel, content = _find(backend, arguments), call.json()
    if content.get("type", channel.type) != channel.type:
        raise unprocessable("The `type` of a channel cannot change. Make another channel.")
    name = _name(content) if "name" in content else channel.name
    events = checked_events(texts(content, "events")) if "events" in content else channel.events
    if "events" in content:
        report_events(backend, "PUT /notification-channels/{id}", events, strict=backend.settings.strict)
    domain = _domain(backend, content) if "domainId" in content else channel.domain
    mailbox = _mailbox(backend, content) if "mailboxId" in content else channel.mailbox
    config = _config(channel.type, {**channel.config, **object_of(content, "config")})
    enabled = boolean(content, "enabled")
    if "enabled" in content and enabled is None:
        raise invalid("`enabled` must be true or false.")
    channel.name, channel.events, channel.config = name, events, config
    channel.domain, channel.mailbox, channel.updated_at = domain, mailbox, call.now
    if enabled is True and not channel.active:
        channel.consecutive_failures = 0
        channel.disabled_at = channel.disabled_reason = None
    channel.active = channel.active if enabled is None else enabled
    backend.store.channels.save(channel)
    return Reply(200, {"channel": channel_json(channel)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.notifications.remove(_find(backend, arguments))
    return Reply(200, {"success": True})


def _deliveries(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page = slice_page(backend.notifications.deliveries_to(_find(backend, arguments)), *call.page())
    return Reply(200, {"deliveries": [_delivery_json(entry) for entry in page.items], "meta": page_json(page)})


def _test(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    delivery = backend.notifications.test(_enabled(_find(backend, arguments)), call.now)
    pending = None if delivery.next_attempt_at is None else delivery.number
    return Reply(200, test_json(delivery), pending=pending)


def _replay(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    channel, number = _find(backend, arguments), record_number(arguments["delivery"])
    delivery = None if number is None else backend.store.channel_deliveries.get(number)
    if delivery is None or delivery.channel != channel.number:
        raise not_found("Delivery", arguments["delivery"])
    if _enabled(channel).url is None:
        raise RefusalError(501, NOT_MADE)
    backend.notifications.replay(delivery, call.now)
    return Reply(200, {"success": True})


ROUTES = (
    Route("GET", "/notification-channels", _list),
    Route("POST", "/notification-channels", _create),
    Route("GET", "/notification-channels/{id}", _get),
    Route("PUT", "/notification-channels/{id}", _update),
    Route("DELETE", "/notification-channels/{id}", _delete),
    Route("GET", "/notification-channels/{id}/deliveries", _deliveries),
    Route("POST", "/notification-channels/{id}/test", _test),
    Route("POST", "/notification-channels/{id}/deliveries/{delivery}/replay", _replay),
)
