"""Signatures: what is known of a job when one is made is checked then, where the mistake still has somebody to tell.

Celery enqueues the second task of a chain, and what is linked to a task, in the worker that has done the first one.
What is raised there fails the first task, whose e-mail has been accepted, and the second is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from poststack_tasks.errors import JobError

__all__ = ["has_payload", "refuse_result_of_task_before"]


def has_payload(payload_name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, immutable: bool) -> bool:
    """Return whether a signature has its payload already, rather than waits for the result of the task before.

    `send_email.s("welcome/1")` does wait: the result becomes the first argument, and the key the second.
    """
    return immutable or payload_name in kwargs or (bool(args) and _is_structure(args[0]))


def refuse_result_of_task_before(payload_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise `JobError` when a chain has put a result before the arguments, or in place of a payload."""
    if not args:
        return
    shifted = payload_name in kwargs or (len(args) > 1 and _is_structure(args[1]))
    if shifted or _is_answer(args[0]):
        raise JobError(
            f"The first argument, `{payload_name}`, is the result of the task before, which Celery puts there for "
            "signatures in chains, chords and links: use .si(…) instead of .s(…), which takes none."
        )


def _is_structure(value: object) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _is_answer(value: object) -> bool:
    """Return whether it is what the tasks of this package return."""
    if isinstance(value, (list, tuple)):
        elements = cast("Sequence[object]", value)
        return bool(elements) and all(_is_answer(one) for one in elements)
    if not isinstance(value, Mapping):
        return False
    fields = cast("Mapping[str, object]", value)
    return str(fields.get("id")).startswith("em_") and not {"from", "to", "type"} & set(fields)
