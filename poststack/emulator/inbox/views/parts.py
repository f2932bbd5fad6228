"""The parts of a message that are answers of their own: the framed HTML and the attachments."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.downloads import download_headers, picture_headers, shows_as_picture
from poststack.emulator.inbox.frame import document, frame_headers
from poststack.emulator.inbox.pages import Pages
from poststack.emulator.model import Attachment

__all__ = ["MessageParts"]


class MessageParts:
    """Serves what the page of a message refers to."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def frame(self, request: Request) -> Response:
        """Answer with the HTML, disarmed; with `?images=1` it may load pictures from the network."""
        email = self._state.store.email(request.path_params["id"])
        if email is None or email.message.html is None:
            return self._pages.missing(request)
        content = document(email.message.html, email.message.attachments).encode("utf-8", "replace")
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

    def _attachment(self, request: Request) -> Attachment | None:
        email = self._state.store.email(request.path_params["id"])
        index: int = request.path_params["index"]
        if email is None or index >= len(email.message.attachments):
            return None
        return email.message.attachments[index]
