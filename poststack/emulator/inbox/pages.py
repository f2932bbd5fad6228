"""Turning templates into answers: what every page shows, and the headers that keep foreign content harmless.

No page has inline scripts or styles and none may load anything from elsewhere, so that even a mistake in a template
would leave what a mail brings inert.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from poststack.emulator.inbox import wording
from poststack.emulator.model import iso
from poststack.emulator.receiving.reception import unread_inbound
from poststack.emulator.state import AppState

__all__ = ["PAGE_HEADERS", "Pages", "opened_by_a_person", "read_form", "static_file"]

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_STATIC_TYPES = {
    "inbox.css": "text/css; charset=utf-8",
    "inbox.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_STATIC = {
    name: resources.files("poststack.emulator.inbox").joinpath("static").joinpath(name).read_bytes()
    for name in _STATIC_TYPES
}
_STATIC_VERSION = hashlib.sha256(b"".join(_STATIC.values())).hexdigest()[:12]
_LARGEST_FORM = 64 * 1024

# What a page may say after a change, by the word that the redirect carries.
_NOTICES: Mapping[str, str] = {
    "deleted": "The message is deleted.",
    "deleted-all": "All messages are deleted.",
    "deleted-received": "All received mail is deleted.",
    "received": "The mail came in.",
    "read-all": "All messages are marked as read.",
    "unread": "The message is marked as unread.",
    "simulated": "The event happened.",
    "replayed": "The delivery is sent again.",
    "replayed-failed": "The failed deliveries are sent again.",
    "webhook-disabled": "The webhook is disabled, so nothing is sent to it.",
    "nothing-failed": "There is no failed delivery to send again.",
    "fault-added": "The fault is set. It hits the next requests that match.",
    "fault-removed": "The fault is removed.",
    "faults-cleared": "All faults are removed.",
}


class Pages:
    """Renders the templates for one running emulator."""

    def __init__(self, state: AppState) -> None:
        self.state: AppState = state
        self._templates = Environment(
            loader=PackageLoader("poststack.emulator.inbox"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., Any]] = self._templates.filters
        filters.update(
            absolute=wording.absolute,
            duration=wording.duration,
            file_size=wording.file_size,
            iso=iso,
            json=_json,
            masked_url=wording.masked_url,
            relative=self._relative,
            short_url=wording.short_url,
            visible=wording.visible,
        )
        known: dict[str, Any] = self._templates.globals
        known.update(count=wording.count, static_version=_STATIC_VERSION)

    def show(self, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
        """Answer with a page."""
        store = self.state.store
        content = self._templates.get_template(template).render(
            {
                "revision": store.revision,
                "total": store.total,
                "unread": store.unread,
                "received": len(store.inbound_emails),
                "received_unread": unread_inbound(store),
                "now": self.state.now(),
                "notice": _NOTICES.get(request.query_params.get("done", "")),
                "problem": None,
                "faults_set": len(self.state.emulator.faults()),
                **context,
            }
        )
        # A lone surrogate, which JSON can bring in, has no UTF-8 form.
        body = content.encode("utf-8", "replace")
        return Response(body, status, media_type="text/html", headers=dict(PAGE_HEADERS))

    def missing(self, request: Request) -> Response:
        """Answer that there is no such page, or no longer such a message."""
        return self.show(request, "missing.html", status=404)

    def _relative(self, moment: float) -> str:
        return wording.relative(moment, self.state.now())

    @staticmethod
    def redirect(path: str, **query: str) -> Response:
        """Send the browser on to a page of the inbox after a change."""
        found = {name: value for name, value in query.items() if value}
        address = f"{path}?{urlencode(found, errors='replace')}" if found else path
        return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def opened_by_a_person(request: Request) -> bool:
    """Return whether somebody is about to look at the page that is asked for."""
    # A live update and a picture in some other page fetch it, too; neither is somebody reading.
    fetched = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    prefetched = "prefetch" in request.headers.get("sec-purpose", "")
    return request.method == "GET" and not fetched and not prefetched


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a small form, the last value of each; one that is too large counts as empty."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


async def static_file(request: Request) -> Response:
    """Answer with the stylesheet, the script or the icon."""
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response("Not found", 404, headers=dict(PAGE_HEADERS), media_type="text/plain")
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "max-age=31536000, immutable" if "v" in request.query_params else "no-cache",
    }
    return Response(_STATIC[name], media_type=_STATIC_TYPES[name], headers=headers)
