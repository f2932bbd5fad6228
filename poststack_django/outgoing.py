"""One message on its way to the API, with everything about it that is not sent: plain data, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from poststack_django.choices import RecipientKind
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from poststack.types import SendEmail
    from poststack_django.models import SentEmail
    from poststack_django.result import SendStatus
    from poststack_django.settings import ClientSettings

__all__ = ["LeftOut", "Outgoing", "Related"]


class LeftOut(NamedTuple):
    """A recipient that the message names and the call does not."""

    kind: RecipientKind
    address: str
    """As it was written, with the name."""
    status: Status
    """`WITHHELD` or `SUPPRESSED`."""


class Related(NamedTuple):
    """An object of the project that an e-mail is about."""

    model: str
    object_id: str


@dataclass(eq=False)
class Outgoing:
    """One message, the call it becomes, and what is to be stored of it."""

    message: EmailMessage
    payload: SendEmail = field(repr=False)
    mailer: str = ""
    """The alias in `MAILERS`; empty where there is none."""
    client: ClientSettings | None = field(default=None, repr=False)
    """What sends it, where that is not the mailer's own: the client of a tenant."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    related_to: list[Related] = field(default_factory=list[Related], repr=False)
    sensitive: bool = False
    """Whether the content is kept no longer than the outbox needs it."""
    expires_after: timedelta | None = None
    """How long the outbox may take to send it."""
    left_out: list[LeftOut] = field(default_factory=list[LeftOut], repr=False)
    key_is_new: bool = False
    """Whether the key was made up for this e-mail, and not given with it."""
    without_key: bool = False
    """Whether the call leaves the key out: nothing repeats it, and the provider knows none."""
    by_mailer: bool = False
    """Whether a provider other than PostStack sends it."""
    row: SentEmail | None = None
    status: SendStatus | None = None

    @property
    def key(self) -> str:
        """Return the idempotency key, which is decided before anything is stored or sent."""
        return self.payload.get("idempotency_key", "")

    @property
    def call(self) -> SendEmail:
        """Return what is sent."""
        if not self.without_key:
            return self.payload
        return cast("SendEmail", {name: value for name, value in self.payload.items() if name != "idempotency_key"})

    @property
    def recipients(self) -> list[tuple[RecipientKind, str]]:
        """Return everybody that the call names."""
        lists = (
            (RecipientKind.TO, self.payload["to"]),
            (RecipientKind.CC, self.payload.get("cc", [])),
            (RecipientKind.BCC, self.payload.get("bcc", [])),
        )
        return [(kind, address) for kind, addresses in lists for address in addresses]
