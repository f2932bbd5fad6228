"""Finds fields, query parameters and event types of a request that nobody reads, most of them misspelt."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, cast, get_args, get_origin

from poststack.emulator.api.answers import unprocessable

__all__ = ["InputCheck", "Shape", "Takes", "UnknownInput", "shape_of"]

_logger = logging.getLogger("poststack.emulator")
_MAX_WARNINGS = 1_000
_MAX_NEW_PER_REQUEST = 20
_MAX_SHOWN_NAME = 60


@dataclass(frozen=True)
class Shape:
    """The fields of an object; those with a shape hold such an object, or a list of them."""

    fields: Mapping[str, Shape | None]

    def plus(self, *names: str) -> Shape:
        """Return it with more fields, which are not looked into."""
        return Shape({**self.fields, **dict.fromkeys(names)})


@dataclass(frozen=True)
class Takes:
    """What a route reads: the fields of its body, any when `None`, and query parameters."""

    body: Shape | None = field(default_factory=lambda: Shape({}))
    query: Collection[str] = ()


@dataclass(frozen=True)
class UnknownInput:
    """A name that a request has and its route does not know. `path` leads to it: `attachments[].`, or nothing."""

    kind: str
    name: str
    known: Collection[str]
    path: str = ""

    def text(self, route: str, *, ignored: bool) -> str:
        """Return what to tell whoever sent it: never a value, and of a long name the beginning."""
        outcome = " and ignored it" if ignored else ""
        return f"{route} does not know the {self.kind} `{self.path}{_shown(self.name)}`{outcome}. {self._advice()}"

    def _advice(self) -> str:
        by_spelling = {_plain(known): known for known in self.known}
        close = difflib.get_close_matches(_plain(self.name[:_MAX_SHOWN_NAME]), by_spelling, n=1)
        if close:
            return f"Did you mean `{self.path}{by_spelling[close[0]]}`?"
        return f"It knows {', '.join(sorted(self.known))}." if self.known else "It takes none."


@cache
def shape_of(typed_dict: type) -> Shape:
    """Return the shape that a TypedDict describes, those within it included."""
    return Shape({name: _shape_within(hint) for name, hint in typed_dict.__annotations__.items()})


def _shape_within(hint: object) -> Shape | None:
    if isinstance(hint, type) and hasattr(hint, "__required_keys__"):
        return shape_of(hint)
    if get_origin(hint) is dict:
        # Its keys are the caller's own: headers, variables, properties.
        return None
    return next((shape for part in get_args(hint) if (shape := _shape_within(part)) is not None), None)


class InputCheck:
    """Warns once of each unknown name of a route, or refuses it.

    The warnings are kept until `clear`, and written to the log `poststack.emulator`.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str, str]] = set()
        self.warnings: list[str] = []

    def clear(self) -> None:
        """Forget all warnings, so that they are given again."""
        self._seen.clear()
        self.warnings.clear()

    def query(self, route: str, takes: Takes, query: Mapping[str, str], *, strict: bool) -> None:
        """Check the names of query parameters. Raises a 422 for an unknown one when `strict`."""
        unknown = (UnknownInput("query parameter", name, takes.query) for name in query if name not in takes.query)
        self.report(route, unknown, strict=strict)

    def body(self, route: str, takes: Takes, content: Mapping[str, Any], *, strict: bool) -> None:
        """Check the fields of a JSON body. Raises a 422 for an unknown one when `strict`."""
        if takes.body is not None:
            self.report(route, _unknown_fields(content, takes.body), strict=strict)

    def report(self, route: str, unknown: Iterable[UnknownInput], *, strict: bool) -> None:
        """Warn of what was not warned of before. Raises a 422 for the first one when `strict`."""
        if strict:
            for entry in unknown:
                raise unprocessable(entry.text(route, ignored=False))
            return
        for entry in islice(self._new(route, unknown), _MAX_NEW_PER_REQUEST):
            text = entry.text(route, ignored=True)
            self.warnings.append(text)
            _logger.warning("%s", text)

    def _new(self, route: str, unknown: Iterable[UnknownInput]) -> Iterator[UnknownInput]:
        for entry in unknown:
            key = (route, entry.kind, entry.path, entry.name[:_MAX_SHOWN_NAME])
            if key not in self._seen and len(self._seen) < _MAX_WARNINGS:
                self._seen.add(key)
                yield entry


def _unknown_fields(content: Mapping[str, Any], shape: Shape, path: str = "") -> Iterator[UnknownInput]:
    for name, value in content.items():
        if name not in shape.fields:
            yield UnknownInput("field", name, shape.fields, path)
            continue
        within = shape.fields[name]
        if within is None:
            continue
        if isinstance(value, dict):
            yield from _unknown_fields(cast("dict[str, Any]", value), within, f"{path}{name}.")
        elif isinstance(value, list):
            for item in cast("list[object]", value):
                if isinstance(item, dict):
                    yield from _unknown_fields(cast("dict[str, Any]", item), within, f"{path}{name}[].")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _shown(name: str) -> str:
    cut = name if len(name) <= _MAX_SHOWN_NAME else name[:_MAX_SHOWN_NAME] + "…"
    return cut if cut.isprintable() else ascii(cut)[1:-1]
