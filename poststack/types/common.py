"""What several groups share.

These modules do without postponed annotations on purpose: with them, `__required_keys__` would list every key, and the
client checks answers by it.
"""

import sys
from typing import Generic, TypeVar

if sys.version_info >= (3, 11):
    from typing import NotRequired, TypedDict
else:
    from typing_extensions import NotRequired, TypedDict

__all__ = ["NotRequired", "Page", "PageMeta", "PageQuery", "Success", "TypedDict"]

Item = TypeVar("Item")


class PageMeta(TypedDict):
    """Where a page stands among all pages."""

    page: int
    perPage: int
    total: int
    totalPages: int


class Page(TypedDict, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    meta: PageMeta


class PageQuery(TypedDict, total=False):
    """Which page to fetch. The first page is 1; the API caps `per_page` at 100."""

    page: int
    per_page: int


class Success(TypedDict):
    """The API did what was asked."""

    success: bool
