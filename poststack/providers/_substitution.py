"""Texts that a provider would change: it fills in what looks like a placeholder, also where a user wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from poststack.providers.capabilities import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from re import Pattern

    from poststack.providers.message import Message

__all__ = ["SUBSTITUTIONS", "filled_in", "texts_of"]

SUBSTITUTIONS: Final = "substitutions"
"""The option by which an e-mail says that its placeholders are meant for the provider. Not sent."""


def texts_of(message: Message) -> Iterator[tuple[str, str]]:
    """Yield what people read of an e-mail, each with the argument of `send` that it comes from."""
    yield "subject", message.subject or ""
    yield "body", message.html or ""
    yield "text" if message.html else "body", message.text or ""


def filled_in(
    message: Message, pattern: Pattern[str], mark: str, example: str, texts: Iterable[tuple[str, str]]
) -> Iterator[Unsupported]:
    """Yield each text that holds the pattern, unless the option says that it is meant. `mark` begins every match."""
    meant: Any = message.options.get(SUBSTITUTIONS, False)
    if not isinstance(meant, bool):
        kept = {name: value for name, value in message.options.items() if name != SUBSTITUTIONS}
        yield Unsupported("options", f"knows {SUBSTITUTIONS!r} as True or False", replace(message, options=kept))
    elif not meant:
        for field, text in texts:
            if mark in text and pattern.search(text):
                reason = f"fills in what looks like {example}; if it is to do that, set the option {SUBSTITUTIONS!r}"
                yield Unsupported(field, reason)
