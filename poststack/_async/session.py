"""The only class that performs calls: attempts, waits, deadline, and the one idempotency key of all attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from poststack import _wire
from poststack._async.turns import AsyncTurns
from poststack._clock import SystemClock
from poststack._config import checked_timeout
from poststack._throttle import Throttle
from poststack.errors import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from poststack.transports.base import Clock, HttpRequest, HttpResponse, TransportError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from poststack._config import Config
    from poststack._request import Listing, Request
    from poststack._saving import FileSink
    from poststack.throttling import AsyncRateLimiter
    from poststack.transports.base import AsyncTransport

__all__ = ["AsyncSession"]

Answer = TypeVar("Answer")
Item = TypeVar("Item")


class AsyncSession:
    """Performs requests for all groups of one client."""

    def __init__(self, config: Config, transport: AsyncTransport, limiter: AsyncRateLimiter | None = None) -> None:
        self._config = config
        self._transport = transport
        self._limiter = limiter
        self._headers = _wire.request_headers(config.api_key)
        clock = getattr(transport, "clock", None)
        self.clock: Clock = clock if isinstance(clock, Clock) else SystemClock()
        """The time that this client lives by."""
        self._turns = AsyncTurns(Throttle(config.rate_limit), limiter)
        self._turns_clock = _current(self.clock)

    async def call(
        self,
        request: Request[Answer],
        timeout: float | None = None,
        clock: Clock | None = None,
        ends_at: float | None = None,
    ) -> Answer:
        """Return the answer as promised. Raises `ValueError` before anything is sent, `PostStackError` after.

        `clock` replaces the session's own, for one whose waits end otherwise. `ends_at`, on that clock, ends the call
        before the client's deadline does.
        """
        return _wire.decode(request, await self.response(request, timeout, clock, ends_at))

    async def response(
        self,
        request: Request[Any],
        timeout: float | None = None,
        clock: Clock | None = None,
        ends_at: float | None = None,
    ) -> HttpResponse:
        """Return the answer of status 2xx as it came. Takes and raises what `call` does."""
        config, turns, clock = self._config, self._turns_at_work(), clock or self.clock
        body = _wire.encode_body(request)
        url = config.base_url + _wire.target(request)
        headers = self._headers_of(request)
        if config.deadline is not None:
            deadline = clock.monotonic() + config.deadline
            ends_at = deadline if ends_at is None else min(ends_at, deadline)
        timeout = config.timeout if timeout is None else checked_timeout(timeout)
        failed_attempts, in_doubt = 0, False
        while True:
            failure: PostStackError
            cause: TransportError | None = None
            try:
                turn = await turns.wait(clock, ends_at)
            except PostStackError as error:
                error.may_have_taken_effect = in_doubt
                raise
            try:
                response = await self._transport.asend(
                    HttpRequest(request.method, url, headers, body, timeout, ends_at, request.sink)
                )
            except TransportError as error:
                if request.sink is not None:
                    _begin_anew(request, request.sink)
                failure, cause = _no_answer(request, error, config.base_url, in_doubt), error
            else:
                if 200 <= response.status < 300:
                    await turns.heard(turn, response, None, clock)
                    request.in_doubt, request.attempts = in_doubt, failed_attempts + 1
                    return response
                failure = _wire.error_from(response, clock.time())
                await turns.heard(turn, response, failure, clock)
            # A refusal says nothing of the attempts before it, and one of them may have been accepted.
            in_doubt = failure.may_have_taken_effect = failure.may_have_taken_effect or in_doubt
            failed_attempts += 1
            delay = config.retries.delay_before_retry(failure, failed_attempts, _random, repeatable=request.repeatable)
            if delay is not None and ends_at is not None and clock.monotonic() + delay >= ends_at:
                delay = None  # The wait would outlast the deadline, so the caller hears of the failure now.
            if delay is None:
                raise failure from cause
            _log_retry(request, failed_attempts, failure, delay)
            await clock.asleep(delay)

    async def iterate(self, listing: Listing[Item], timeout: float | None = None) -> AsyncIterator[Item]:
        """Yield the items of all pages, fetching each page when its first item is wanted."""
        query = dict(listing.query or {})
        number = int(str(query.get("page") or 1))
        while True:
            listing.query = {**query, "page": number}
            page: dict[str, object] = await self.call(listing, timeout)
            items, last = _page(listing, page)
            for item in items:
                yield item
            if not items or number >= last:
                return
            number += 1

    async def aclose(self) -> None:
        """Release the transport's connections."""
        await self._transport.aclose()

    def _turns_at_work(self) -> AsyncTurns:
        if (clock := _current(self.clock)) is not self._turns_clock:
            # What was learned by one clock means nothing by another.
            self._turns = AsyncTurns(Throttle(self._config.rate_limit), self._limiter)
            self._turns_clock = clock
        return self._turns

    def _headers_of(self, request: Request[Any]) -> Mapping[str, str]:
        if request.method != "POST":
            return self._headers
        headers = _wire.Headers(self._headers)
        body = request.body
        key = cast("dict[str, object]", body).get("idempotency_key") if isinstance(body, dict) else None
        # The caller's own key is sent in both places, so it counts whichever of them the API looks at first.
        given = isinstance(key, str) and key.strip()
        headers["Idempotency-Key"] = _wire.header_key(given) if given else _new_key()
        return headers


def _current(clock: Clock) -> object:
    """Return the clock that a clock which stands for several goes by now."""
    return getattr(clock, "current", clock)


# The modules below are imported with their first use: together they take as long to load as this package does.
def _random() -> float:
    from random import random

    return random()  # noqa: S311  # spreads waits, guards nothing


def _new_key() -> str:
    from uuid import uuid4

    return str(uuid4())


def _log_retry(request: Request[Any], failed_attempts: int, failure: PostStackError, delay: float) -> None:
    from logging import getLogger

    getLogger("poststack").info(
        "%s /%s: attempt %d failed with status %d (request %s), next in %.2f s",
        request.method, request.group, failed_attempts, failure.status_code, failure.request_id, delay,
    )  # fmt: skip


def _no_answer(request: Request[Any], error: TransportError, base_url: str, in_doubt: bool) -> PostStackConnectionError:
    """Return the failure of an attempt, `in_doubt` saying whether one before it may have been taken."""
    kind = PostStackTimeoutError if isinstance(error, TransportTimeoutError) else PostStackConnectionError
    in_time = " in time" if kind is PostStackTimeoutError else ""
    in_doubt = in_doubt or error.request_sent
    if request.sink is not None and not request.repeatable:
        text = f"No complete answer from {base_url}{in_time} ({error}). {_wire.HALF}"
    elif in_doubt:
        text = f"No answer from {base_url}{in_time} ({error}). {_wire.doubt(request)}"
    else:
        text = f"No connection to {base_url}{in_time} ({error}). {_wire.UNSENT}"
    return kind(0, text, may_have_taken_effect=in_doubt)


def _begin_anew(request: Request[Any], sink: FileSink) -> None:
    """Forget what came of an answer that was cut off. Raises what the file raised, if that is why it was."""
    if sink.failure is not None:
        raise sink.failure from None
    if not sink.restart():
        request.repeatable = False


def _page(listing: Listing[Item], page: Mapping[str, object]) -> tuple[Sequence[Item], int]:
    items, place = page.get(listing.items), page.get(listing.meta)
    last = cast("dict[str, object]", place).get("totalPages") if isinstance(place, dict) else None
    if not isinstance(items, list) or not isinstance(last, int):
        raise PostStackResponseError(200, "The API answered with a page that is no page. Ask it again later.")
    return cast("Sequence[Item]", items), last
