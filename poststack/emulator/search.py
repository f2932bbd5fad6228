"""Which e-mails a list shows. Looks at addresses, subject, tags and events; never at bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from poststack.emulator.address_syntax import domain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.emulator.model import Email

__all__ = ["EVERYTHING", "EmailSearch", "Page", "provider_of", "recipient_provider"]

T = TypeVar("T")

# Rule of thumb by domain: the API names a provider per recipient and does not say how it finds out.
_PROVIDERS = {
    "gmail.com": "gmail",
    "googlemail.com": "gmail",
    "outlook.com": "outlook",
    "hotmail.com": "outlook",
    "live.com": "outlook",
    "msn.com": "outlook",
    "yahoo.com": "yahoo",
    "ymail.com": "yahoo",
    "icloud.com": "icloud",
    "me.com": "icloud",
    "mac.com": "icloud",
    "aol.com": "aol",
    "proton.me": "proton",
    "protonmail.com": "proton",
}


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and how long the whole list is. Pages count from 1."""

    items: Sequence[T]
    page: int
    per_page: int
    total: int

    @property
    def total_pages(self) -> int:
        """How many pages there are; 0 for an empty list."""
        return -(-self.total // self.per_page)


@dataclass(frozen=True)
class EmailSearch:
    """Conditions that must all hold; what is left out holds always.

    `text` is split into words, each of which must occur in the sender, a recipient, the subject or a tag; the
    address and subject conditions are substrings; all ignore case. `since` and `until` include their bounds. `domain`
    is the sender's, in lower case and ASCII.
    """

    text: str = ""
    id: str | None = None
    status: str | None = None
    domain: str | None = None
    to: str | None = None
    from_: str | None = None
    subject: str | None = None
    tag: str | None = None
    since: float | None = None
    until: float | None = None
    provider: str | None = None
    country: str | None = None
    device: str | None = None
    unread: bool | None = None

    def matches(self, email: Email) -> bool:
        """Return whether this e-mail belongs in the list."""
        return self._matches_record(email) and self._matches_message(email) and self._matches_events(email)

    def _matches_record(self, email: Email) -> bool:
        return (
            (self.status is None or email.status == self.status)
            and (self.unread is None or email.unread == self.unread)
            and (self.since is None or email.created_at >= self.since)
            and (self.until is None or email.created_at <= self.until)
        )

    def _matches_message(self, email: Email) -> bool:
        message = email.message
        return (
            (self.id is None or email.id == self.id)
            and (self.domain is None or domain_name(message.from_.domain) == self.domain)
            and (not self.text or email.id == self.text or _has_words(message.searchable, self.text))
            and (self.tag is None or self.tag in message.tags)
            and (self.subject is None or self.subject.casefold() in message.subject.casefold())
            and (self.from_ is None or self.from_.casefold() in str(message.from_).casefold())
            and (self.to is None or any(self.to.casefold() in str(to).casefold() for to in message.to))
            and (self.provider is None or recipient_provider(email) == self.provider)
        )

    def _matches_events(self, email: Email) -> bool:
        return (self.country is None or any(event.country == self.country for event in email.events)) and (
            self.device is None or any(event.device == self.device for event in email.events)
        )


EVERYTHING = EmailSearch()


def recipient_provider(email: Email) -> str | None:
    """Return the mailbox provider of the first recipient, such as `gmail`, when its domain gives it away."""
    recipients = email.message.recipients
    return provider_of(recipients[0].domain) if recipients else None


def provider_of(domain: str) -> str | None:
    """Return the mailbox provider of a domain in lower case, when the name gives it away."""
    return _PROVIDERS.get(domain)


def _has_words(searchable: str, text: str) -> bool:
    return all(word in searchable for word in text.casefold().split())
