"""The parts of a message that are answers of their own: the framed HTML and the attachments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.downloads import download_headers, picture_headers, shows_as_picture
from poststack.emulator.inbox.frame import document, frame_headers
from poststack.emulator.inbox.pages import Pages
from poststack.emulator.inbox.place import whole_number
from poststack.emulator.model import Attachment
from poststack.emulator.receiving.reception import files_of

__all__ = ["MessageParts", "ReceivedParts"]


class _Found(NamedTuple):
    html: str | None
    attachments: Sequence[Attachment]


class MessageParts:
    """Serves what the page of a message refers to."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def frame(self, request: Request) -> Response:
        """Answer with the HTML, disarmed; with `?images=1` it may load pictures from the network."""
        found = self._find(request)
        if found is None or found.html is None:
            return self._pages.missing(request)
        content = document(found.html, found.attachments).encode("utf-8", "replace")
        headers = frame_headers(remote_images=request.query_params.get("images") == "1")
        return Response(content, media_type="text/html", headers=dict(headers))

    async def download(self, request: Request) -> Response:
        """Answer with an attachment, byte for byte, to be saved."""
        attachment = self._attachment(request)
        if attachment is None:
            return self._pages.missing(request)
        return Response(attachment.content, headers=dict(download_headers(attachment)))

    async def picture(self, request: Request) -> Response:
        """Answer with an attachment to be shown, if it is a picture."""
        attachment = self._attachment(request)
        if attachment is None or not shows_as_picture(attachment):
            return self._pages.missing(request)
        return Response(attachment.content, headers=dict(picture_headers(attachment)))

    def _find(self, request: Request) -> _Found | None:
        email = self._state.store.email(request.path_params["id"])
        return None if email is None else _Found(email.message.html, email.message.attachments)

    def _attachment(self, request: Request) -> Attachment | None:
        found = self._find(request)
        index: int = request.path_params["index"]
        return None if found is None or index >= len(found.attachments) else found.attachments[index]


class ReceivedParts(MessageParts):
    """Serves what the page of a received mail refers to."""

    def _find(self, request: Request) -> _Found | None:
        store = self._state.store
        email = store.inbound_emails.get(whole_number(request.path_params["id"]))
        if email is None:
            return None
        return _Found(email.message.html, [file.attachment for file in files_of(store, email)])
