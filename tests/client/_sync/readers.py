# Written by tools/unasync.py from tests/client/_async/readers.py. Do not edit.
"""People in a segment, and broadcasts to them."""

from __future__ import annotations

from collections.abc import Callable

from poststack import PostStack
from poststack.testing import EmulatorSession

__all__ = ["PEOPLE", "Calls", "draft_for", "recipients", "segment_of", "status"]

PEOPLE = ("ada@example.com", "bob@example.com", "cleo@example.com")
Calls = tuple[Callable[[], object], ...]


def segment_of(client: PostStack, *addresses: str) -> str:
    contacts = [(client.contacts.create({"email": address}))["contact"]["publicId"] for address in addresses]
    segment = (client.segments.create({"name": "Readers"}))["segment"]["publicId"]
    if contacts:
        client.segments.add_contacts(segment, {"contact_ids": contacts})
    return segment


def draft_for(client: PostStack, segment: str, text: str = "Hello") -> str:
    created = client.broadcasts.create(
        {"segment_id": segment, "from": "Shop <shop@example.com>", "subject": "News", "text": text}
    )
    return created["broadcast"]["publicId"]


def status(client: PostStack, broadcast: str) -> str:
    return (client.broadcasts.get(broadcast))["broadcast"]["status"]


def recipients(emu: EmulatorSession) -> list[str]:
    return [email.to[0] for email in emu.sent]
