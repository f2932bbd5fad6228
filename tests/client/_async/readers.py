"""People in a segment, and broadcasts to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from poststack import AsyncPostStack
from poststack.testing import EmulatorSession

__all__ = ["PEOPLE", "Calls", "draft_for", "recipients", "segment_of", "status"]

PEOPLE = ("ada@example.com", "bob@example.com", "cleo@example.com")
Calls = tuple[Callable[[], Awaitable[object]], ...]


async def segment_of(client: AsyncPostStack, *addresses: str) -> str:
    contacts = [(await client.contacts.create({"email": address}))["contact"]["publicId"] for address in addresses]
    segment = (await client.segments.create({"name": "Readers"}))["segment"]["publicId"]
    if contacts:
        await client.segments.add_contacts(segment, {"contact_ids": contacts})
    return segment


async def draft_for(client: AsyncPostStack, segment: str, text: str = "Hello") -> str:
    created = await client.broadcasts.create(
        {"segment_id": segment, "from": "Shop <shop@example.com>", "subject": "News", "text": text}
    )
    return created["broadcast"]["publicId"]


async def status(client: AsyncPostStack, broadcast: str) -> str:
    return (await client.broadcasts.get(broadcast))["broadcast"]["status"]


def recipients(emu: EmulatorSession) -> list[str]:
    return [email.to[0] for email in emu.sent]
