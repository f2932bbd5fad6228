"""Received mail: the list, one mail in six views, and changes to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.downloads import shows_as_picture
from poststack.emulator.inbox.frame import remote_content
from poststack.emulator.inbox.origin import answers_to
from poststack.emulator.inbox.pages import Pages, opened_by_a_person, read_form
from poststack.emulator.inbox.place import whole_number
from poststack.emulator.inbox.snippet import snippet
from poststack.emulator.receiving.inbound import InboundEmail, InboundMessage
from poststack.emulator.receiving.reception import files_of
from poststack.emulator.receiving.replies import stripped_reply
from poststack.emulator.search import Page

__all__ = ["PER_PAGE", "ReceivedPage", "Row"]

PER_PAGE = 50
PATH = "/inbox/received"
VIEWS = (
    ("html", "HTML"),
    ("text", "Text"),
    ("reply", "Stripped reply"),
    ("headers", "Headers"),
    ("source", "HTML source"),
    ("files", "Attachments"),
)


@dataclass(frozen=True)
class Row:
    """What the list says about one received mail."""

    number: int
    unread: bool
    sender: str
    sender_address: str
    recipient: str
    subject: str
    snippet: str
    at: float
    mailbox_hash: str | None
    spam: bool
    attachments: int

    @classmethod
    def of(cls, email: InboundEmail) -> Row:
        """Say it about this mail."""
        message = email.message
        return cls(
            number=email.number,
            unread=email.unread,
            sender=message.from_.name or message.from_.address or "(no sender)",
            sender_address=message.from_.address,
            recipient=email.to_address,
            subject=message.subject or "",
            snippet=snippet(message),
            at=email.created_at,
            mailbox_hash=email.mailbox_hash,
            spam=message.is_spam,
            attachments=len(email.files),
        )


class ReceivedPage:
    """Shows what came in, and changes it."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def show_list(self, request: Request) -> Response:
        """Answer with one page of the list, newest first."""
        newest = self._state.store.inbound_emails.newest()
        last = max(1, -(-len(newest) // PER_PAGE))
        number = max(1, min(whole_number(request.query_params.get("page", "")) or 1, last))
        found = Page(newest[(number - 1) * PER_PAGE : number * PER_PAGE], number, PER_PAGE, len(newest))
        return self._pages.show(
            request,
            "received.html",
            found=found,
            rows=[Row.of(email) for email in found.items],
            address=str(request.base_url).rstrip("/"),
        )

    async def delete_all(self, request: Request) -> Response:
        """Delete every received mail."""
        self._state.emulator.delete_all_inbound()
        return self._pages.redirect(PATH, done="deleted-received")

    async def show(self, request: Request) -> Response:
        """Answer with one mail, which counts as read when a person opened the page."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        if email.unread and opened_by_a_person(request):
            self._state.emulator.set_inbound_unread(email.number, False)
        return self._show(request, email)

    async def set_unread(self, request: Request) -> Response:
        """Mark the mail as read or unread, and return to the list."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        unread = (await read_form(request)).get("unread") == "1"
        self._state.emulator.set_inbound_unread(email.number, unread)
        return self._pages.redirect(PATH, done="unread" if unread else "")

    async def delete(self, request: Request) -> Response:
        """Delete the mail, and return to the list."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        self._state.emulator.delete_inbound(email.number)
        return self._pages.redirect(PATH, done="deleted")

    def _find(self, request: Request) -> InboundEmail | None:
        return self._state.store.inbound_emails.get(whole_number(request.path_params["id"]))

    def _show(self, request: Request, email: InboundEmail) -> Response:
        message, store = email.message, self._state.store
        attachments = [file.attachment for file in files_of(store, email)]
        reply = stripped_reply(message)
        views = [(name, label) for name, label in VIEWS if _has_view(message, name, reply, bool(attachments))]
        chosen = request.query_params.get("view", "")
        newer, older = _neighbours(store.inbound_emails.all(), email)
        return self._pages.show(
            request,
            "received_message.html",
            email=email,
            message=message,
            reply=reply,
            attachments=attachments,
            view=chosen if chosen in dict(views) else views[0][0],
            views=views,
            remote=remote_content(message.html or ""),
            images=request.query_params.get("images") == "1",
            pictures=[shows_as_picture(attachment) for attachment in attachments],
            answers=answers_to(store, email.number),
            newer=newer,
            older=older,
            deliveries=store.deliveries_of_inbound(email.number),
            webhooks={webhook.id: webhook for webhook in store.webhooks.all()},
        )


def _has_view(message: InboundMessage, view: str, reply: str | None, attachments: bool) -> bool:
    return {
        "html": message.html is not None,
        "source": message.html is not None,
        "text": message.text is not None,
        "reply": reply is not None and reply != (message.text or "").strip(),
        "files": attachments,
    }.get(view, True)


def _neighbours(emails: Sequence[InboundEmail], email: InboundEmail) -> tuple[InboundEmail | None, InboundEmail | None]:
    """Return the newer and the older mail next to this one."""
    newer = next((other for other in emails if other.number > email.number), None)
    older = next((other for other in reversed(emails) if other.number < email.number), None)
    return newer, older
