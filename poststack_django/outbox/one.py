"""One e-mail of the outbox as a task of a queue. Only its number goes through the broker: no address, no body.

A task may run late, twice, or never: it sends what is due and nobody else is sending. What becomes of it is stored.
Imports models late: queues import this before the apps are ready.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from poststack_django.borrowing import borrowed_connection
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from poststack_django.models import SentEmail

__all__ = ["enqueue_each", "seconds_until", "send_one"]

logger = logging.getLogger("poststack.django")


def send_one(pk: str, again_at: Callable[[datetime], object]) -> str:
    """Send one e-mail, if it is due; return its status.

    `again_at` is called with the moment at which a task should look again: when an attempt is put off, or belongs to
    another process, which may have died. Raises what is no failure of delivery, such as a task's time limit.
    """
    try:
        with borrowed_connection():
            email = _sent(pk)
    except Exception:
        # The row is still this process's own, or the database is away.
        again_at(timezone.now() + timedelta(seconds=get_settings().outbox.lease))
        raise
    if email is None:
        return "gone"
    if email.next_attempt_at is not None:
        again_at(email.next_attempt_at)
    return email.status


def seconds_until(moment: datetime) -> float:
    """Return how long it is until then, at least a moment: what is due exactly then must not be looked at before."""
    return max(0.0, (moment - timezone.now()).total_seconds()) + 0.01


def enqueue_each(keys: Sequence[int], enqueue: Callable[[str], object]) -> None:
    """Enqueue a task for each row. What cannot be enqueued stays in the outbox, and is logged."""
    for at, pk in enumerate(keys):
        try:
            enqueue(str(pk))
        except Exception as error:  # a broker that is down; the outbox still has the e-mails
            logger.warning(
                "E-mails of the outbox were not enqueued as tasks, and wait there: %d, because of %s.",
                len(keys) - at,
                type(error).__name__,
            )
            # A hundred lines, and again with every e-mail until the broker is back.
            logger.debug("They were not enqueued because of this:", exc_info=error)
            return  # Each of the others would wait for the broker as long.


def _sent(pk: str) -> SentEmail | None:
    from poststack_django.models import SentEmail
    from poststack_django.outbox.claims import claim_one
    from poststack_django.outbox.delivering import deliver
    from poststack_django.settling import database

    row = claim_one(pk)
    if row is not None:
        deliver([row])
    return SentEmail.objects.using(database()).filter(pk=pk).first()
