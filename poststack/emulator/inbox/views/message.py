"""One message: its contents in six views, what happened to it, and what one can do with it."""

from __future__ import annotations

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.downloads import shows_as_picture
from poststack.emulator.fates import SIMULATED
from poststack.emulator.inbox.frame import remote_content
from poststack.emulator.inbox.origin import broadcast_of
from poststack.emulator.inbox.pages import Pages, opened_by_a_person, read_form
from poststack.emulator.inbox.place import Place
from poststack.emulator.inbox.wording import status_label
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.model import Email, EventType, Message
from poststack.emulator.receiving.replies import prefixed

__all__ = ["MessagePage"]

VIEWS = (
    ("html", "HTML"),
    ("text", "Text"),
    ("headers", "Headers"),
    ("source", "HTML source"),
    ("raw", "Raw JSON"),
    ("files", "Attachments"),
)


class MessagePage:
    """Shows one message and changes it."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def show(self, request: Request) -> Response:
        """Answer with the message, which counts as read when a person opened the page."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        if email.unread and opened_by_a_person(request):
            self._state.set_unread(email.id, False)
        return self._show(request, email)

    async def set_unread(self, request: Request) -> Response:
        """Mark the message as read or unread, and return to the list."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        unread = (await read_form(request)).get("unread") == "1"
        self._state.set_unread(email.id, unread)
        return self._to_list(request, "unread" if unread else "")

    async def delete(self, request: Request) -> Response:
        """Delete the message, and return to the list."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        self._state.delete_email(email.id)
        return self._to_list(request, "deleted")

    async def simulate(self, request: Request) -> Response:
        """Let an event happen to the message, at one recipient or at all."""
        email = self._find(request)
        if email is None:
            return self._pages.missing(request)
        form = await read_form(request)
        event = cast("EventType", form.get("event", ""))
        try:
            self._state.simulate(email.id, event, recipient=form.get("recipient") or None)
        except NotPossibleError as error:
            return self._show(request, email, status=409, problem=str(error))
        view = request.query_params.get("view", "")
        extra = {"view": view} if view else {}
        return self._pages.redirect(
            f"/inbox/mail/{email.id}", **Place.read(request).parameters(), **extra, done="simulated"
        )

    def _find(self, request: Request) -> Email | None:
        return self._state.store.email(request.path_params["id"])

    def _to_list(self, request: Request, done: str) -> Response:
        return self._pages.redirect("/inbox/", **Place.read(request).parameters(), done=done)

    def _show(self, request: Request, email: Email, *, status: int = 200, problem: str | None = None) -> Response:
        place, message, store = Place.read(request), email.message, self._state.store
        newer, older = place.neighbours(store, email)
        images = request.query_params.get("images") == "1"
        original = email.reply_to_inbound if email.reply_to_inbound is not None else email.forward_of_inbound
        return self._pages.show(
            request,
            "message.html",
            status=status,
            problem=problem,
            place=place,
            email=email,
            message=message,
            status_label=status_label(email),
            idempotency_key=email.given_key,
            broadcast=broadcast_of(store, email),
            original=original,
            original_there=original is not None and store.inbound_emails.get(original) is not None,
            view=_view(request, message),
            views=[(name, label) for name, label in VIEWS if _has_view(message, name)],
            headers=_headers(email),
            answer=_answer(message),
            payload=json.dumps(dict(message.payload), indent=2, ensure_ascii=False),
            remote=remote_content(message.html or ""),
            images=images,
            pictures=[shows_as_picture(attachment) for attachment in message.attachments],
            newer=newer,
            older=older,
            events=email.events,
            simulated=list(SIMULATED),
            deliveries=store.deliveries_of_email(email.id),
            webhooks={webhook.id: webhook for webhook in store.webhooks.all()},
        )


def _has_view(message: Message, view: str) -> bool:
    return {
        "html": message.html is not None,
        "source": message.html is not None,
        "text": message.text is not None,
        "files": bool(message.attachments),
    }.get(view, True)


def _view(request: Request, message: Message) -> str:
    chosen = request.query_params.get("view", "")
    if chosen in dict(VIEWS) and _has_view(message, chosen):
        return chosen
    return next(name for name in ("html", "text", "headers") if _has_view(message, name))


def _answer(message: Message) -> dict[str, str]:
    """Return what an answer of the first recipient begins with."""
    back_to = message.reply_to[0] if message.reply_to else message.from_
    subject = prefixed("Re", message.subject)
    # "replace" because a lone surrogate has no place in an address of a page.
    answer = {"from": str(message.recipients[0]), "to": back_to.address, "subject": subject}
    return {name: value.encode("utf-8", "replace").decode() for name, value in answer.items()}


def _headers(email: Email) -> list[tuple[str, str]]:
    """Return the header fields the message was given, those the API is told as fields of their own first."""
    message = email.message
    own = [
        ("From", str(message.from_)),
        ("To", ", ".join(map(str, message.to))),
        ("Cc", ", ".join(map(str, message.cc))),
        ("Bcc", ", ".join(map(str, message.bcc))),
        ("Reply-To", ", ".join(map(str, message.reply_to))),
        ("Subject", message.subject),
    ]
    return [(name, value) for name, value in own if value or name == "Subject"] + list(message.headers.items())
