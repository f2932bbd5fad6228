"""`/webhooks`: endpoints, their secrets and deliveries (`poststack-api` §4.6 and §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.answers import Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import boolean, integer, optional_text, required_text, texts, web_address
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import delivery_json, page_json, slice_page, webhook_json
from poststack.emulator.backend import Backend
from poststack.emulator.model import Delivery, Webhook, iso

__all__ = ["ROUTES", "add_webhook", "checked_events"]

_MAX_WEBHOOKS = 100
_MAX_EVENTS = 100
_MAX_DESCRIPTION = 2_000
_MAX_GRACE_HOURS = 168
_DEFAULT_GRACE_HOURS = 24
_MAX_REPLAYS = 1_000
_MAX_WITHIN_MINUTES = 43_200


def add_webhook(
    backend: Backend,
    url: str,
    events: list[str],
    now: float,
    *,
    secret: str | None = None,
    description: str | None = None,
) -> Webhook:
    """Keep a new webhook, with a fresh secret unless one is given.

    Raises a 422 for what the API would refuse.
    """
    if len(backend.store.webhooks) >= _MAX_WEBHOOKS:
        raise unprocessable(f"The emulator keeps at most {_MAX_WEBHOOKS} webhooks.")
    webhook = Webhook(
        id=backend.store.next_number("webhook"),
        url=web_address(url, "url"),
        events=checked_events(events),
        secret=secret or _new_secret(backend),
        created_at=now,
        description=description,
    )
    backend.store.webhooks.save(webhook)
    return webhook


def _new_secret(backend: Backend) -> str:
    return "whsec_" + backend.ids(32)


def checked_events(events: list[str]) -> list[str]:
    """Return the event types that an endpoint wants, each once: at least one, at most 100."""
    if not events:
        raise invalid("`events` must name at least one event type, or *.")
    if len(events) > _MAX_EVENTS or not all(0 < len(event) <= 100 for event in events):
        raise unprocessable("`events` holds too many event types, or one that is none.")
    return list(dict.fromkeys(events))


def _find(backend: Backend, arguments: Mapping[str, str]) -> Webhook:
    number = arguments["id"]
    webhook = backend.store.webhooks.get(int(number)) if _is_id(number) else None
    if webhook is None:
        raise not_found("Webhook")
    return webhook


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    url, events = required_text(content, "url"), texts(content, "events")
    description = _description(content)
    webhook = add_webhook(backend, url, events, call.now, description=description)
    return Reply(201, {"webhook": webhook_json(webhook, call.now), "signingSecret": webhook.secret})


def _description(content: Mapping[str, Any]) -> str | None:
    description = optional_text(content, "description")
    if description is not None and len(description) > _MAX_DESCRIPTION:
        raise unprocessable("`description` is too long.")
    return description


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"webhooks": [_listed(backend, webhook, call.now) for webhook in backend.store.webhooks.all()]})


def _listed(backend: Backend, webhook: Webhook, now: float) -> dict[str, Any]:
    tried = [delivery.attempts[-1] for delivery in backend.store.deliveries_of_webhook(webhook.id) if delivery.attempts]
    last = max(tried, key=lambda attempt: attempt.at, default=None)
    return {
        **webhook_json(webhook, now),
        "lastDeliveryAt": None if last is None else iso(last.at),
        "lastDeliveryStatus": None if last is None else last.status,
    }


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"webhook": webhook_json(_find(backend, arguments), call.now)})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook, content = _find(backend, arguments), call.json()
    url = web_address(required_text(content, "url"), "url") if "url" in content else webhook.url
    events = checked_events(texts(content, "events")) if "events" in content else webhook.events
    description = _description(content) if "description" in content else webhook.description
    enabled = boolean(content, "enabled")
    webhook.url, webhook.events, webhook.description = url, events, description
    if enabled is True and not webhook.active:
        webhook.consecutive_failures = 0
        webhook.disabled_at = webhook.disabled_reason = None
    webhook.active = webhook.active if enabled is None else enabled
    backend.store.webhooks.save(webhook)
    return Reply(200, {"webhook": webhook_json(webhook, call.now)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.remove_webhook(_find(backend, arguments))
    return Reply(200, {"success": True})


def _test(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook = _enabled(_find(backend, arguments))
    backend.deliveries.test(webhook, call.now)
    return Reply(200, {"success": True})


def _rotate_secret(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook = _find(backend, arguments)
    given = integer(call.optional_json(), "graceHours")
    hours = _DEFAULT_GRACE_HOURS if given is None else given
    if not 0 <= hours <= _MAX_GRACE_HOURS:
        raise unprocessable(f"`graceHours` must be from 0 to {_MAX_GRACE_HOURS}.")
    webhook.previous_secret = webhook.secret if hours else None
    webhook.previous_secret_expires_at = call.now + hours * 3600 if hours else None
    webhook.secret = _new_secret(backend)
    webhook.secret_rotated_at = call.now
    backend.store.webhooks.save(webhook)
    return Reply(200, {"webhook": webhook_json(webhook, call.now), "signingSecret": webhook.secret})


def _deliveries(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook = _find(backend, arguments)
    page = slice_page(backend.store.deliveries_of_webhook(webhook.id), *call.page())
    content = {"deliveries": [delivery_json(entry) for entry in page.items], "pagination": page_json(page)}
    return Reply(200, content)


def _replay(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook, number = _find(backend, arguments), arguments["delivery"]
    delivery = backend.store.delivery(int(number)) if _is_id(number) else None
    if delivery is None or delivery.webhook_id != webhook.id:
        raise not_found("Delivery")
    _enabled(webhook)
    backend.deliveries.replay(delivery, call.now)
    return Reply(200, {"success": True})


def _batch_replay(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    webhook, content = _find(backend, arguments), call.optional_json()
    minutes, limit = integer(content, "withinMinutes"), integer(content, "limit")
    event_type = optional_text(content, "eventType")
    if minutes is not None and not 1 <= minutes <= _MAX_WITHIN_MINUTES:
        raise unprocessable(f"`withinMinutes` must be from 1 to {_MAX_WITHIN_MINUTES}.")
    if limit is not None and limit < 1:
        raise unprocessable("`limit` must be at least 1.")
    since = call.now - (_MAX_WITHIN_MINUTES if minutes is None else minutes) * 60
    failed: list[Delivery] = [
        delivery
        for delivery in reversed(backend.store.deliveries_of_webhook(_enabled(webhook).id))
        if delivery.state == "failed" and delivery.created_at >= since and event_type in {None, delivery.event_type}
    ]
    chosen = failed[: min(limit or _MAX_REPLAYS, _MAX_REPLAYS)]
    for delivery in chosen:
        backend.deliveries.replay(delivery, call.now)
    return Reply(200, {"replayed": len(chosen), "remaining": len(failed) - len(chosen)})


def _enabled(webhook: Webhook) -> Webhook:
    if not webhook.active:
        raise conflict('The webhook is disabled. Enable it first: PATCH it with {"enabled": true}.')
    return webhook


ROUTES = (
    Route("POST", "/webhooks", _create),
    Route("GET", "/webhooks", _list),
    Route("GET", "/webhooks/{id}", _get),
    Route("PATCH", "/webhooks/{id}", _update),
    Route("DELETE", "/webhooks/{id}", _delete),
    Route("POST", "/webhooks/{id}/test", _test),
    Route("POST", "/webhooks/{id}/rotate-secret", _rotate_secret),
    Route("GET", "/webhooks/{id}/deliveries", _deliveries),
    Route("POST", "/webhooks/{id}/deliveries/batch-replay", _batch_replay),
    Route("POST", "/webhooks/{id}/deliveries/{delivery}/replay", _replay),
)
