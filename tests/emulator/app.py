"""An emulator to ask, without a server: requests as values, time as a number."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from poststack.emulator.core import Answer, Emulator
from poststack.emulator.ids import IdSource, counted_ids
from poststack.emulator.model import Attempt
from poststack.emulator.settings import Settings
from poststack.emulator.store import Journal
from poststack.transports.base import HttpRequest

START = 1_800_000_000.0


@dataclass
class Reply:
    status: int
    json: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["code"]


class App:
    """An emulator with a clock of its own and a test key."""

    def __init__(
        self, settings: Settings | None = None, journal: Journal | None = None, ids: IdSource | None = None
    ) -> None:
        self.emulator = Emulator(settings, journal=journal, ids=ids or counted_ids())
        self.now = START
        self.key = "sk_test_app"

    def answer(
        self, method: str, path: str, content: object = None, *, body: bytes | None = None, **headers: str
    ) -> Answer:
        if content is not None:
            body = json.dumps(content).encode()
        named = {"Authorization": f"Bearer {self.key}"}
        named.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.emulator.answer(HttpRequest(method, "http://emulator" + path, named, body), self.now)

    def call(
        self, method: str, path: str, content: object = None, *, body: bytes | None = None, **headers: str
    ) -> Reply:
        response = self.answer(method, path, content, body=body, **headers).response
        assert response is not None
        return Reply(response.status, json.loads(response.body), dict(response.headers))

    def post(self, path: str, content: object = None, **headers: str) -> Reply:
        return self.call("POST", path, content, body=None, **headers)

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def send(self, **changes: object) -> Reply:
        payload: dict[str, object] = {
            "from": "Shop <shop@example.com>",
            "to": ["ada@example.com"],
            "subject": "Hi",
            "text": "Hello",
        }
        return self.post("/emails", {name: value for name, value in {**payload, **changes}.items() if value is not ...})

    def sent(self, **changes: object) -> str:
        reply = self.send(**changes)
        assert reply.status == 202, reply.json
        email_id: str = reply.json["id"]
        return email_id

    def email(self, email_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/emails/{email_id}").json["email"]
        return found

    def events(self, email_id: str) -> list[str]:
        return [event["eventType"] for event in self.get(f"/emails/{email_id}/events").json["events"]]

    def wait(self, seconds: float, status: int | None = 200) -> list[bytes]:
        """Let time pass in small steps; webhooks are answered with the status, or with `None` not at all."""
        bodies: list[bytes] = []
        target = self.now + seconds
        while (due := self.emulator.next_due()) is not None and due <= target:
            self.now = max(self.now, due)
            for call in self.emulator.run_due(self.now):
                bodies.append(call.body)
                attempt = Attempt(self.now, 0.1, status, "answer", None if status else "refused")
                self.emulator.record(call.delivery_id, attempt, self.now)
        self.now = target
        return bodies
