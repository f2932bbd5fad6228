"""Addresses that nothing is sent to any more. Imports models: import it late, and only when the app is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack_django.models import Suppression
from poststack_django.privacy import searchable_address
from poststack_django.settling import database

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["suppressed_among"]


def suppressed_among(addresses: Iterable[str]) -> set[str]:
    """Return those of the addresses that are suppressed, as they were given: with names and capitals."""
    spellings: dict[str, set[str]] = {}
    for address in addresses:
        spellings.setdefault(searchable_address(address), set()).add(address)
    found = Suppression.objects.using(database()).filter(address__in=spellings).values_list("address", flat=True)
    return {spelling for address in found for spelling in spellings[address]}
