"""An emulator with its pages, asked without a server: every request runs through the whole application."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Any

import httpx

from poststack.emulator.core import Emulator
from poststack.emulator.ids import counted_ids
from poststack.emulator.model import Attempt
from poststack.emulator.server import create_app
from poststack.emulator.settings import Settings
from poststack.transports.base import HttpRequest

START = 1_800_000_000.0


class Site:
    """One emulator, its clock and somebody who looks at its pages."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.emulator = Emulator(settings, ids=counted_ids())
        self.store = self.emulator.store
        self.now = START
        self._app = create_app(self.emulator, clock=lambda: self.now)

    def get(self, address: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._request("GET", address, headers or {}, None))

    def post(
        self, address: str, sent_headers: Mapping[str, str] = MappingProxyType({}), /, **form: str
    ) -> httpx.Response:
        return asyncio.run(self._request("POST", address, dict(sent_headers), form))

    def raw_post(self, address: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Post bytes that no form of ours would."""
        return asyncio.run(self._request("POST", address, headers, body))

    def api_raw(self, path: str) -> httpx.Response:
        """Get an answer of the API through the server, headers and all."""
        return self.get(path, {"Authorization": "Bearer sk_test_site"})

    async def _request(
        self, method: str, path: str, headers: dict[str, str], content: dict[str, str] | bytes | None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8025") as client:
            if isinstance(content, bytes):
                return await client.request(method, path, headers=headers, content=content)
            return await client.request(method, path, headers=headers, data=content)

    def api(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        body = None if content is None else json.dumps(content).encode()
        request = HttpRequest(method, f"http://emulator{path}", {"Authorization": "Bearer sk_test_site"}, body)
        response = self.emulator.handle(request, self.now)
        assert response.status < 300, response.body
        answer: dict[str, Any] = json.loads(response.body)
        return answer

    def send(self, **changes: object) -> str:
        payload = {
            "from": "Shop <shop@example.com>",
            "to": ["ada@example.com"],
            "subject": "Hi",
            "text": "Hello",
            **changes,
        }
        email_id: str = self.api("POST", "/emails", {k: v for k, v in payload.items() if v is not None})["id"]
        return email_id

    def webhook(self, url: str = "http://127.0.0.1:9/hook") -> int:
        return self.emulator.add_webhook(url, ["*"], self.now, secret="whsec_topsecrettopsecret").id

    def wait(self, seconds: float, status: int | None = 200, answer: str = "thanks") -> list[bytes]:
        """Let time pass; webhooks are answered with the status, or with `None` not at all. Return what was posted."""
        posted: list[bytes] = []
        target = self.now + seconds
        while (due := self.emulator.next_due()) is not None and due <= target:
            self.now = max(self.now, due)
            for call in self.emulator.run_due(self.now):
                posted.append(call.body)
                attempt = Attempt(self.now, 0.125, status, answer if status else None, None if status else "refused")
                self.emulator.record(call.delivery_id, attempt, self.now)
        self.now = target
        return posted


def attachment(filename: str, content: bytes, content_type: str, content_id: str | None = None) -> dict[str, str]:
    found = {"filename": filename, "content": base64.b64encode(content).decode(), "content_type": content_type}
    return found if content_id is None else {**found, "content_id": content_id}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def tags(page: httpx.Response, name: str = "") -> list[dict[str, str | None]]:
    """Return the attributes of all tags of this name, in order."""
    return [attributes for tag, attributes in _read(page).tags if name in {"", tag}]


def names(page: httpx.Response) -> set[str]:
    """Return the names of all tags."""
    return {tag for tag, _ in _read(page).tags}


def words(page: httpx.Response) -> str:
    """Return the text of a page with single spaces."""
    return re.sub(r"\s+", " ", " ".join(_read(page).words))


def listed(page: httpx.Response) -> list[str]:
    """Return the ids of the messages in a list, in order."""
    return re.findall(r'<li id="m-(em_\w+)"', page.text)


def _read(page: httpx.Response) -> _Reader:
    reader = _Reader()
    reader.feed(page.text)
    reader.close()
    return reader
