"""Recipients that a call is made without: kept back on a staging system, or suppressed. Pure: no database.

Nobody vanishes: whoever is taken out of the call is returned, to be stored beside those who stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, cast

from poststack_django.choices import RecipientKind
from poststack_django.outgoing import LeftOut
from poststack_django.privacy import bare_address
from poststack_django.status import Status

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["REDIRECTED_FROM", "guard", "is_allowed", "leave_out"]

REDIRECTED_FROM: Final = "X-PostStack-Redirected-From"
"""The header of a redirected e-mail that names those who would have got it."""
# RFC 5322 §2.1.1 allows lines of 998 characters.
_LONGEST_HEADER: Final = 900


def guard(payload: SendEmail, allowed: Sequence[str] | None, redirect_to: str | None) -> list[LeftOut]:
    """Take everybody out of the call who is not allowed; send their copy to `redirect_to` instead, if there is one.

    Without a list of allowed recipients and with a redirection, nobody is allowed. Changes the payload and returns
    those taken out; when nobody is left, `to` is empty and nothing may be sent.
    """
    if allowed is None and redirect_to is None:
        return []
    patterns = [pattern.strip().lower() for pattern in allowed or ()]
    kept_back = leave_out(payload, lambda address: not is_allowed(address, patterns), Status.WITHHELD)
    if kept_back and redirect_to is not None:
        payload["to"] = [*payload["to"], *([] if redirect_to in payload["to"] else [redirect_to])]
        named = ", ".join(bare_address(one.address) for one in kept_back)
        if len(named) > _LONGEST_HEADER:
            named = named[:_LONGEST_HEADER].rpartition(",")[0] + ", …"
        payload["headers"] = {**payload.get("headers", {}), REDIRECTED_FROM: named}
    return kept_back


def is_allowed(address: str, patterns: Sequence[str]) -> bool:
    """Return whether an address is one of the patterns: an address, `@example.com`, or `*@*.example.com`."""
    bare = bare_address(address)
    return any(fnmatchcase(bare, f"*{pattern}" if pattern.startswith("@") else pattern) for pattern in patterns)


def leave_out(payload: SendEmail, is_out: Callable[[str], bool], status: Status) -> list[LeftOut]:
    """Take recipients out of the call; return them. When only hidden or copied ones stay, one of them moves to `to`.

    The API needs a visible recipient.
    """
    lists = cast("dict[str, list[str]]", payload)
    taken: list[LeftOut] = []
    for kind in RecipientKind:
        addresses = lists.get(kind.value, [])
        out = [address for address in addresses if is_out(address)]
        if not out:
            continue
        taken += [LeftOut(kind, address, status) for address in out]
        lists[kind.value] = [address for address in addresses if address not in out]
    if not lists["to"]:
        other = next((name for name in ("cc", "bcc") if lists.get(name)), None)
        if other is not None:
            lists["to"], lists[other] = lists[other][:1], lists[other][1:]
    for name in ("cc", "bcc"):
        if name in lists and not lists[name]:
            del lists[name]
    return taken
