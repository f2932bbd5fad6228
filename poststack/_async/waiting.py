"""Asking for an e-mail until it has a status that is wanted, cannot get one any more, or the time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from poststack._request import Request, segment
from poststack._waiting import check_still_possible, checked_deadline, checked_statuses, intervals, late, reserve
from poststack.errors import HeldBackError, PostStackResponseError, PostStackTimeoutError
from poststack.types.emails import EmailAnswer

if TYPE_CHECKING:
    from poststack._async.session import AsyncSession
    from poststack.types.emails import Email

__all__ = ["wait_until"]

MOMENT: Final = 0.01
"""Seconds by which what ends at a deadline may end before it: sockets and clocks are not exact."""


async def wait_until(
    session: AsyncSession, email_id: str, statuses: object, deadline: float, timeout: float | None
) -> Email:
    """Return the e-mail as soon as it has one of the statuses. Raises as `emails.wait_until` says."""
    wanted, deadline, clock = checked_statuses(statuses), checked_deadline(deadline), session.clock
    path = f"/emails/{segment(email_id)}"
    ends_at = clock.monotonic() + deadline
    waits = intervals()
    status: str | None = None
    while True:
        try:
            answer = await session.call(Request("GET", path, EmailAnswer), timeout, ends_at=ends_at)
        except (PostStackTimeoutError, HeldBackError) as error:
            if clock.monotonic() + (error.retry_after or 0.0) < ends_at - MOMENT:
                raise  # Not for want of time.
            raise late(email_id, status, wanted, deadline) from error
        email, status = answer["email"], _status(answer)
        if status in wanted:
            return email
        check_still_possible(email_id, status, wanted)
        wait = min(next(waits), ends_at - reserve(deadline) - clock.monotonic())
        if wait <= 0:
            raise late(email_id, status, wanted, deadline)
        await clock.asleep(wait)


def _status(answer: EmailAnswer) -> str:
    email = cast("object", answer["email"])
    status = cast("dict[str, object]", email).get("status") if isinstance(email, dict) else None
    if not isinstance(status, str):
        raise PostStackResponseError(200, "The API answered with an e-mail that has no status. Ask it again later.")
    return status
