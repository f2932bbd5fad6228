"""Somebody who signs up, and the letters to them. What is stored, without how."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

__all__ = ["FOLLOWED", "Letter", "NewLetter", "SignUp", "State", "Visitor"]

State = Literal["pending", "accepted", "refused", "given_up"]
"""What is known of a letter from sending it: nothing yet, PostStack has it, PostStack will not have it, too late."""

FOLLOWED: Final = {
    "email.sent": "sent",
    "email.deferred": "deferred",
    "email.soft_bounced": "deferred",
    "email.delivered": "delivered",
    "email.failed": "failed",
    "email.bounced": "bounced",
    "email.complained": "complained",
}
"""The events that change what a page shows, and what it shows then. Later ones weigh more, however they arrive."""
_WEIGHTS: Final = {status: weight for weight, status in enumerate(FOLLOWED.values())}


@dataclass(frozen=True)
class Visitor:
    """What the form asks for."""

    name: str
    email: str


@dataclass(frozen=True)
class SignUp(Visitor):
    """A sign-up. Whoever has `page_token` sees its page, whoever has `confirm_token` has read the first letter."""

    id: int
    page_token: str = field(repr=False)
    confirm_token: str = field(repr=False)
    confirmed_at: datetime | None = None


@dataclass(frozen=True)
class NewLetter:
    """A letter that is to be stored: the whole payload, key included, as it goes to PostStack."""

    kind: Literal["confirm", "welcome"]
    key: str
    payload: str = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """A stored letter. Its payload is kept until PostStack has it, so that every attempt sends the same bytes."""

    id: int
    sign_up_id: int
    kind: Literal["confirm", "welcome"]
    state: State
    created_at: datetime
    attempts: int = 0
    email_id: str | None = None
    payload: str | None = field(default=None, repr=False)
    events: tuple[tuple[str, datetime], ...] = ()

    @property
    def status(self) -> str:
        """What has become of it, for people and style sheets."""
        statuses = [FOLLOWED[kind] for kind, _ in self.events]
        if statuses:
            return max(statuses, key=_WEIGHTS.__getitem__)
        return self.state

    @property
    def changed_at(self) -> datetime:
        """When it became so."""
        return max([at for kind, at in self.events if FOLLOWED[kind] == self.status], default=self.created_at)

    @property
    def moving(self) -> bool:
        """Whether more is to come without anybody doing anything."""
        return self.status in {"pending", "accepted", "sent", "deferred"}
