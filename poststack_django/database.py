"""Whether to store, and where the ORM may be used: also from code that runs inside an event loop."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from django.apps import apps
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DataError, IntegrityError, connections

from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["has_tables", "is_recording", "logged_not_raised", "refuse_in_event_loop", "with_orm"]

Result = TypeVar("Result")

logger = logging.getLogger("poststack.django")


def has_tables() -> bool:
    """Return whether the app is installed, whatever is stored in its tables."""
    return apps.ready and apps.is_installed("poststack_django")


def is_recording() -> bool:
    """Return whether the app is installed and the settings want its tables filled."""
    return has_tables() and get_settings().record


def refuse_in_event_loop() -> None:
    """Raise `SynchronousOnlyOperation` when an event loop runs in this thread: a call to the API would hold it up.

    As for Django's own queries, the environment variable `DJANGO_ALLOW_ASYNC_UNSAFE` allows it: a notebook is a loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    if not os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE"):
        raise SynchronousOnlyOperation(
            "Sending an e-mail would hold up the event loop until PostStack has answered. Nothing was sent. Use `await "
            "asend_mail(…)` or `await asend(message)` of poststack_django.aio; or let this mailer hold up the loop: "
            "POSTSTACK = {'BLOCK_EVENT_LOOP': True}, or the option 'block_event_loop'."
        )


def with_orm(function: Callable[[], Result]) -> Result:
    """Call a function that uses the ORM, in a thread of its own when an event loop runs in this one.

    Django refuses queries inside a running loop. Such code is in no transaction either, so that the other thread has
    another connection changes nothing.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function()
    with ThreadPoolExecutor(1, thread_name_prefix="poststack-orm") as executor:
        return executor.submit(_and_disconnect, function).result()


def logged_not_raised(doing: str, function: Callable[[], Result]) -> Result | None:
    """Call a function that uses the database; log what it raises: whatever that is, the e-mail comes first.

    But raise it if the caller's transaction has ended with it, as InnoDB ends that of a deadlock's victim: nobody would
    say otherwise that what the caller has stored is gone.
    """
    ended_before = _ended_transactions()
    try:
        return with_orm(function)
    except Exception as error:  # a database, a router, a receiver of a model's signals
        if _ended_transactions() - ended_before:
            raise
        # Those two quote the row, addresses included.
        details = None if isinstance(error, (DataError, IntegrityError)) else error
        logger.warning("%s failed with %s.", doing.capitalize(), type(error).__name__, exc_info=details)
        return None


def _ended_transactions() -> set[str]:
    """Return the databases in whose transaction nothing can be stored any more."""
    return {
        connection.alias
        for connection in connections.all(initialized_only=True)
        if connection.in_atomic_block and connection.needs_rollback
    }


def _and_disconnect(function: Callable[[], Result]) -> Result:
    try:
        return function()
    finally:
        connections.close_all()
