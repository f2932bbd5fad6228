"""The webhooks page: endpoints, what was delivered to them, and sending it again."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.inbox.pages import Pages
from poststack.emulator.inbox.place import whole_number
from poststack.emulator.model import Delivery, Webhook
from poststack.emulator.search import Page

__all__ = ["PER_PAGE", "Endpoint", "WebhooksPage"]

PER_PAGE = 25
PATH = "/inbox/webhooks"
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
        """Answer with the endpoints and one page of the deliveries, newest first, of one state if asked for."""
        store = self._state.store
        chosen = _chosen(request)
        by_webhook = {webhook.id: store.deliveries_of_webhook(webhook.id) for webhook in store.webhooks.all()}
        deliveries = [delivery for found in by_webhook.values() for delivery in found if chosen in {"", delivery.state}]
        deliveries.sort(key=attrgetter("id"), reverse=True)
        number = min(_page(request), max(1, -(-len(deliveries) // PER_PAGE)))
        found = Page(deliveries[(number - 1) * PER_PAGE : number * PER_PAGE], number, PER_PAGE, len(deliveries))
        return self._pages.show(
            request,
            "webhooks.html",
            endpoints=[_endpoint(webhook, by_webhook[webhook.id]) for webhook in store.webhooks.all()],
            found=found,
            newer=_address(chosen, number - 1),
            older=_address(chosen, number + 1),
            origin=_address(chosen, number).removeprefix(PATH),
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
        return self._pages.redirect(PATH, **_parameters(_chosen(request), _page(request)), done=done)


def _chosen(request: Request) -> str:
    chosen = request.query_params.get("show", "")
    return chosen if chosen in _FILTERS else ""


def _page(request: Request) -> int:
    return whole_number(request.query_params.get("page", "")) or 1


def _parameters(chosen: str, page: int) -> dict[str, str]:
    values = {"show": chosen, "page": str(page) if page > 1 else ""}
    return {name: value for name, value in values.items() if value}


def _address(chosen: str, page: int) -> str:
    parameters = _parameters(chosen, page)
    return f"{PATH}?{urlencode(parameters)}" if parameters else PATH


def _endpoint(webhook: Webhook, deliveries: list[Delivery]) -> Endpoint:
    states = [delivery.state for delivery in deliveries]
    return Endpoint(webhook, states.count("delivered"), states.count("retrying"), states.count("failed"))
