"""The loop of a process that empties the outbox. Imports models: import it late."""

from __future__ import annotations

import logging
import os
import select
from typing import TYPE_CHECKING

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from poststack_django.outbox.claims import next_due_at
from poststack_django.outbox.delivering import Drained, drain
from poststack_django.outbox.pauses import Pauses
from poststack_django.outbox.wake import listener
from poststack_django.settings import get_settings
from poststack_django.settling import database

if TYPE_CHECKING:
    from types import TracebackType

    from poststack_django.outbox.wake import Listener

__all__ = ["Drainer"]

logger = logging.getLogger("poststack.django")


class Drainer:
    """Sends what is due, waits for more, and stops when it is told to, after the call in hand.

    `stop` may be called from a signal handler or another thread.
    """

    def __init__(self) -> None:
        # A pipe can be waited for together with the database's socket, and written to in a signal handler.
        self._stop_read, self._stop_write = os.pipe()
        self._stopping = False
        self._pauses = Pauses(get_settings().outbox.longest_delay)

    def __enter__(self) -> Drainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._stop_read)
        os.close(self._stop_write)

    def stop(self) -> None:
        """End `run` after the call in hand; what was taken and not tried is given back."""
        if not self._stopping:
            self._stopping = True
            os.write(self._stop_write, b".")

    @sensitive_variables()
    def run(self) -> Drained:
        """Send and wait until `stop` is called; return what was done. A database that fails is waited for."""
        done = Drained()
        waiting = listener(database())
        try:
            # It listens before the first look, so that nothing that is committed in between is slept over.
            waiting.wait(0, self._stop_read)
            while not self._stopping:
                seconds = get_settings().outbox.poll
                try:
                    done += drain(stopping=lambda: self._stopping, pauses=self._pauses)
                    seconds = min(seconds, self._seconds_until_the_next())
                except Exception as error:
                    logger.warning(
                        "The outbox was interrupted by %s, and goes on.", type(error).__name__, exc_info=error
                    )
                    close_old_connections()
                if not self._stopping:
                    self._wait(waiting, seconds)
        finally:
            waiting.close()
        return done

    def _wait(self, waiting: Listener, seconds: float) -> None:
        try:
            waiting.wait(seconds, self._stop_read)
        except DatabaseError:
            close_old_connections()
            select.select([self._stop_read], [], [], min(seconds, 1.0))

    def _seconds_until_the_next(self) -> float:
        due = next_due_at()
        if due is None:
            return float("inf")
        # A row that is due and still here belongs to a mailer that is paused.
        return max((due - timezone.now()).total_seconds(), self._pauses.seconds_left() or 0.0, 0.0)
