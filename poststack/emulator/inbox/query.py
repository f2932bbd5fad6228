"""What the search box understands: words, and `field:word` for one field. Every part must match; case is ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poststack.emulator.inbox.wording import status_label
from poststack.emulator.receiving.readable import readable_html
from poststack.emulator.search import EVERYTHING, EmailSearch

if TYPE_CHECKING:
    from poststack.emulator.model import Email, Message

__all__ = ["FIELDS", "SHOWN", "InboxSearch", "read_query"]

SHOWN = (
    "unread",
    "queued",
    "scheduled",
    "sending",
    "deferred",
    "delivered",
    "bounced",
    "complained",
    "failed",
    "cancelled",
)
"""What the filter beside the box offers; all but the first are statuses."""

_LONGEST_QUERY = 500
_TERM = re.compile(r'(?:(?P<field>[a-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<word>\S+))', re.IGNORECASE)
# Without letters of other alphabets or markup signs, a word of the text stands in the HTML as it is.
_PLAIN = re.compile(r"[a-z0-9]+", re.ASCII)


def _in_body(message: Message, word: str) -> bool:
    if message.text is not None and word in message.text.casefold():
        return True
    if message.html is None:
        return False
    if _PLAIN.fullmatch(word) and word not in message.html.casefold():
        return False
    return word in readable_html(message.html).casefold()


def _in_recipients(message: Message, word: str) -> bool:
    return any(word in str(address).casefold() for address in message.recipients)


def _is(email: Email, word: str) -> bool:
    return {"unread": email.unread, "read": not email.unread}.get(word, status_label(email) == word)


def _has(email: Email, word: str) -> bool:
    wanted = word.rstrip("s")
    found = {
        "attachment": bool(email.message.attachments),
        "html": email.message.html is not None,
        "text": email.message.text is not None,
        "tag": bool(email.message.tags),
    }
    return found.get(wanted, False)


FIELDS: Mapping[str, Callable[[Email, str], bool]] = {
    "from": lambda email, word: word in str(email.message.from_).casefold(),
    "to": lambda email, word: _in_recipients(email.message, word),
    "subject": lambda email, word: word in email.message.subject.casefold(),
    "body": lambda email, word: _in_body(email.message, word),
    "tag": lambda email, word: any(word == tag.casefold() for tag in email.message.tags),
    "id": lambda email, word: email.id.casefold() == word,
    "status": lambda email, word: status_label(email) == word,
    "broadcast": lambda email, word: email.broadcast_id is not None and email.broadcast_id.casefold() == word,
    "is": _is,
    "has": _has,
}
"""By field name, whether an e-mail matches a word that is case-folded already."""


def _anywhere(email: Email, word: str) -> bool:
    return word in email.message.searchable or email.id.casefold() == word or _in_body(email.message, word)


@dataclass(frozen=True)
class InboxSearch(EmailSearch):
    """A search with the terms of the box, as pairs of field (or nothing) and case-folded word."""

    terms: tuple[tuple[str, str], ...] = ()

    def matches(self, email: Email) -> bool:
        """Return whether every term holds for this e-mail."""
        return all(FIELDS.get(field, _anywhere)(email, word) for field, word in self.terms)


def read_query(text: str, shown: str = "", broadcast: str = "") -> EmailSearch:
    """Return the search for what stands in the box, for the chosen filter and for the e-mails of a broadcast.

    A filter nobody offers is ignored.
    """
    terms: list[tuple[str, str]] = []
    for match in _TERM.finditer(text[:_LONGEST_QUERY]):
        field = (match["field"] or "").lower()
        word = match["word"] if match["quoted"] is None else match["quoted"]
        if field and field not in FIELDS:
            field, word = "", f"{match['field']}:{word}"
        # A field that still waits for its word narrows nothing, so that typing it does not empty the list.
        if word and not (word.endswith(":") and word[:-1].lower() in FIELDS):
            terms.append((field, word.casefold()))
    if shown in SHOWN:
        terms.append(("is", shown))
    if broadcast:
        terms.append(("broadcast", broadcast.casefold()))
    return InboxSearch(terms=tuple(terms)) if terms else EVERYTHING
