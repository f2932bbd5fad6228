"""Which address shows or changes what. Every change is a POST that ends in a redirect to a page."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from poststack.emulator.inbox.pages import Pages, static_file
from poststack.emulator.inbox.views.faults import FaultsPage
from poststack.emulator.inbox.views.listing import ListPage
from poststack.emulator.inbox.views.live import LiveUpdates
from poststack.emulator.inbox.views.message import MessagePage
from poststack.emulator.inbox.views.parts import MessageParts, ReceivedParts
from poststack.emulator.inbox.views.received import ReceivedPage
from poststack.emulator.inbox.views.webhooks import WebhooksPage
from poststack.emulator.inbox.views.writing import WritingPage
from poststack.emulator.state import AppState

__all__ = ["routes"]


def routes(state: AppState) -> Sequence[BaseRoute]:
    """Return the routes of the inbox for one running emulator.

    They refuse nothing by themselves: the application around them turns away foreign hosts and cross-site changes.
    """
    pages = Pages(state)
    listing, message, parts = ListPage(pages), MessagePage(pages), MessageParts(pages)
    received, received_parts, writing = ReceivedPage(pages), ReceivedParts(pages), WritingPage(pages)
    webhooks, faults, live = WebhooksPage(pages), FaultsPage(pages), LiveUpdates(state)
    return (
        Route("/inbox", _to_list),
        Route("/inbox/", listing.show),
        Route("/inbox/live", live.stream),
        Route("/inbox/static/{name}", static_file),
        Route("/inbox/read-all", listing.read_all, methods=["POST"]),
        Route("/inbox/delete-all", listing.delete_all, methods=["POST"]),
        Route("/inbox/mail/{id}", message.show),
        Route("/inbox/mail/{id}/unread", message.set_unread, methods=["POST"]),
        Route("/inbox/mail/{id}/delete", message.delete, methods=["POST"]),
        Route("/inbox/mail/{id}/simulate", message.simulate, methods=["POST"]),
        Route("/inbox/mail/{id}/frame", parts.frame),
        Route("/inbox/mail/{id}/files/{index:int}", parts.download),
        Route("/inbox/mail/{id}/files/{index:int}/picture", parts.picture),
        Route("/inbox/received", received.show_list),
        Route("/inbox/received/new", writing.show),
        Route("/inbox/received/new", writing.send, methods=["POST"]),
        Route("/inbox/received/delete-all", received.delete_all, methods=["POST"]),
        Route("/inbox/received/{id}", received.show),
        Route("/inbox/received/{id}/unread", received.set_unread, methods=["POST"]),
        Route("/inbox/received/{id}/delete", received.delete, methods=["POST"]),
        Route("/inbox/received/{id}/frame", received_parts.frame),
        Route("/inbox/received/{id}/files/{index:int}", received_parts.download),
        Route("/inbox/received/{id}/files/{index:int}/picture", received_parts.picture),
        Route("/inbox/webhooks", webhooks.show),
        Route("/inbox/webhooks/{id:int}/replay", webhooks.replay_failed, methods=["POST"]),
        Route("/inbox/deliveries/{id:int}/replay", webhooks.replay, methods=["POST"]),
        Route("/inbox/faults", faults.show),
        Route("/inbox/faults", faults.add, methods=["POST"]),
        Route("/inbox/faults/clear", faults.clear, methods=["POST"]),
        Route("/inbox/faults/{id:int}/remove", faults.remove, methods=["POST"]),
        Route("/inbox/{rest:path}", pages.missing),
    )


async def _to_list(request: Request) -> Response:
    query = request.url.query
    return RedirectResponse(f"/inbox/?{query}" if query else "/inbox/", status_code=308)
