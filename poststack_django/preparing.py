"""From Django messages to what is sent and stored of them: every decision that is made before the first call.

Whatever is wrong with one message is found before any of them is sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from poststack_django.clients import with_key_for
from poststack_django.database import is_recording, with_orm
from poststack_django.extras import metadata_of, related_to
from poststack_django.guard import guard, leave_out
from poststack_django.outgoing import LeftOut, Outgoing
from poststack_django.payload import payload_from
from poststack_django.settings import ClientSettings, get_settings
from poststack_django.signals import CancelSend, pre_send
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["Rules", "prepared"]


@dataclass(frozen=True)
class Rules:
    """How one mailer sends."""

    alias: str
    """In `MAILERS`; empty where there is none."""
    client: ClientSettings = field(repr=False)
    defaults: Mapping[str, Any]
    allowed_recipients: Sequence[str] | None
    redirect_to: str | None


@sensitive_variables()
def prepared(messages: Sequence[EmailMessage], rules: Rules, sender: type) -> list[Outgoing | None]:
    """Return each message as it will leave, in order; `None` for one that a receiver of `pre_send` has canceled.

    One that has no recipient left after the staging guard and the suppressions has an empty `to`: do not send it.
    Raises `ValueError`, naming the message among several, and what receivers raise.
    """
    made: list[Outgoing | None] = []
    for index, message in enumerate(messages):
        try:
            pre_send.send(sender=sender, message=message)
        except CancelSend:
            made.append(None)
            continue
        try:
            made.append(_outgoing(message, rules))
        except ValueError as error:
            if len(messages) == 1:
                raise
            raise ValueError(f"messages[{index}]: {error} None of the {len(messages)} messages was sent.") from error
    _leave_out_suppressed([one for one in made if one is not None])
    return made


def _outgoing(message: EmailMessage, rules: Rules) -> Outgoing:
    payload = payload_from(message, rules.defaults)
    payload.setdefault("idempotency_key", str(uuid.uuid4()))
    return Outgoing(
        message,
        payload,
        rules.alias,
        with_key_for(message, rules.client),
        metadata_of(message, rules.defaults),
        related_to(message),
        guard(payload, rules.allowed_recipients, rules.redirect_to),
    )


def _leave_out_suppressed(outgoing: Sequence[Outgoing]) -> None:
    if not outgoing or not get_settings().suppressions or not is_recording():
        return
    from poststack_django.suppressions import suppressed_among

    everybody = [address for one in outgoing for _, address in one.recipients]
    suppressed = with_orm(lambda: suppressed_among(everybody))
    if not suppressed:
        return
    for one in outgoing:
        out: list[LeftOut] = leave_out(one.payload, suppressed.__contains__, Status.SUPPRESSED)
        one.left_out += out
