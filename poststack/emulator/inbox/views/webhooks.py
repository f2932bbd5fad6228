"""The webhooks page: endpoints, what was delivered to them, and sending it again."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.inbox.pages import Pages
from poststack.emulator.model import Delivery, Webhook

__all__ = ["Endpoint", "WebhooksPage"]

_SHOWN_DELIVERIES = 100
_REPLAYED_AT_ONCE = 1_000
_FILTERS = ("failed", "retrying", "delivered")


@dataclass(frozen=True)
class Endpoint:
    """A webhook and how its deliveries fare."""

    webhook: Webhook
    delivered: int
    retrying: int
    failed: int

    @property
    def masked_secret(self) -> str:
        """The first characters of the secret, as the API shows it after creation."""
        secret = self.webhook.secret
        return (secret[:6] if len(secret) > 16 else "") + "••••••••"


class WebhooksPage:
    """Shows endpoints and deliveries, and replays."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def show(self, request: Request) -> Response:
        """Answer with the endpoints and the newest deliveries, of one state if asked for."""
        store = self._state.store
        chosen = request.query_params.get("show", "")
        chosen = chosen if chosen in _FILTERS else ""
        by_webhook = {webhook.id: store.deliveries_of_webhook(webhook.id) for webhook in store.webhooks.all()}
        deliveries = [delivery for found in by_webhook.values() for delivery in found if chosen in {"", delivery.state}]
        deliveries.sort(key=attrgetter("id"), reverse=True)
        return self._pages.show(
            request,
            "webhooks.html",
            endpoints=[_endpoint(webhook, by_webhook[webhook.id]) for webhook in store.webhooks.all()],
            deliveries=deliveries[:_SHOWN_DELIVERIES],
            total_deliveries=len(deliveries),
            webhooks={webhook.id: webhook for webhook in store.webhooks.all()},
            chosen=chosen,
            filters=_FILTERS,
            address=str(request.base_url).rstrip("/"),
        )

    async def replay(self, request: Request) -> Response:
        """Send one delivery again, and return to the page that asked."""
        delivery = self._state.store.delivery(request.path_params["id"])
        if delivery is None:
            return self._pages.missing(request)
        webhook = self._state.store.webhooks.get(delivery.webhook_id)
        done = "replayed" if webhook is not None and webhook.active else "webhook-disabled"
        if done == "replayed":
            self._state.replay(delivery.id)
        if request.query_params.get("from") == "mail" and delivery.email_id is not None:
            return self._pages.redirect(f"/inbox/mail/{delivery.email_id}", done=done)
        if request.query_params.get("from") == "received" and delivery.inbound_id is not None:
            return self._pages.redirect(f"/inbox/received/{delivery.inbound_id}", done=done)
        return self._to_page(request, done)

    async def replay_failed(self, request: Request) -> Response:
        """Send the deliveries again that one endpoint did not take, oldest first, at most a thousand."""
        store = self._state.store
        webhook_id: int = request.path_params["id"]
        webhook = store.webhooks.get(webhook_id)
        if webhook is None:
            return self._pages.missing(request)
        if not webhook.active:
            return self._to_page(request, "webhook-disabled")
        failed = [entry for entry in store.deliveries_of_webhook(webhook_id) if entry.state == "failed"]
        for delivery in failed[::-1][:_REPLAYED_AT_ONCE]:
            self._state.replay(delivery.id)
        return self._to_page(request, "replayed-failed" if failed else "nothing-failed")

    def _to_page(self, request: Request, done: str) -> Response:
        chosen = request.query_params.get("show", "")
        return self._pages.redirect("/inbox/webhooks", show=chosen if chosen in _FILTERS else "", done=done)


def _endpoint(webhook: Webhook, deliveries: list[Delivery]) -> Endpoint:
    states = [delivery.state for delivery in deliveries]
    return Endpoint(webhook, states.count("delivered"), states.count("retrying"), states.count("failed"))
