"""Texts and bytes of a message, in the charset it names. Raises `ValueError`, never with any of the text in it."""

from __future__ import annotations

from typing import cast

__all__ = ["bytes_from", "refuse_half_characters", "text_from"]


def text_from(content: object, charset: str, field: str) -> str:
    """Return a text, decoded if it is bytes. What is neither, such as a lazy translation, is turned into text."""
    try:
        return str(cast("bytes", content), charset) if isinstance(content, (bytes, bytearray)) else str(content)
    except UnicodeDecodeError:
        raise ValueError(f"`{field}` is bytes that are not {charset}. Give text.") from None
    except LookupError:
        raise _unknown(charset) from None


def bytes_from(content: object, charset: str, field: str) -> bytes:
    """Return a text as bytes."""
    try:
        return str(content).encode(charset)
    except UnicodeEncodeError:
        raise ValueError(f"`{field}` is text that {charset} has not all characters of. Give bytes.") from None
    except LookupError:
        raise _unknown(charset) from None


def refuse_half_characters(value: object, field: str = "") -> None:
    """Raise `ValueError` where a text cannot be written as UTF-8: then no message of the call could be sent."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"`{field}` contains half of a surrogate pair. Give whole characters.") from None
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            refuse_half_characters(name, field or "a name")
            refuse_half_characters(inner, f"{field}.{name}" if field and name.isidentifier() else field or name)
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            refuse_half_characters(inner, f"{field}[{index}]")


def _unknown(charset: str) -> ValueError:
    shown = f" {charset!r}" if charset.isprintable() else ""
    return ValueError(f"The message's charset{shown} is unknown to Python. Leave it out: PostStack writes UTF-8.")
