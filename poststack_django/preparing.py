"""From Django messages to what is sent and stored of them: every decision that is made before the first call.

Whatever is wrong with one message is found before any of them is sent.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.views.decorators.debug import sensitive_variables

from poststack_django.clients import EmailClient, get_client, with_key_for
from poststack_django.database import has_tables, logged_not_raised
from poststack_django.extras import expires_after, is_sensitive, metadata_of, related_to
from poststack_django.guard import guard, leave_out
from poststack_django.other_providers import fit_to_client
from poststack_django.outgoing import Outgoing
from poststack_django.payload import payload_from
from poststack_django.result import SendStatus, set_status
from poststack_django.settings import ClientSettings, get_settings
from poststack_django.signals import CancelSend, pre_send
from poststack_django.status import Status

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["Rules", "leave_out_suppressed", "prepared"]

logger = logging.getLogger("poststack.django")

ADDRESSES_AT_A_TIME: Final = 1_000
"""In one query: databases limit the parameters of one."""


@dataclass(frozen=True)
class Rules:
    """How one mailer sends."""

    alias: str
    """In `MAILERS`; empty where there is none."""
    client: ClientSettings = field(repr=False)
    defaults: Mapping[str, Any]
    allowed_recipients: Sequence[str] | None
    redirect_to: str | None
    client_for: Callable[[ClientSettings], EmailClient] = field(default=get_client, repr=False)
    repeats: bool = False
    """Whether e-mails wait in a queue, whose workers may send one twice."""


@sensitive_variables()
def prepared(messages: Sequence[EmailMessage], rules: Rules, sender: type) -> list[Outgoing | None]:
    """Return each message as it will leave, in order; `None` for one without recipients, and for a canceled one.

    That it was canceled, by a receiver of `pre_send`, is said on the message. One that has no recipient left after the
    staging guard and the suppressions has an empty `to`: do not send it. Raises `ValueError`, naming the message among
    several, and what receivers raise.
    """
    made: list[Outgoing | None] = []
    for index, message in enumerate(messages):
        # As SMTP has it: with nobody to send to there is nothing to send, and nothing to tell.
        if not message.recipients() or not _is_to_be_sent(message, sender):
            made.append(None)
            continue
        try:
            made.append(_outgoing(message, rules))
        except ValueError as error:
            if len(messages) == 1:
                raise
            raise ValueError(f"messages[{index}]: {error} None of the {len(messages)} messages was sent.") from error
    leave_out_suppressed([one for one in made if one is not None])
    return made


def _is_to_be_sent(message: EmailMessage, sender: type) -> bool:
    try:
        pre_send.send(sender=sender, message=message)
    except CancelSend:
        set_status(message, SendStatus("canceled", ""))
        logger.info("An e-mail was canceled by a receiver of pre_send.")
        return False
    return True


def _outgoing(message: EmailMessage, rules: Rules) -> Outgoing:
    payload = payload_from(message, rules.defaults)
    key_is_new = not payload.get("idempotency_key")
    if key_is_new:
        payload["idempotency_key"] = str(uuid.uuid4())
    one = Outgoing(
        message,
        payload,
        rules.alias,
        with_key_for(message, rules.client),
        metadata_of(message, rules.defaults),
        related_to(message),
        is_sensitive(message, rules.defaults),
        expires_after(message, rules.defaults),
        guard(payload, rules.allowed_recipients, rules.redirect_to),
        key_is_new=key_is_new,
    )
    client = one.client or rules.client
    # Only then it can be a mailer. Others are made when all messages are known to be right.
    if payload["to"] and (client.provider is not None or client.factory is not None):
        fit_to_client(one, rules.client_for(client), repeats=rules.repeats)
    return one


def leave_out_suppressed(outgoing: Sequence[Outgoing]) -> None:
    """Take suppressed recipients out of the calls, if the settings want it. Changes payloads and `left_out`."""
    if not outgoing or not get_settings().suppressions or not has_tables():
        return
    everybody = list(dict.fromkeys(address for one in outgoing for _, address in one.recipients))
    # The API has a list of its own: with a database that fails, mail gets out, as without this setting.
    suppressed = logged_not_raised("looking for suppressed addresses", lambda: _suppressed(everybody))
    if not suppressed:
        return
    for one in outgoing:
        one.left_out += leave_out(one.payload, suppressed.__contains__, Status.SUPPRESSED)


def _suppressed(addresses: Sequence[str]) -> set[str]:
    from django.db import transaction

    from poststack_django.settling import database
    from poststack_django.suppressions import suppressed_among

    # A savepoint: a query that fails would spoil the transaction of whoever sends.
    with transaction.atomic(using=database()):
        parts = (addresses[at : at + ADDRESSES_AT_A_TIME] for at in range(0, len(addresses), ADDRESSES_AT_A_TIME))
        return {address for part in parts for address in suppressed_among(part)}
