"""Takes rows to the API, and everything that becomes of them to the report and the journal, in order."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poststack.errors import PostStackError
from poststack.sending_many.content import completed
from poststack.sending_many.journal import Checkpoint
from poststack.sending_many.outcomes import End, Failure, end_for, end_for_all, failure_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from poststack import PostStack
    from poststack.bulk import BulkResult
    from poststack.sending_many.interrupts import Interrupts
    from poststack.sending_many.journal import Journal
    from poststack.sending_many.outcomes import Totals
    from poststack.sending_many.progress import Progress
    from poststack.sending_many.report import Report
    from poststack.sending_many.rows import Place, Row
    from poststack.types import SendEmail

__all__ = ["Pace", "Sending"]

_BETWEEN_CHECKPOINTS: Final = 0.5
"""Seconds. What a crash lets be sent once more, under the same keys, and how often the disk is waited for."""
_BETWEEN_SHOWS: Final = 0.1
_MOST_UNWRITTEN: Final = 4 * 1024 * 1024
"""Bytes of failures that wait for a checkpoint."""
_MOST_WRONG: Final = 500
"""Rows that cannot be read and wait for the results of those before them. Until then nothing more is read."""
_IN_A_CALL: Final = 100
_MANY_ALIKE: Final = 100
"""E-mails at the beginning that are refused for one reason, until it is taken for that of all."""
_MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes of the file whose rows failed in a line, perhaps for a reason that is not theirs."""


class Pace(NamedTuple):
    """How the API is called: so many calls at once, and for so many seconds again what failed for a while."""

    concurrency: int
    retry_for: float
    keep_going: bool
    """Whether to go on when all of the first e-mails are refused for one reason."""


class Sending:
    """Sends rows until there are none, somebody interrupts, or nothing more can be sent."""

    def __init__(
        self,
        client: PostStack,
        rows: Iterator[Row],
        *,
        key_prefix: str,
        defaults: Mapping[str, Any],
        pace: Pace,
        report: Report,
        journal: Journal | None,
        progress: Progress,
        interrupts: Interrupts,
        known: Checkpoint,
    ) -> None:
        self._client = client
        self._rows = rows
        self._key_prefix = key_prefix
        self._defaults = defaults
        self._pace = pace
        self._keep_going = pace.keep_going
        # One call more than go at once: one alone that always fails is the fault of its e-mails.
        self._many = (pace.concurrency + 1) * _IN_A_CALL
        self._report = report
        self._journal = journal
        self._progress = progress
        self._interrupts = interrupts
        self.place: Place = known.place
        """Everything before it is known."""
        self.totals: Totals = known.totals
        self.ended_by: PostStackError | None = None
        """Why nothing more could be sent."""
        self._seconds_before = known.seconds
        self._began_at = self._noted_at = self._shown_at = time.monotonic()
        self._read: deque[Row] = deque()
        """Rows whose results are still to come, among them such that were never sent."""
        self._held: list[tuple[Row, Failure]] = []
        """Failures after which nothing was answered any more: of their rows, or of the whole run?"""
        self._end_if_many = End.UNREACHABLE
        self._is_answered = False
        self._is_varied = known.totals.done > 0
        """Whether something else has become of an e-mail than of the first one."""
        self._wrong_waiting = 0
        self._is_read = False

    @property
    def seconds(self) -> float:
        """How long this run has taken."""
        return time.monotonic() - self._began_at

    def run(self) -> End:
        """Send. What is known is in the journal when it returns, and when it raises an `Exception`."""
        try:
            while (end := self._part()) is None:
                pass
        except Exception:
            self._checkpoint()
            raise
        self._checkpoint(end)
        self._progress.show(self.totals, self.place)
        return end

    def _part(self) -> End | None:
        """Send until the input ends, or rows that are wrong have piled up; then return `None`."""
        results = self._client.emails.send_many(
            self._emails(), concurrency=self._pace.concurrency, retry_for=self._pace.retry_for
        )
        try:
            for result in results:
                self._settle_wrong()
                end = self._settle(self._read.popleft(), result)
                if end is not None:
                    return end
                self._keep_up()
        finally:
            results.close()
        self._settle_wrong()
        if self._is_read and not self._held:
            return End.DONE
        if self._interrupts.number is not None:
            return End.INTERRUPTED
        if not self._is_read:
            return None
        if not self._is_answered:
            return self._end_if_many
        self._release()
        return End.DONE

    def _emails(self) -> Iterator[SendEmail]:
        while self._interrupts.number is None:
            row = next(self._rows, None)
            if row is None:
                self._is_read = True
                return
            self._read.append(row)
            if row.payload is None:
                self._wrong_waiting += 1
                if self._wrong_waiting >= _MOST_WRONG:
                    return
                continue
            yield completed(row.payload, self._defaults, f"{self._key_prefix}-{row.number}")

    def _settle_wrong(self) -> None:
        while self._read and self._read[0].payload is None:
            row = self._read.popleft()
            self._wrong_waiting -= 1
            self._fail(row, Failure(row.problem or ""))

    def _settle(self, row: Row, result: BulkResult) -> End | None:
        error = result.error
        if error is None:
            self._release()
            self._is_answered = self._is_varied = True
            if result.replayed:
                self.totals.replayed += 1
            else:
                self.totals.sent += 1
            self.place = row.after
            return None
        failure = failure_for(error)
        if isinstance(error, PostStackError):
            if end := end_for(error):
                self.ended_by = error
                return end
            if end := end_for_all(error):
                return self._hold(row, failure, error, end)
            self._is_answered = True
            if self._is_like_all(failure):
                return self._hold(row, failure, error, End.ALIKE)
        self._is_varied = True
        self._release()
        self._fail(row, failure)
        return None

    def _is_like_all(self, failure: Failure) -> bool:
        """Whether every e-mail so far, from the first one on, was refused for this reason."""
        if self._is_varied or self._keep_going:
            return False
        return not self._held or (self._end_if_many is End.ALIKE and self._held[0][1].reason == failure.reason)

    def _hold(self, row: Row, failure: Failure, error: PostStackError, end: End) -> End | None:
        """Keep a failure whose reason may be that of all others; return the end when there are many of them."""
        if not self._held or end is not self._end_if_many:
            self.ended_by, self._end_if_many = error, end
        self._held.append((row, failure))
        size = row.after.offset - self.place.offset
        many = _MANY_ALIKE if end is End.ALIKE else self._many
        return end if len(self._held) >= many or size >= _MOST_HELD else None

    def _fail(self, row: Row, failure: Failure) -> None:
        if self._held:  # In order: what is after them is known when they are.
            self._held.append((row, failure))
            if len(self._held) > self._many + _MOST_WRONG:
                self._release()
            return
        self._report.add(row, failure)
        self.totals.add_failure(failure)
        self.place = row.after

    def _release(self) -> None:
        held, self._held = self._held, []
        self._is_varied = self._is_varied or bool(held)
        for row, failure in held:
            self._fail(row, failure)

    def _keep_up(self) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _BETWEEN_SHOWS:
            self._shown_at = now
            self._progress.show(self.totals, self.place)
        if now - self._noted_at >= _BETWEEN_CHECKPOINTS or self._report.unwritten >= _MOST_UNWRITTEN:
            self._checkpoint()

    def _checkpoint(self, end: End | None = None) -> None:
        self._report.sync()
        if self._journal is not None:
            seconds = self._seconds_before + self.seconds
            self._journal.note(
                Checkpoint(
                    self.place,
                    self._report.size,
                    self.totals,
                    seconds,
                    is_finished=end is End.DONE,
                    is_settled=end in {End.DONE, End.INTERRUPTED} and not self._read and not self._held,
                    noted_at=time.time(),
                )
            )
        self._noted_at = time.monotonic()
