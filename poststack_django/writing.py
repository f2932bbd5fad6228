"""Writing to the app's tables in ways that every database allows. Imports models: import it late."""

from __future__ import annotations

from typing import TypeVar

from django.db import IntegrityError, models, router, transaction

from poststack_django.models import SentEmail

__all__ = ["database", "inserted"]

Row = TypeVar("Row", bound=models.Model)


def database() -> str:
    """Return the alias of the database that holds the app's tables."""
    return router.db_for_write(SentEmail)


def inserted(row: Row, **unique: str) -> Row | None:
    """Insert a row; return it, or `None` when there is one with these unique values already.

    Nothing is read first: SQLite refuses to make a writer of a transaction that has read while another one wrote.
    """
    using = database()
    try:
        with transaction.atomic(using=using):
            row.save(using=using, force_insert=True)
    except IntegrityError:
        if not type(row)._default_manager.using(using).filter(**unique).exists():
            raise
        return None
    return row
