"""The form for a mail to the application: what its customers would send, without a mail server."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.inbox.pages import Pages, read_form

__all__ = ["WritingPage"]

_FIELDS = ("from", "to", "subject", "text")
_LARGEST_FIELD = 1024 * 1024
_MAX_FILES = 10


class WritingPage:
    """Shows the form, and lets in the mail that it describes."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._state = pages.state

    async def show(self, request: Request) -> Response:
        """Answer with the form, filled in as the address says."""
        return self._show(request, {name: request.query_params.get(name, "") for name in _FIELDS})

    async def send(self, request: Request) -> Response:
        """Let the mail come in and show it; one that makes no sense comes back with the reason."""
        form: dict[str, str] = {}
        try:
            form, files = await self._read(request)
            mail: dict[str, Any] = {
                **{name: form.get(name, "") for name in ("from", "subject")},
                "to": [part.strip() for part in form.get("to", "").split(",") if part.strip()],
                "text": form.get("text", "").replace("\r\n", "\n"),
                "attachments": files,
            }
            received = self._state.emulator.receive(mail, self._state.now())
        except (ValueError, MultiPartException) as error:
            problem = error.message if isinstance(error, MultiPartException) else str(error)
            return self._show(request, form, status=422, problem=problem)
        return self._pages.redirect(f"/inbox/received/{received[0].number}", done="received")

    def _show(
        self, request: Request, form: Mapping[str, str], *, status: int = 200, problem: str | None = None
    ) -> Response:
        return self._pages.show(request, "write.html", form=form, status=status, problem=problem)

    async def _read(self, request: Request) -> tuple[dict[str, str], list[dict[str, str]]]:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await read_form(request), []
        parser = MultiPartParser(
            request.headers,
            _bounded(request, self._state.emulator.settings.max_body),
            max_files=_MAX_FILES,
            max_fields=len(_FIELDS) + _MAX_FILES,
            max_part_size=_LARGEST_FIELD,
        )
        found = await parser.parse()
        try:
            fields = {name: value for name, value in found.multi_items() if isinstance(value, str)}
            uploads = [value for _, value in found.multi_items() if isinstance(value, UploadFile)]
            # A form in which no file was chosen sends one without a name.
            return fields, [await _attachment(upload) for upload in uploads if upload.filename]
        finally:
            await found.close()


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise MultiPartException(f"The mail is larger than {limit} bytes.")
        yield chunk


async def _attachment(upload: UploadFile) -> dict[str, str]:
    attachment = {
        "filename": upload.filename or "",
        "content": base64.b64encode(await upload.read()).decode("ascii"),
    }
    return {**attachment, "content_type": upload.content_type} if upload.content_type else attachment
