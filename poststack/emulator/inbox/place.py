"""Where in the list somebody is: the search, the filters and the page, carried along in addresses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request

from poststack.emulator.inbox.query import SHOWN, read_query
from poststack.emulator.model import Email
from poststack.emulator.search import EmailSearch
from poststack.emulator.store import Store

__all__ = ["Place", "whole_number"]

_LAST_PAGE = 10_000_000


@dataclass(frozen=True)
class Place:
    """One page of one search. Addresses made from it lead back to it."""

    query: str = ""
    shown: str = ""
    page: int = 1
    broadcast: str = ""

    @classmethod
    def read(cls, request: Request) -> Place:
        """Read it from an address; what makes no sense there is the first page of everything."""
        names = ("q", "show", "page", "broadcast")
        query, shown, page, broadcast = (request.query_params.get(name, "") for name in names)
        # A number that no list of pages comes near is a mistake, and not the last page.
        number = whole_number(page) if len(page) <= 8 else 1
        return cls(query, shown if shown in SHOWN else "", max(1, min(number, _LAST_PAGE)), broadcast)

    @property
    def search(self) -> EmailSearch:
        """What it looks for."""
        return read_query(self.query, self.shown, self.broadcast)

    @property
    def narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.query.strip() or self.shown or self.broadcast)

    def parameters(self) -> dict[str, str]:
        """Return it as query parameters, without what is the default."""
        page = str(self.page) if self.page > 1 else ""
        values = {"q": self.query, "show": self.shown, "broadcast": self.broadcast, "page": page}
        return {name: value for name, value in values.items() if value}

    def link(self, path: str, **more: str) -> str:
        """Return the address of a page of the inbox that keeps this place."""
        parameters = {**self.parameters(), **more}
        # "replace" because a lone surrogate has no place in an address.
        return f"{path}?{urlencode(parameters, errors='replace')}" if parameters else path

    def at(self, page: int) -> str:
        """Return the address of another page of the same search."""
        return replace(self, page=page).link("/inbox/")

    def neighbours(self, store: Store, email: Email) -> tuple[Email | None, Email | None]:
        """Return the newer and the older e-mail next to this one in the search."""
        search = self.search
        newest = store.latest()
        last = newest.number if newest else email.number
        newer = _first(store, range(email.number + 1, last + 1), search)
        older = _first(store, range(email.number - 1, 0, -1), search)
        return newer, older


def whole_number(text: str) -> int:
    """Read a number in an address; 0 for what is none, or a larger one than anything here has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _first(store: Store, numbers: range, search: EmailSearch) -> Email | None:
    for number in numbers:
        found = store.email_by_number(number)
        if found is not None and search.matches(found):
            return found
    return None
