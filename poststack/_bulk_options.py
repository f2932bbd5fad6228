"""The options of `send_many`, judged when it is called: the first e-mail is sent later, and perhaps elsewhere."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Final

from poststack._checks import LONGEST_KEY_PREFIX, may_be_key_prefix

__all__ = ["check_options"]

MOST_IN_FLIGHT: Final = 100


# Any object, because not everybody runs a type checker.
def check_options(concurrency: object, key_prefix: object, on_progress: object, retry_for: object) -> None:
    """Raise `ValueError`, which names the option, for what cannot work."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MOST_IN_FLIGHT:
        raise ValueError(f"concurrency must be 1 to {MOST_IN_FLIGHT} calls at a time.")
    if not isinstance(retry_for, (int, float)) or isinstance(retry_for, bool) or not 0 <= retry_for < float("inf"):
        raise ValueError("retry_for must be a number of seconds, 0 or more.")
    if key_prefix is not None and not (isinstance(key_prefix, str) and may_be_key_prefix(key_prefix)):
        raise ValueError(
            f"key_prefix must be text of 1 to {LONGEST_KEY_PREFIX} characters of printable ASCII that is not blank. "
            "Leave it out to have one made up."
        )
    if on_progress is None:
        return
    if not callable(on_progress):
        raise ValueError(f"on_progress must be a function that takes a BulkProgress; not {type(on_progress).__name__}.")
    if iscoroutinefunction(on_progress) or iscoroutinefunction(getattr(on_progress, "__call__", None)):  # noqa: B004
        raise ValueError("on_progress must be a plain function: nothing awaits what an `async def` returns.")
