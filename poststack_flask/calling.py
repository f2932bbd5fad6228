"""Functions of the application, called from wherever something happens that they want to hear of."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

__all__ = ["call_and_wait"]


def call_and_wait(app: Flask, function: Callable[..., Any], *arguments: object, **named: object) -> None:
    """Call a function and wait until it is done, also if it is `async def`, and also inside an async view."""
    answer: object = function(*arguments, **named)
    # Looked at only now: Flask sees no coroutine function in an object whose __call__ is one, or in a partial.
    if not isawaitable(answer):
        return

    async def finish() -> None:
        await answer

    try:
        run = app.ensure_sync(finish)
    except RuntimeError:  # It needs Flask's extra `async`, and says so.
        getattr(answer, "close", bool)()
        raise
    if _is_in_event_loop():
        # No thread runs a loop inside a loop, so another one does. The context goes with it: request, current_app.
        with ThreadPoolExecutor(1, "poststack") as thread:
            thread.submit(copy_context().run, run).result()
    else:
        run()


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
