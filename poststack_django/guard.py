"""Recipients that a call is made without: kept back on a staging system, or suppressed. Pure: no database.

Nobody vanishes: whoever is taken out of the call is returned, to be stored beside those who stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, cast

from django.core.exceptions import ImproperlyConfigured

from poststack.mime import address_from
from poststack_django.choices import RecipientKind
from poststack_django.headers import merged_headers
from poststack_django.outgoing import LeftOut
from poststack_django.privacy import bare_address
from poststack_django.status import Status

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = ["REDIRECTED_FROM", "checked_patterns", "checked_redirect", "guard", "is_allowed", "leave_out"]

REDIRECTED_FROM: Final = "X-PostStack-Redirected-From"
"""The header of a redirected e-mail that names those who would have got it."""
# RFC 5322 §2.1.1 allows lines of 998 characters.
_LONGEST_HEADER: Final = 900


def checked_patterns(given: object) -> tuple[str, ...] | None:
    """Return a list of allowed recipients as it is compared. Raises `ImproperlyConfigured` for what is none."""
    if given is None:
        return None
    listed = [given] if isinstance(given, str) else given
    if isinstance(listed, (bytes, Mapping)) or not isinstance(listed, Iterable):
        raise ImproperlyConfigured(f"ALLOWED_RECIPIENTS is a list of texts or None, not {type(given).__name__}.")
    patterns: list[str] = []
    for pattern in cast("Iterable[object]", listed):
        if not isinstance(pattern, str):
            raise ImproperlyConfigured(f"ALLOWED_RECIPIENTS holds texts, not {type(pattern).__name__}.")
        patterns.append(bare_address(pattern))
    return tuple(patterns)


def checked_redirect(given: object) -> str | None:
    """Return the address that mail is redirected to. Raises `ImproperlyConfigured` for what is none."""
    if given is None or given == "":
        return None
    try:
        address = address_from(given, "REDIRECT_TO") if isinstance(given, str) else ""
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    if "@" not in address:
        raise ImproperlyConfigured("REDIRECT_TO is one e-mail address, such as 'test@example.com'.")
    return address


def guard(payload: SendEmail, allowed: Sequence[str] | None, redirect_to: str | None) -> list[LeftOut]:
    """Take everybody out of the call who is not allowed; send their copy to `redirect_to` instead, if there is one.

    Without a list of allowed recipients and with a redirection, only `redirect_to` is allowed. Changes the payload and
    returns those taken out; when nobody is left, `to` is empty and nothing may be sent.
    """
    if allowed is None and redirect_to is None:
        return []
    target = None if redirect_to is None else bare_address(redirect_to)
    kept_back = _taken_out(
        payload,
        lambda address: bare_address(address) != target and not is_allowed(address, allowed or ()),
        Status.WITHHELD,
    )
    if kept_back and redirect_to is not None:
        if target not in {bare_address(address) for kind in RecipientKind for address in _list(payload, kind)}:
            payload["to"] = [*payload["to"], redirect_to]
        payload["headers"] = merged_headers(payload.get("headers", {}), {REDIRECTED_FROM: _named(kept_back)})
    # Whoever is let through on a staging system may know of each other.
    _show_one(payload, among_hidden=True)
    return kept_back


def is_allowed(address: str, patterns: Sequence[str]) -> bool:
    """Return whether an address is one of the patterns: an address, `@example.com`, or `*@*.example.com`."""
    bare = bare_address(address)
    return any(fnmatchcase(bare, f"*{pattern}" if pattern.startswith("@") else pattern) for pattern in patterns)


def leave_out(payload: SendEmail, is_out: Callable[[str], bool], status: Status) -> list[LeftOut]:
    """Take recipients out of the call; return them.

    The API needs a visible recipient. When none stays, one of those copied becomes it, or the only hidden one. With
    several hidden ones `to` stays empty, and nothing may be sent: they must not learn of each other.
    """
    taken = _taken_out(payload, is_out, status)
    _show_one(payload, among_hidden=False)
    return taken


def _taken_out(payload: SendEmail, is_out: Callable[[str], bool], status: Status) -> list[LeftOut]:
    taken: list[LeftOut] = []
    for kind in RecipientKind:
        addresses = _list(payload, kind)
        out = [address for address in addresses if is_out(address)]
        if out:
            taken += [LeftOut(kind, address, status) for address in out]
            _put(payload, kind, [address for address in addresses if address not in out])
    return taken


def _show_one(payload: SendEmail, *, among_hidden: bool) -> None:
    if payload["to"]:
        return
    hidden = _list(payload, RecipientKind.BCC)
    for kind, addresses in ((RecipientKind.CC, _list(payload, RecipientKind.CC)), (RecipientKind.BCC, hidden)):
        if addresses and (kind is RecipientKind.CC or among_hidden or len(hidden) == 1):
            payload["to"] = addresses[:1]
            _put(payload, kind, addresses[1:])
            return


def _list(payload: SendEmail, kind: RecipientKind) -> list[str]:
    return cast("dict[str, list[str]]", payload).get(kind.value, [])


def _put(payload: SendEmail, kind: RecipientKind, addresses: list[str]) -> None:
    lists = cast("dict[str, list[str]]", payload)
    if addresses or kind is RecipientKind.TO:
        lists[kind.value] = addresses
    else:
        lists.pop(kind.value, None)


def _named(kept_back: Sequence[LeftOut]) -> str:
    named = ", ".join(bare_address(one.address) for one in kept_back)
    return named if len(named) <= _LONGEST_HEADER else named[:_LONGEST_HEADER].rpartition(",")[0] + ", …"
