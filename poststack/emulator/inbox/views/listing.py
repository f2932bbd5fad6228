"""The list of messages: one page of what was asked for, and changes to all messages at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.inbox.origin import BroadcastOrigin, broadcast_name, broadcast_of
from poststack.emulator.inbox.pages import Pages
from poststack.emulator.inbox.place import Place
from poststack.emulator.inbox.query import SHOWN
from poststack.emulator.inbox.snippet import snippet
from poststack.emulator.inbox.wording import status_label
from poststack.emulator.model import Address, Email
from poststack.emulator.store import Store

__all__ = ["PER_PAGE", "ListPage", "Row"]

PER_PAGE = 50
_NAMED_RECIPIENTS = 3


@dataclass(frozen=True)
class Row:
    """What the list says about one message. `due` is when a scheduled one leaves."""

    id: str
    unread: bool
    sender: str
    sender_address: str
    recipients: str
    subject: str
    snippet: str
    at: float
    status: str
    tags: Sequence[str]
    attachments: int
    due: float | None
    broadcast: BroadcastOrigin | None

    @classmethod
    def of(cls, store: Store, email: Email) -> Row:
        """Say it about this e-mail."""
        message = email.message
        return cls(
            id=email.id,
            unread=email.unread,
            sender=message.from_.name or message.from_.address,
            sender_address=message.from_.address,
            recipients=_recipients(message.recipients),
            subject=message.subject,
            snippet=snippet(message),
            at=email.created_at,
            status=status_label(email),
            tags=message.tags,
            attachments=len(message.attachments),
            due=email.scheduled_at if email.scheduled else None,
            broadcast=broadcast_of(store, email),
        )


class ListPage:
    """Shows the list."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def show(self, request: Request) -> Response:
        """Answer with one page of the list, newest first."""
        place = Place.read(request)
        found = self._state.store.emails(place.search, page=place.page, per_page=PER_PAGE)
        if not found.items and found.total:
            # The page is gone because messages were deleted: show the last one there is.
            place = replace(place, page=found.total_pages)
            found = self._state.store.emails(place.search, page=place.page, per_page=PER_PAGE)
        keys = self._state.emulator.settings.api_keys
        return self._pages.show(
            request,
            "list.html",
            place=place,
            found=found,
            rows=[Row.of(self._state.store, email) for email in found.items],
            filters=SHOWN,
            broadcast_name=broadcast_name(self._state.store, place.broadcast),
            address=str(request.base_url).rstrip("/"),
            any_key=not keys,
        )

    async def read_all(self, request: Request) -> Response:
        """Mark every message as read."""
        self._state.emulator.mark_all_read()
        return self._pages.redirect("/inbox/", done="read-all")

    async def delete_all(self, request: Request) -> Response:
        """Delete every message."""
        self._state.delete_emails()
        return self._pages.redirect("/inbox/", done="deleted-all")


def _recipients(addresses: Sequence[Address]) -> str:
    named = [address.name or address.address for address in addresses[:_NAMED_RECIPIENTS]]
    more = len(addresses) - len(named)
    return ", ".join(named) + (f" +{more}" if more else "")
