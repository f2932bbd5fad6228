# Written by tools/unasync.py from poststack/_async/bulk.py. Do not edit.
"""Many e-mails: taken lazily, packed into batch calls, several of those in flight, one result for each in order."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from poststack._flight import Flight, Source
from poststack._packing import Packer, body_of, unpack
from poststack._request import Encoded, Request
from poststack._wire import header_key
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

MOST_IN_FLIGHT: Final = 100
AHEAD: Final = 2
"""How many times as many calls are prepared as may be in flight: while one takes long, the others go on."""
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""Seconds between two rounds of what failed transiently: each call has had its own retries by then."""
SEPARABLE: Final = frozenset({400, 403, 413, 422})
"""A call with several e-mails that is refused so may be refused for one of them."""


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
        if not 1 <= concurrency <= MOST_IN_FLIGHT:
            raise ValueError(f"concurrency must be 1 to {MOST_IN_FLIGHT} calls at a time.")
        if not 0 <= retry_for < float("inf"):
            raise ValueError("retry_for must be a number of seconds, 0 or more.")
        if key_prefix is not None and not key_prefix.strip():
            raise ValueError("key_prefix must not be blank. Leave it out to have one made up.")
        self._session = session
        self._concurrency = concurrency
        self._key_prefix = key_prefix or f"bulk-{uuid4().hex}"
        self._on_progress = on_progress
        self._retry_for = retry_for
        self._timeout = timeout
        self._hopeless: PostStackError | None = None
        """What every further call would be answered with, too."""

    def results(self, emails: Iterable[SendEmail]) -> Generator[BulkResult, None]:
        """Yield one result for each e-mail, in order."""
        source, packer, progress = Source(emails), Packer(self._key_prefix), BulkProgress()
        flight = Flight(self._deliver, self._concurrency, self._session.clock)
        begun: deque[tuple[Parcel, Started[Parcel, None]]] = deque()
        try:
            while True:
                while len(begun) < self._concurrency * AHEAD and (parcel := self._next(source, packer)):
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
            flight.close()
        if source.error is not None:
            raise source.error

    def _next(self, source: Source, packer: Packer) -> Parcel | None:
        if not source.ended:
            source.fill(packer)
        return packer.take()

    def _deliver(self, parcel: Parcel, clock: Clock) -> None:
        """Send what is in a parcel, and again what failed transiently, until it is known or the time is over."""
        pieces, failed_rounds, ends_at = parcel.unsent, 0, clock.monotonic() + self._retry_for
        while pieces:
            self._call(pieces, clock)
            pieces = [piece for piece in pieces if piece.may_be_repeated]
            if not pieces:
                return
            failed_rounds += 1
            wait = _wait(pieces, failed_rounds)
            if clock.monotonic() + wait >= ends_at:
                return
            clock.sleep(wait)

    def _call(self, pieces: list[Piece], clock: Clock) -> None:
        if self._hopeless is not None:
            error = _not_tried(self._hopeless)
        else:
            try:
                unpack(pieces, self._session.call(_request(pieces), self._timeout, clock))
                return
            except PostStackError as failure:
                error = failure
            if error.status_code in SEPARABLE and len(pieces) > 1:
                # Which of them it is, the answer does not tell; their keys keep the others from being doubled.
                for piece in pieces:
                    piece.in_doubt = piece.in_doubt or error.may_have_taken_effect
                middle = len(pieces) // 2
                self._call(pieces[:middle], clock)
                self._call(pieces[middle:], clock)
                return
            if error.status_code == 401 or error.quota_exceeded:
                self._hopeless = error
        for piece in pieces:
            piece.failed(error)


def _request(pieces: list[Piece]) -> Request[BatchAnswer]:
    # The header is only what the API looks at last; each e-mail has a key of its own.
    key = header_key(pieces[0].key)
    return Request("POST", "/emails/batch", BatchAnswer, body=Encoded(body_of(pieces), key))


def _wait(pieces: list[Piece], failed_rounds: int) -> float:
    asked = [piece.error.retry_after or 0.0 for piece in pieces if isinstance(piece.error, PostStackError)]
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failed_rounds - 1, 16))
    # Half of it is left to chance: calls that failed together do not come back together.
    return max(*asked, backoff * (0.5 + random.random() / 2))  # noqa: S311  # nothing secret depends on it


def _not_tried(error: PostStackError) -> PostStackError:
    return PostStackError(
        error.status_code,
        f"Not sent, because the API refused those before it: {error.error}",
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
