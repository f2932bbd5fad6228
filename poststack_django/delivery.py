"""Calls to the API for one message or for many, and what each message of a call hears. No database.

A call is a value here, so that the synchronous and the asynchronous way of making it have all else in common.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError, PostStackResponseError

if TYPE_CHECKING:
    from poststack.types import BatchAnswer, SendEmail, SentEmail
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

_QUOTA_CODES: Final = frozenset(
    {"monthly_limit_exceeded", "daily_limit_exceeded", "send_limit_exceeded", "quota_exceeded", "daily_cap_exceeded"}
)


@dataclass(frozen=True)
class Call:
    """Messages that are sent by one request."""

    client: ClientSettings
    messages: Sequence[Outgoing]

    @property
    def payloads(self) -> list[SendEmail]:
        """Return what is sent."""
        return [one.payload for one in self.messages]


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
    """Return whether a client, which may be one of the project's own, can send several e-mails in one call."""
    return hasattr(client.emails, "batch")


@sensitive_variables()
def perform(client: EmailClient, call: Call) -> list[Outcome]:
    """Make the call; return one outcome for each message. Raises nothing that the API or the network causes."""
    payloads = call.payloads
    group: Any = client.emails
    if len(payloads) > 1 and takes_batches(client):
        try:
            return _outcomes(group.batch({"emails": payloads}), len(payloads))
        except Exception as error:  # noqa: BLE001  # kept with each message, where the caller raises or silences it
            return [error] * len(payloads)
    outcomes: list[Outcome] = []
    for payload in payloads:
        try:
            outcomes.append(_accepted(group.send(payload)))
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
            return _outcomes(await client.emails.batch({"emails": payloads}), len(payloads))
        return [_accepted(await client.emails.send(payloads[0]))]
    except Exception as error:  # noqa: BLE001  # kept with each message, where the caller raises or silences it
        return [error] * len(payloads)


def _outcomes(answer: BatchAnswer, expected: int) -> list[Outcome]:
    results = cast("object", answer["data"])
    if not isinstance(results, list):
        return [PostStackResponseError(202, "The API answered a batch without a list of results.")] * expected
    listed = cast("list[object]", results)
    if len(listed) != expected:
        return [
            PostStackResponseError(
                202, f"The API answered {len(listed)} results to {expected} e-mails, so whose is whose is unknown."
            )
        ] * expected
    return [_outcome(result) for result in listed]


def _outcome(result: object) -> Outcome:
    fields = _fields(result)
    text, code = fields.get("error"), fields.get("code")
    if isinstance(fields.get("id"), str) or not isinstance(text, str):
        try:
            return _accepted(result)
        except PostStackResponseError as error:
            return error
    # An element has no status of its own; what is not a quota would be refused again (poststack-api §3.4).
    quota = code in _QUOTA_CODES
    return PostStackError(429 if quota else 422, text, code if isinstance(code, str) else None)


def _fields(answer: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", answer) if isinstance(answer, Mapping) else {}


def _accepted(answer: object) -> SentEmail:
    """Return the answer to one e-mail; raise for one that does not say under which id it was accepted."""
    email_id = _fields(answer).get("id")
    if isinstance(email_id, str) and email_id:
        return cast("SentEmail", answer)
    raise PostStackResponseError(202, "The API answered an e-mail without an id, so whether it is accepted is unknown.")
