"""Calls to the API for one message or for many, and what each message of a call hears. No database.

A call is a value here, so that the synchronous and the asynchronous way of making it have all else in common.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError
from poststack.mailbridge.configured import is_mailer
from poststack_tasks.batches import accepted, batch_answers

if TYPE_CHECKING:
    from poststack.types import SendEmail, SentEmail
    from poststack_django.clients import EmailClient
    from poststack_django.outgoing import Outgoing
    from poststack_django.settings import ClientSettings

__all__ = ["LARGEST_BATCH", "Call", "Outcome", "aperform", "calls", "perform", "takes_batches"]

Outcome: TypeAlias = "SentEmail | Exception"
"""The API's answer to one message, or why there is none."""

LARGEST_BATCH: Final = 100
"""E-mails in one call, at most (poststack-api §3.2)."""
LARGEST_BATCH_CONTENT: Final = 25_000_000
"""Characters of bodies and attachments in one call of several e-mails: no limit of the API is known, and one e-mail may
have as many bytes."""


@dataclass(frozen=True)
class Call:
    """Messages that are sent by one request."""

    client: ClientSettings
    messages: Sequence[Outgoing]

    @property
    def payloads(self) -> list[SendEmail]:
        """Return what is sent."""
        return [one.call for one in self.messages]


def calls(
    messages: Sequence[Outgoing],
    client: ClientSettings,
    largest: int = LARGEST_BATCH,
    *,
    one_by_one: Collection[ClientSettings] = (),
) -> Iterator[Call]:
    """Pack messages into as few calls as the limits allow, in order; each tenant has calls of its own.

    `one_by_one` are those whose client takes no batches: after a call without an answer it must be known which of the
    messages were not tried.
    """
    by_client: dict[ClientSettings, list[Outgoing]] = {}
    for one in messages:
        by_client.setdefault(one.client or client, []).append(one)
    for own, theirs in by_client.items():
        packed: list[Outgoing] = []
        size = 0
        most = 1 if own in one_by_one else largest
        for one in theirs:
            content = _size(one.payload)
            if packed and (len(packed) >= most or size + content > LARGEST_BATCH_CONTENT):
                yield Call(own, packed)
                packed, size = [], 0
            packed.append(one)
            size += content
        yield Call(own, packed)


def _size(payload: SendEmail) -> int:
    files = sum(len(file["content"]) for file in payload.get("attachments", []))
    return files + len(payload.get("text", "")) + len(payload.get("html", ""))


def takes_batches(client: EmailClient) -> bool:
    """Return whether a client, which may be one of the project's own, can send several e-mails in one call.

    Providers other than PostStack may give all e-mails of a request the same id, by which no event finds its row.
    """
    return hasattr(client.emails, "batch") and not is_mailer(client)


@sensitive_variables()
def perform(client: EmailClient, call: Call) -> list[Outcome]:
    """Make the call; return one outcome for each message. Raises nothing that the API or the network causes."""
    payloads = call.payloads
    group: Any = client.emails
    if len(payloads) > 1 and takes_batches(client):
        try:
            return cast("list[Outcome]", batch_answers(group.batch({"emails": payloads}), len(payloads)))
        except Exception as error:  # noqa: BLE001  # kept with each message, where the caller raises or silences it
            return [error] * len(payloads)
    outcomes: list[Outcome] = []
    for payload in payloads:
        try:
            outcomes.append(cast("SentEmail", accepted(group.send(payload))))
        except (PostStackError, ValueError) as error:
            outcomes.append(error)
            if isinstance(error, PostStackError) and error.transient:
                return [*outcomes, *[error] * (len(payloads) - len(outcomes))]
        except Exception as error:  # noqa: BLE001  # such as a task's time limit: no moment to begin another call
            return [*outcomes, *[error] * (len(payloads) - len(outcomes))]
    return outcomes


@sensitive_variables()
async def aperform(client: Any, call: Call) -> list[Outcome]:
    """Make the call with an asynchronous client; otherwise as `perform`."""
    payloads = call.payloads
    try:
        if len(payloads) > 1:
            return cast("list[Outcome]", batch_answers(await client.emails.batch({"emails": payloads}), len(payloads)))
        return [cast("SentEmail", accepted(await client.emails.send(payloads[0])))]
    except Exception as error:  # noqa: BLE001  # kept with each message, where the caller raises or silences it
        return [error] * len(payloads)
