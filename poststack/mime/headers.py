"""Extra headers of a message. Raises `ValueError`, never with a value in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from poststack.mime.addresses import refuse_line_breaks

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ADDRESS_HEADERS", "headers_from"]

# What PostStack writes into an e-mail by itself; a second one would contradict it (RFC 5322 §3.6, RFC 2045 §3).
_STRUCTURAL: Final = frozenset(
    {
        "bcc",
        "content-disposition",
        "content-id",
        "content-transfer-encoding",
        "content-type",
        "dkim-signature",
        "mime-version",
        "received",
        "return-path",
        "subject",
    }
)
ADDRESS_HEADERS: Final = ("From", "To", "Cc", "Reply-To")
"""Headers that say what a field of the API says, in the spelling of `headers_from`."""
_SPELLINGS: Final = {name.lower(): name for name in ADDRESS_HEADERS}
_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2: printable ASCII without the colon.


def headers_from(given: Mapping[object, object]) -> dict[str, str]:
    """Return a message's headers as texts. Raises `ValueError` for those that make up the e-mail itself."""
    headers: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in given.items():
        name = str(key)
        folded = name.strip().lower()
        # The name is not shown when it could break a log line.
        refuse_line_breaks(name, "headers")
        if folded in seen:
            raise ValueError(f"`headers` has {name!r} twice, in different capitals.")
        if folded == "bcc":
            raise ValueError("`headers` has a Bcc, which everybody would see. Use the message's `bcc`.")
        if folded in _STRUCTURAL:
            raise ValueError(f"`headers` has {name!r}, which PostStack writes itself.")
        if not _NAME.fullmatch(name):
            raise ValueError("`headers` has a name that is no header name: printable ASCII without spaces and colons.")
        if value is None or isinstance(value, (bytes, dict, list, tuple, set)):
            raise ValueError(f"`headers[{name!r}]` is text, not {_kind(cast('object', value))}.")
        seen.add(folded)
        headers[_SPELLINGS.get(folded, name)] = text = str(value)
        refuse_line_breaks(text, f"headers[{name!r}]")
    return headers


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
