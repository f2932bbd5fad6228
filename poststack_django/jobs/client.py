"""The client of jobs: that of the project's mailer, with its own retries off, for the queue waits.

It is looked up for every call, as everywhere in the app: settings may change in tests, and each tenant has a key.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from poststack import PostStackConnectionError, PostStackError
from poststack_django.borrowing import borrowed_connection
from poststack_django.clients import with_key_for, without_retries
from poststack_django.delivery import Outcome, calls, perform, takes_batches
from poststack_django.other_providers import refuse_repeating
from poststack_django.outgoing import Outgoing
from poststack_django.stored import mailer_of_jobs, message_from

if TYPE_CHECKING:
    from poststack.types import BatchAnswer, BatchEmails, SendEmail, SentEmail

__all__ = ["JobClient"]

logger = logging.getLogger("poststack.django")


class JobClient:
    """Sends like a `PostStack`. There is nothing to close: connections are shared with the rest of the project."""

    def __init__(self) -> None:
        self.emails = _Emails()


class _Emails:
    @sensitive_variables()
    def send(self, input: SendEmail, /) -> SentEmail:
        """Send one e-mail. Raises what the client raises."""
        outcome = _outcomes([input])[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @sensitive_variables()
    def batch(self, input: BatchEmails, /) -> BatchAnswer:
        """Send several, in one call for each tenant. Raises what may be better later, also if it is so for one only."""
        answered: list[dict[str, Any]] = []
        for outcome in _outcomes(input["emails"]):
            if isinstance(outcome, PostStackError) and not outcome.transient:
                answered.append({"error": outcome.error, "code": outcome.code})
            elif isinstance(outcome, Exception):
                # Repeating all of them doubles none: each has its key.
                raise outcome
            else:
                answered.append(dict(outcome))
        return cast("BatchAnswer", {"data": answered})


def _outcomes(payloads: list[SendEmail]) -> list[Outcome]:
    try:
        # A function that returns the key of a tenant looks into the database.
        with borrowed_connection():
            backend = mailer_of_jobs()
            base = without_retries(backend.configuration)
            outgoing = [_outgoing(payload, backend.configuration) for payload in payloads]
            clients = {client: backend.client_for(client) for client in {one.client or base for one in outgoing}}
            for client in clients.values():
                refuse_repeating(client)
    except ImproperlyConfigured as error:
        # A deployment can mend it, so the job is to be tried again. These texts are our own, and have no key in them.
        logger.warning("The worker has no client for the API: %s", error)
        raise PostStackConnectionError(0, f"The worker has no client for the API: {error}") from error
    outcomes: dict[Outgoing, Outcome] = {}
    one_by_one = {configuration for configuration, client in clients.items() if not takes_batches(client)}
    for call in calls(outgoing, base, one_by_one=one_by_one):
        outcomes.update(zip(call.messages, perform(clients[call.client], call), strict=True))
    return [outcomes[one] for one in outgoing]


def _outgoing(payload: SendEmail, configuration: Any) -> Outgoing:
    client = None
    if configuration.key_for_message is not None:
        client = without_retries(with_key_for(message_from(payload), configuration))
    # Of the rest of a message nothing is needed for a call.
    return Outgoing(cast("Any", None), payload, client=client)
