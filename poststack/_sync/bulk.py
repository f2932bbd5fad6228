# Written by tools/unasync.py from poststack/_async/bulk.py. Do not edit.
"""Many e-mails: taken lazily, packed into batch calls, several of those in flight, one result for each in order."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from poststack._bulk_options import check_options
from poststack._config import checked_timeout
from poststack._flight import Flight, Source
from poststack._packing import LARGEST_CALL, UNTRIED, Packer, body_of, unpack, without_frames
from poststack._request import Encoded, Request
from poststack.bulk import BulkProgress, BulkResult
from poststack.errors import PostStackError
from poststack.types import BatchAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from poststack._flight import Started
    from poststack._packing import Parcel, Piece
    from poststack._sync.session import Session
    from poststack.transports.base import Clock
    from poststack.types import SendEmail

__all__ = ["Bulk"]

AHEAD: Final = 2
"""How many times as many calls are prepared as may be in flight: while one takes long, the others go on."""
MOST_AHEAD: Final = 4 * LARGEST_CALL
"""Bytes. When more than this is waiting or in flight, no more is prepared than may be in flight."""
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""Seconds between two rounds of what failed transiently: each call has had its own retries by then."""
SEPARABLE: Final = frozenset({400, 403, 413, 422})
"""A call with several e-mails that is refused so may be refused for one of them."""
FORBIDDEN_ALIKE: Final = 20
"""So many e-mails, one after another, each alone, of which none may be sent: the key is at fault, not one of them."""


class Bulk:
    """One run of `send_many`."""

    def __init__(
        self,
        session: Session,
        concurrency: int,
        key_prefix: str | None,
        on_progress: Callable[[BulkProgress], object] | None,
        retry_for: float,
        timeout: float | None,
    ) -> None:
        check_options(concurrency, key_prefix, on_progress, retry_for)
        self._session = session
        self._clock = session.clock
        self._concurrency = concurrency
        self._key_prefix = key_prefix or f"bulk-{uuid4().hex}"
        self._on_progress = on_progress
        self._retry_for = retry_for
        self._timeout = None if timeout is None else checked_timeout(timeout)
        self._forbidden: list[PostStackError] = []
        """The latest refusals of single e-mails that say the same, nothing having been accepted since."""
        self._hopeless: PostStackError | None = None
        """What every further call would be answered with, too."""

    def results(self, emails: Iterable[SendEmail]) -> Generator[BulkResult, None]:
        """Yield one result for each e-mail, in order. Raises `ValueError` for what holds no e-mails."""
        return self._results(Source(emails))

    def _results(self, source: Source) -> Generator[BulkResult, None]:
        packer, progress = Packer(self._key_prefix), BulkProgress()
        flight = Flight(self._deliver, self._concurrency, self._clock)
        begun: deque[tuple[Parcel, Started[Parcel, None]]] = deque()
        try:
            while True:
                while self._has_room(begun) and (parcel := self._next(source, packer)):
                    begun.append((parcel, flight.begin(parcel)))
                if not begun:
                    break
                parcel, started = begun.popleft()
                flight.result(started)
                results = parcel.results()
                if self._on_progress is not None:
                    progress = _after(progress, results)
                    self._on_progress(progress)
                for result in results:
                    yield result
        finally:
            try:
                flight.close()
            finally:
                source.close()
        if source.error is not None:
            raise source.error

    def _has_room(self, begun: deque[tuple[Parcel, Started[Parcel, None]]]) -> bool:
        if len(begun) < self._concurrency:
            return True
        return len(begun) < self._concurrency * AHEAD and sum(parcel.size for parcel, _ in begun) < MOST_AHEAD

    def _next(self, source: Source, packer: Packer) -> Parcel | None:
        if not source.ended:
            source.fill(packer)
        return packer.take()

    def _deliver(self, parcel: Parcel, clock: Clock) -> None:
        """Send what is in a parcel, and again what failed transiently, until it is known or the time is over."""
        pieces, failed_rounds, ends_at = parcel.unsent, 0, clock.monotonic() + self._retry_for
        while pieces:
            self._call(pieces, clock)
            seconds_left = ends_at - clock.monotonic()
            pieces = [piece for piece in pieces if piece.may_be_repeated(seconds_left)]
            if pieces:
                failed_rounds += 1
                wait = _wait(pieces, failed_rounds)
                if wait >= seconds_left:
                    break
                clock.sleep(wait)
        parcel.let_go()

    def _call(self, pieces: list[Piece], clock: Clock) -> None:
        """Send in one call, and in smaller ones what is refused and may be so for one of them.

        Which of them it is, the answer does not tell. It is looked for by halves; behind it, twice as many are tried
        each time. One in a hundred is found with some 14 calls, and when all are refused it is hardly one for each.
        """
        start, size, suspected_to = 0, len(pieces), 0
        while start < len(pieces):
            if start or suspected_to:
                clock.sleep(0)  # Nothing else begins when nobody wants the result any more.
            part = pieces[start : start + size]
            error = self._attempt(part, clock)
            if error is not None and error.status_code in SEPARABLE and len(part) > 1 and self._hopeless is None:
                # Their keys keep those that have been accepted all the same from being doubled.
                for piece in part:
                    piece.in_doubt = piece.in_doubt or error.may_have_taken_effect
                size, suspected_to = len(part) // 2, start + len(part)
                continue
            if error is not None:
                for piece in part:
                    piece.failed(error)
            start += len(part)
            if error is None:
                size = max(1, (suspected_to - start) // 2) if start < suspected_to else len(part) * 2
            else:
                suspected_to = start

    def _attempt(self, pieces: list[Piece], clock: Clock) -> PostStackError | None:
        """Make one call. Return why it failed; else it is known of each what became of it."""
        if self._hopeless is not None:
            return _not_tried(self._hopeless)
        request = _request(pieces)
        try:
            answer = self._session.call(request, self._timeout, clock)
            # An element that is refused says nothing of the attempts before this one.
            unpack(pieces, answer, in_doubt=request.in_doubt)
        except PostStackError as failure:
            error = without_frames(failure)
        else:
            self._forbidden = []
            return None
        if error.status_code == 401 or error.quota_exceeded or (len(pieces) == 1 and self._is_forbidden_as_all(error)):
            self._hopeless = error
        return error

    def _is_forbidden_as_all(self, error: PostStackError) -> bool:
        if error.status_code != 403:
            return False
        alike = [other for other in self._forbidden if (other.code, other.error) == (error.code, error.error)]
        self._forbidden = [*alike, error]
        return len(self._forbidden) >= FORBIDDEN_ALIKE


def _request(pieces: list[Piece]) -> Request[BatchAnswer]:
    # The header gets a key of this call alone: it must pass neither for an e-mail of its own nor for a repetition.
    return Request("POST", "/emails/batch", BatchAnswer, body=Encoded(body_of(pieces)))


def _wait(pieces: list[Piece], failed_rounds: int) -> float:
    asked = [piece.error.retry_after or 0.0 for piece in pieces if isinstance(piece.error, PostStackError)]
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failed_rounds - 1, 16))
    # Half of it is left to chance: calls that failed together do not come back together.
    return max(*asked, backoff * (0.5 + random.random() / 2))  # noqa: S311  # nothing secret depends on it


def _not_tried(error: PostStackError) -> PostStackError:
    return PostStackError(
        error.status_code,
        f"{UNTRIED}{error.error}",
        error.code,
        error.request_id,
        error.headers,
        error.retry_after,
        may_have_taken_effect=False,
    )


def _after(progress: BulkProgress, results: list[BulkResult]) -> BulkProgress:
    sent = sum(1 for result in results if result.error is None)
    replayed = sum(1 for result in results if result.replayed)
    return BulkProgress(progress.sent + sent, progress.failed + len(results) - sent, progress.replayed + replayed)
