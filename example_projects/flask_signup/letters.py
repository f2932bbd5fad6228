"""Letters as they are stored: who gets them, and what has become of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from example_projects.flask_signup.database import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = [
    "AddressKnownError",
    "Letter",
    "Step",
    "accept",
    "find",
    "give_up",
    "of_subscribers",
    "record",
    "sign_up",
    "unsent",
]

QUERY = """
    SELECT letter.*, subscriber.name, subscriber.address FROM letter
    JOIN subscriber ON subscriber.id = letter.subscriber_id
"""
# That it is queued at PostStack is what its acceptance said.
EVENTS = "SELECT type, at FROM event WHERE email_id = ? AND type <> 'email.queued' ORDER BY at"
SUBJECTS = {"welcome": "Welcome to Northlight"}

# What an event of PostStack says about a letter. Webhooks come in any order: of several the highest counts.
STATES = {
    "email.sent": (1, "sent"),
    "email.deferred": (2, "delayed"),
    "email.soft_bounced": (2, "delayed"),
    "email.delivered": (3, "delivered"),
    "email.failed": (4, "failed"),
    "email.bounced": (4, "bounced"),
    "email.complained": (5, "complained"),
}
SETTLED = frozenset({"delivered", "failed", "bounced", "complained", "given up"})


class AddressKnownError(Exception):
    """Somebody has signed up with this address before."""


class Step(NamedTuple):
    """Something that has happened to a letter."""

    what: str
    at: datetime


@dataclass(frozen=True)
class Letter:
    """A letter, the person it is for, and its story so far."""

    key: str
    kind: str
    name: str
    address: str
    created_at: datetime
    email_id: str | None
    given_up: str | None
    state: str
    """`waiting`, `accepted`, `given up`, or one of `STATES`."""
    story: list[Step]

    @property
    def subject(self) -> str:
        """The subject."""
        return SUBJECTS[self.kind]

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is expected to happen."""
        return self.state in SETTLED


def sign_up(connection: sqlite3.Connection, name: str, address: str) -> tuple[int, str]:
    """Store a subscriber and the letter of welcome, both or neither. Return the id and the letter's key.

    Raises `AddressKnownError`.
    """
    now, key = _now(), f"welcome-{uuid.uuid4().hex}"
    with transaction(connection):
        row = connection.execute(
            "INSERT INTO subscriber (name, address, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (name, address, now),
        ).fetchone()
        if row is None:
            raise AddressKnownError
        connection.execute(
            "INSERT INTO letter (key, subscriber_id, kind, created_at) VALUES (?, ?, 'welcome', ?)",
            (key, row["id"], now),
        )
    return row["id"], key


def unsent(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of the letters that still have to be sent."""
    rows = connection.execute("SELECT key FROM letter WHERE email_id IS NULL AND given_up IS NULL ORDER BY created_at")
    return [row["key"] for row in rows]


def find(connection: sqlite3.Connection, key: str) -> Letter | None:
    """Return a letter, `None` if there is none, as when its subscriber was deleted."""
    row = connection.execute(f"{QUERY} WHERE key = ?", (key,)).fetchone()
    return None if row is None else _letter(connection, row)


def of_subscribers(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Letter]:
    """Return the letters of some subscribers, the newest first."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"{QUERY} WHERE subscriber_id IN ({marks}) ORDER BY letter.created_at DESC", ids)
    return [_letter(connection, row) for row in rows.fetchall()]


def accept(connection: sqlite3.Connection, key: str, email_id: str) -> None:
    """Store PostStack's id of a letter."""
    connection.execute(
        "UPDATE letter SET email_id = ?, accepted_at = ?, given_up = NULL WHERE key = ?", (email_id, _now(), key)
    )


def give_up(connection: sqlite3.Connection, key: str, reason: str) -> None:
    """Store why a letter is not sent."""
    connection.execute("UPDATE letter SET given_up = ? WHERE key = ?", (reason, key))


def record(connection: sqlite3.Connection, event_id: str, email_id: str, kind: str, at: datetime | None) -> None:
    """Store what a webhook told. Told twice, it is stored once."""
    moment = at.isoformat() if at else _now()
    connection.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)", (event_id, email_id, kind, moment))


def _letter(connection: sqlite3.Connection, row: sqlite3.Row) -> Letter:
    created_at = datetime.fromisoformat(row["created_at"])
    story = [Step("stored", created_at)]
    state = "given up" if row["given_up"] else "waiting"
    if row["email_id"]:
        state, rank = "accepted", 0
        story.append(Step("accepted", datetime.fromisoformat(row["accepted_at"])))
        for event in connection.execute(EVENTS, (row["email_id"],)):
            what = event["type"].removeprefix("email.").replace("_", " ")
            story.append(Step(what, datetime.fromisoformat(event["at"])))
            its_rank, its_state = STATES.get(event["type"], (0, ""))
            if its_rank > rank:
                rank, state = its_rank, its_state
    return Letter(
        key=row["key"],
        kind=row["kind"],
        name=row["name"],
        address=row["address"],
        created_at=created_at,
        email_id=row["email_id"],
        given_up=row["given_up"],
        state=state,
        story=story,
    )


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
