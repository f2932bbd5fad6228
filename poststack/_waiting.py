"""What waiting for a status of an e-mail means: which there are, which can still come, when to ask. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast, get_args

from poststack.errors import EmailStatusError, EmailWaitTimeoutError
from poststack.types.emails import EmailStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_still_possible", "checked_deadline", "checked_statuses", "intervals", "late", "reserve"]

STATUSES: Final[tuple[str, ...]] = get_args(EmailStatus)
FOLLOWING: Final[Mapping[str, frozenset[str]]] = {
    "delivered": frozenset({"bounced", "complained"}),
    "bounced": frozenset(),
    "complained": frozenset(),
    "failed": frozenset(),
}
"""What can come after a status (poststack-api §3.5); after all others, and after those we do not know, anything."""
FIRST_INTERVAL: Final = 0.5
LONGEST_INTERVAL: Final = 8.0
LONGEST_RESERVE: Final = 0.5
LONGEST_DEADLINE: Final = 1_000_000


def checked_statuses(given: object) -> frozenset[str]:
    """Return one status, or several, as a set. Raises `ValueError` for what is none."""
    is_one = isinstance(given, str) or not isinstance(given, Iterable)
    statuses: list[object] = [given] if is_one else list(cast("Iterable[object]", given))
    unknown = [status for status in statuses if status not in STATUSES]
    if unknown or not statuses:
        # What is no text may be anything, an e-mail for example.
        found = [repr(status) if isinstance(status, str) else type(status).__name__ for status in unknown]
        problem = f"An e-mail never has the status {' or '.join(found)}" if found else "There is no status to wait for"
        raise ValueError(f"{problem}. Pass one, or several, of {', '.join(map(repr, STATUSES))}.")
    return frozenset(cast("list[str]", statuses))


def checked_deadline(given: object) -> float:
    """Return a number of seconds. Raises `ValueError` for what is none that can be waited."""
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given <= LONGEST_DEADLINE:
        return given
    raise ValueError(f"deadline must be more than 0 seconds and at most {LONGEST_DEADLINE:,}.")


def intervals() -> Iterator[float]:
    """Yield how long to wait before asking again, in seconds."""
    interval = FIRST_INTERVAL
    while True:
        yield interval
        interval = min(2 * interval, LONGEST_INTERVAL)


def reserve(deadline: float) -> float:
    """Return how long before the deadline to ask for the last time, so that an answer can come."""
    return min(LONGEST_RESERVE, deadline / 10)


def check_still_possible(email_id: str, status: str, wanted: frozenset[str]) -> None:
    """Raise `EmailStatusError` when none of the statuses can come after this one."""
    following = FOLLOWING.get(status)
    if following is None or wanted & following:
        return
    raise EmailStatusError(
        f"The e-mail {email_id} is {status!r}, and after that {_named(wanted)} does not come. Read what happened to it "
        "with emails.get_events.",
        email_id,
        status,
    )


def late(email_id: str, status: str | None, wanted: frozenset[str], deadline: float) -> EmailWaitTimeoutError:
    """Return the error for a wait that is over."""
    found = "is not known: there was no answer in time" if status is None else f"was still {status!r}"
    return EmailWaitTimeoutError(
        f"The e-mail {email_id} did not become {_named(wanted)} within {deadline:g} s; its status {found}. Wait "
        "longer, or have a webhook tell of it.",
        email_id,
        status,
    )


def _named(wanted: frozenset[str]) -> str:
    return " or ".join(repr(status) for status in STATUSES if status in wanted)
