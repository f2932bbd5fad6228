"""One call of the API as a value. Group modules build it, the session performs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack._saving import FileSink

__all__ = ["NO_BODY", "Encoded", "Listing", "Request", "segment"]

Answer = TypeVar("Answer")
Item = TypeVar("Item")

NO_BODY: Final = object()
"""Marks a request without a body; `None` would be the JSON value null."""


class Encoded:
    """A body that is JSON already."""

    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body: bytes = body


class Request(Generic[Answer]):
    """What to call, and the type that the API promises in return.

    `returns` decides how the answer is decoded: a TypedDict for a JSON object with at least its required keys,
    `str` for text, `bytes` for the raw body. `repeatable` is false for what must not be done twice where the API
    honours no idempotency key: it has an e-mail go out, or its answer shows a secret that is never shown again. A body
    that is promised as `bytes` may go into a `sink` instead.
    """

    __slots__ = ("attempts", "body", "in_doubt", "method", "path", "query", "repeatable", "returns", "sink")

    # Not a dataclass: one is made for every e-mail, and a frozen dataclass takes three times as long to build.
    def __init__(
        self,
        method: str,
        path: str,
        returns: type[Answer],
        *,
        body: object = NO_BODY,
        query: Mapping[str, object] | None = None,
        repeatable: bool = True,
        sink: FileSink | None = None,
    ) -> None:
        self.method: str = method
        self.path: str = path
        self.returns: type[Answer] = returns
        self.body: object = body
        self.query: Mapping[str, object] | None = query
        self.repeatable: bool = repeatable
        self.sink: FileSink | None = sink
        # What the session says once there is an answer.
        self.in_doubt: bool = False
        """Whether an attempt before the one that was answered may have taken effect."""
        self.attempts: int = 0
        """How many attempts were made, that one included."""

    @property
    def group(self) -> str:
        """The first part of the path: safe to log, whereas the rest can hold an address."""
        return self.path.split("/", 2)[1]


class Listing(Request["dict[str, object]"], Generic[Item]):
    """A list that comes in pages: what to call for each, and under which keys an answer has items and place.

    The place is the object with `totalPages`. `of` is what the items are, for type checkers alone.
    """

    __slots__ = ("items", "meta")

    def __init__(
        self,
        path: str,
        of: type[Item],
        *,
        query: Mapping[str, object] | None = None,
        items: str = "data",
        meta: str = "meta",
    ) -> None:
        super().__init__("GET", path, dict[str, object], query=query)
        self.items: str = items
        self.meta: str = meta


def segment(value: str | int) -> str:
    """Return an id as exactly one path segment, with nothing exempt from percent-encoding.

    Raises `ValueError` for what is no id, and for `.` and `..`, which would name another address.
    """
    given = cast("object", value)  # Not everybody runs a type checker.
    text = quote(str(given), safe="") if isinstance(given, (str, int)) else ""
    if text in {"", ".", ".."}:
        # Some methods take an address here, which is not for error reports.
        what = repr(given) if isinstance(given, str) else f"A value of type {type(given).__name__}"
        raise ValueError(f"{what} is not an id. Pass the id that the API returned, such as 'em_…' or 17.")
    return text
