"""Where an e-mail comes from: the broadcast it is part of, or the received mail that it answers or passes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from poststack.emulator.model import Email
from poststack.emulator.outreach.broadcasts import Broadcast
from poststack.emulator.store import Store

__all__ = ["BroadcastOrigin", "answers_to", "broadcast_name", "broadcast_of"]


@dataclass(frozen=True)
class BroadcastOrigin:
    """The broadcast of an e-mail. `variant` is the name of the one that was sent; a `test` went to nobody of it."""

    id: str
    name: str
    variant: str | None
    test: bool


def broadcast_of(store: Store, email: Email) -> BroadcastOrigin | None:
    """Return which broadcast the e-mail is part of; `None` for one that was sent by itself."""
    if email.broadcast_id is None:
        return None
    broadcast = store.broadcasts.find("id", email.broadcast_id)
    return BroadcastOrigin(
        id=email.broadcast_id,
        name=broadcast_name(store, email.broadcast_id),
        variant=_variant(store, broadcast, email),
        test=email.broadcast_recipient is None,
    )


def broadcast_name(store: Store, broadcast_id: str) -> str:
    """Return what people call the broadcast: its name, else its subject, else its id when it is gone."""
    broadcast = store.broadcasts.find("id", broadcast_id)
    return broadcast_id if broadcast is None else broadcast.name or broadcast.subject


def answers_to(store: Store, number: int) -> Sequence[Email]:
    """Return the e-mails that answer the received mail with this number or pass it on, oldest first."""
    return [email for email in store.accepted() if number in {email.reply_to_inbound, email.forward_of_inbound}]


def _variant(store: Store, broadcast: Broadcast | None, email: Email) -> str | None:
    if broadcast is None or broadcast.test is None or email.broadcast_recipient is None:
        return None
    recipient = store.broadcast_recipients.get(email.broadcast_recipient)
    variant = None if recipient is None else broadcast.test.variant(recipient.variant)
    return None if variant is None else variant.name
