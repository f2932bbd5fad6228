"""What is kept, what is answered and what is logged, all of it looked at on the way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from poststack.emulator.codec import email_to_json
from poststack.emulator.journal import SqliteJournal
from poststack.emulator.store import Contents
from poststack.emulator.tables import Kind
from poststack.emulator.transport import InMemoryTransport
from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["Kept", "Log", "Secrets", "WatchedJournal", "WatchedTransport", "unlike"]

Content = Callable[[], Mapping[str, Any]]
Kept = dict[tuple[str, int], str]


class WatchedJournal(SqliteJournal):
    """A data file that also knows each record as it is now, saved or not."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.saved: Kept = {}
        self._contents: dict[tuple[str, int], Content] = {}
        self._unsaved: set[tuple[str, int]] = set()
        self._before: dict[tuple[str, int], str | None] = {}

    def load(self, kinds: Iterable[Kind[Any]]) -> Contents:
        kinds = list(kinds)
        contents = super().load(kinds)
        for email in contents.emails:
            self._contents["email", email.number] = partial(email_to_json, email)
        for delivery in contents.deliveries:
            self._contents["delivery", delivery.id] = partial(asdict, delivery)
        for kind in kinds:
            for record in contents.records[kind.name]:
                number = kind.number(record)
                self._contents[kind.name, number] = partial(kind.write, record)
        self.saved = self.live()
        return contents

    def live(self) -> Kept:
        """Return every record as it is in memory."""
        return {name: json.dumps(content()) for name, content in self._contents.items()}

    def mark(self) -> None:
        """Begin to note what is saved."""
        self._before.clear()

    def changes(self) -> list[str]:
        """Return what was saved since the mark and is another thing now, each record in both states."""
        return unlike(self._before, {name: self.saved[name] for name in self._before if name in self.saved})

    def changed(self, kind: str, number: int, content: Content) -> None:
        super().changed(kind, number, content)
        self._contents[kind, number] = content
        self._unsaved.add((kind, number))

    def removed(self, kind: str, number: int) -> None:
        super().removed(kind, number)
        self._contents.pop((kind, number), None)
        self._unsaved.add((kind, number))

    def commit(self, highest: Mapping[str, int]) -> None:
        super().commit(highest)
        for name in self._unsaved:
            self._before.setdefault(name, self.saved.get(name))
            content = self._contents.get(name)
            if content is None:
                self.saved.pop(name, None)
            else:
                self.saved[name] = json.dumps(content())
        self._unsaved.clear()


def unlike(before: Mapping[tuple[str, int], str | None], after: Kept) -> list[str]:
    """Return what differs, each record in both states. When a key was last used is no change: it is noted anyhow."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in names
        if name[0] != "api_key" or _without_use(before.get(name)) != _without_use(after.get(name))
    ]


def _without_use(content: str | None) -> object:
    return None if content is None else {**json.loads(content), "last_used_at": None}


@dataclass
class Secrets:
    """What was shown once and must not be seen again."""

    known: set[str] = field(default_factory=set[str])

    def check(self, text: str, where: str) -> None:
        """Raise `AssertionError` when one of them is in a text."""
        assert not any(secret in text for secret in self.known), f"A secret appears in {where}."


class WatchedTransport(InMemoryTransport):
    """The emulator in memory; no answer may be a failure of its own, or show a secret that was shown before."""

    secrets: Secrets

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = super().send(request)
        where = f"{request.method} {request.url}"
        assert response.status != 500, f"{where} failed: {response.body!r}"
        self.secrets.check(response.body.decode("utf-8", "replace"), f"the answer to {where}")
        return response


class Log(logging.Handler):
    """Hears what the emulator and the client log."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(logging.DEBUG)
        self._secrets = secrets
        self.failures: list[str] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record; nothing may be worse than a warning."""
        text = self.format(record)
        if record.levelno >= logging.ERROR or any(secret in text for secret in self._secrets.known):
            self.failures.append(text)
