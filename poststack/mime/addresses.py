"""Addresses as people write them, to addresses as the API takes them. Raises `ValueError`, never guesses.

An error never contains the address: its text ends up in logs and error reports.
"""

from __future__ import annotations

import re
from email.errors import NonASCIILocalPartDefect, ObsoleteHeaderDefect
from email.headerregistry import Address
from email.policy import default as modern_policy
from typing import TYPE_CHECKING, Any, Final, cast

from poststack.mime.texts import refuse_half_characters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["address_from", "address_parts_from", "addresses_from", "refuse_line_breaks", "same_addresses"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+")
_BREAKS: Final = re.compile(r"[\r\n\x00]")
# The parser takes these out of a domain, and then the e-mail would go to another one.
_ODD_SPACES: Final = re.compile(r"[^\S \t]")
_LOCAL_NAME: Final = re.compile(r"(?=.*\w)[^\s<>@,;:]+")
_LONGEST: Final = 998
"""Characters: a line of RFC 5322 §2.1.1. The parser needs minutes for some texts that are a hundred times as long."""


def address_from(value: object, field: str) -> str:
    """Return one address, with its name if it has one, its domain in ASCII (IDNA 2003, as mail libraries do).

    It is given as text, or as a tuple `(name, address)`. `field` names the place in error texts. Raises `ValueError`
    for no address, several, and line breaks.
    """
    if isinstance(value, (tuple, list)):
        return _named(cast("Sequence[object]", value), field)
    text = str(value).strip(" ")
    if _PLAIN.fullmatch(text):
        return text
    address = _parsed_address(text, field)
    return str(Address(address.display_name, address.username, _ascii_domain(address.domain, field)))


def address_parts_from(value: object, field: str) -> tuple[str, str, str]:
    """Return one address as its name, its local part and its domain, all as they are written. Raises `ValueError`."""
    if isinstance(value, (tuple, list)):
        return address_parts_from(_named(cast("Sequence[object]", value), field), field)
    text = str(value).strip(" ")
    if _PLAIN.fullmatch(text):
        local_part, _, domain = text.rpartition("@")
        return "", local_part, domain
    address = _parsed_address(text, field)
    return address.display_name, address.username, address.domain


def addresses_from(values: Iterable[object], field: str) -> list[str]:
    """Return each address of a list. Empty items are left out, as Django's `EmailMessage.recipients()` does.

    Raises `ValueError`, also for one text where a list belongs: it would be read letter by letter.
    """
    if isinstance(values, (str, bytes)):
        raise ValueError(f"`{field}` is a list of addresses, not {type(values).__name__}.")
    return [address_from(value, f"{field}[{index}]") for index, value in enumerate(values) if value]


def same_addresses(header: str, listed: Iterable[str], field: str) -> bool:
    """Return whether a header names exactly these addresses, in any order, whatever the names beside them."""
    refuse_line_breaks(header, field)
    others = list(listed)
    return _bare(header, len(others), field) == _bare(", ".join(others), len(others), field)


def refuse_line_breaks(text: str, field: str) -> None:
    """Raise `ValueError` for what could start a new header: CR, LF, NUL."""
    if _BREAKS.search(text):
        raise ValueError(f"`{field}` contains a line break or a NUL, which would let it add headers to the e-mail.")


def _parsed_address(text: str, field: str) -> Address:
    refuse_line_breaks(text, field)
    if _ODD_SPACES.search(text.rpartition("<")[2]):
        raise ValueError(f"`{field}` has a line separator or another kind of space in its address. Remove it.")
    header = _parsed(text, field)
    found: tuple[Address, ...] = header.addresses
    if len(found) > 1:
        raise ValueError(f"`{field}` holds several addresses. Give each its own item, and quote names with commas.")
    if len(found) != 1 or header.groups[0].display_name is not None or not _is_sound(found[0], header.defects):
        raise _no_address(field)
    return found[0]


def _named(pair: Sequence[object], field: str) -> str:
    if len(pair) != 2:
        raise ValueError(f"`{field}` is an address or a tuple (name, address), not {len(pair)} values.")
    name, bare = str(pair[0] or ""), address_from(str(pair[1] or ""), field)
    refuse_line_breaks(name, field)
    if bare.endswith(">"):
        raise ValueError(f"`{field}` is a tuple (name, address) whose address has a name too. Give one.")
    # Read once more, because the name may hide a line break in an encoded word.
    return address_from(f"{str(Address(name)).removesuffix('<>')}<{bare}>", field) if name else bare


def _bare(header: str, count: int, field: str) -> set[str]:
    found: tuple[Address, ...] = _parsed(header, field, count).addresses
    return {f"{address.username}@{_ascii_domain(address.domain, field).lower()}" for address in found}


def _parsed(text: str, field: str, count: int = 1) -> Any:
    """Return a header of so many addresses."""
    if len(text) > _LONGEST * max(count, 1):
        raise ValueError(f"`{field}` is longer than {_LONGEST} characters, which no e-mail address is.")
    refuse_half_characters(text, field)
    try:
        return modern_policy.header_factory("to", text)
    except ValueError:  # A name encoded so that it hides a line break.
        raise ValueError(f"`{field}` hides a line break, which would let it add headers to the e-mail.") from None
    except Exception:  # noqa: BLE001  # IndexError, AttributeError, RecursionError …: what the parser trips over
        raise _no_address(field) from None


def _no_address(field: str) -> ValueError:
    return ValueError(f"`{field}` is not an e-mail address. Write `name@example.com` or `Name <name@example.com>`.")


def _ascii_domain(domain: str, field: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"`{field}` has a domain that cannot be written in ASCII.") from None


def _is_sound(address: Address, defects: Iterable[Exception]) -> bool:
    if not address.domain:
        # Names without a domain reach local mailboxes over SMTP. The API refuses them, and says so better.
        return bool(_LOCAL_NAME.fullmatch(address.username))
    if all(isinstance(defect, (ObsoleteHeaderDefect, NonASCIILocalPartDefect)) for defect in defects):
        return True
    # Some mobile carriers gave out names with two dots in a row: against the RFC, and in use.
    return ".." in address.username and bool(_LOCAL_NAME.fullmatch(address.username))
