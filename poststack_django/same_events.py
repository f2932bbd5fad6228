"""Which of the API's events are here already: webhooks and answers give one happening different ids. Pure: no database.

Both name its type and its moment, to about a second, and sometimes the recipient. Each known event stands for one
happening, so two recipients that were reached in the same second are two, also when nothing names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from poststack_django.status import Happened

__all__ = ["closest", "is_same", "not_among"]

_CLOSE: Final = timedelta(seconds=2)
# These happen once at a recipient, so that a clock that differs makes no second one of them.
_ONCE: Final = frozenset(
    {
        "email.queued",
        "email.sent",
        "email.delivered",
        "email.failed",
        "email.bounced",
        "email.complained",
        "email.unsubscribed",
    }
)


def is_same(one: Happened, other: Happened) -> bool:
    """Return whether two events may be the same happening; what one of them does not say speaks against nothing."""
    if one.type != other.type or (one.recipient and other.recipient and one.recipient != other.recipient):
        return False
    return one.at is None or other.at is None or one.type in _ONCE or abs(one.at - other.at) <= _CLOSE


def not_among(told: Sequence[Happened], known: Iterable[Happened]) -> list[int]:
    """Return which of `told`, by position, are none of the `known` ones. Each known one accounts for one at most."""
    left = list(known)
    missing: list[int] = []
    # Those that name a recipient choose first: the others go with anything.
    for at in sorted(range(len(told)), key=lambda at: not told[at].recipient):
        found = closest(told[at], left)
        if found is None:
            missing.append(at)
        else:
            del left[found]
    return sorted(missing)


def closest(one: Happened, others: Sequence[Happened]) -> int | None:
    """Return the position of the one that is the same, the most alike among several, `None` if none is."""
    same = [at for at, other in enumerate(others) if is_same(one, other)]
    return min(same, key=lambda at: _distance(one, others[at]), default=None)


def _distance(one: Happened, other: Happened) -> tuple[bool, timedelta]:
    apart = abs(one.at - other.at) if one.at is not None and other.at is not None else timedelta.max
    return one.recipient != other.recipient, apart
