"""Whether an answer is what its type says: every required key, no other keys, literals, nesting.

`checked(client)` is that client, whose answers are all looked at in this way before they are returned.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from typing_extensions import NotRequired, Required, is_typeddict

from poststack import AsyncPostStack, PostStack

__all__ = ["checked", "faults"]

Client = TypeVar("Client", PostStack, AsyncPostStack)


def faults(value: object, expected: Any, place: str = "answer", bound: dict[Any, Any] | None = None) -> list[str]:
    """Return what is wrong with this value, nothing when it is of the type; `bound` are type variables' values."""
    expected = (bound or {}).get(expected, expected)
    origin = get_origin(expected)
    if origin in {NotRequired, Required}:
        return faults(value, get_args(expected)[0], place, bound)
    if expected is Any or expected is object:
        return []
    if origin is Literal:
        return [] if value in get_args(expected) else [f"{place} is {value!r}, not one of {get_args(expected)}"]
    if origin in {Union, types.UnionType}:
        tried = [faults(value, choice, place, bound) for choice in get_args(expected)]
        return min(tried, key=len)
    if is_typeddict(origin or expected):
        return _faults_of_dict(value, origin or expected, place, _bound(origin, expected))
    if origin is list:
        if not isinstance(value, list):
            return [f"{place} is {value!r}, not a list"]
        (of,) = get_args(expected)
        items = cast("list[object]", value)
        return [fault for number, item in enumerate(items) for fault in faults(item, of, f"{place}[{number}]", bound)]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{place} is {value!r}, not an object"]
        entries = cast("dict[object, object]", value)
        _, of = get_args(expected)
        return [fault for key, item in entries.items() for fault in faults(item, of, f"{place}.{key}", bound)]
    if expected is None or expected is types.NoneType:
        return [] if value is None else [f"{place} is {value!r}, not null"]
    kinds = (int, float) if expected is float else (expected,)
    right = isinstance(value, kinds) and (expected is bool or not isinstance(value, bool))
    return [] if right else [f"{place} is {value!r}, not {expected}"]


def _bound(origin: Any, expected: Any) -> dict[Any, Any]:
    return {} if origin is None else dict(zip(origin.__parameters__, get_args(expected), strict=True))


@cache
def _hints(expected: Any) -> dict[str, Any]:
    return get_type_hints(expected, include_extras=True)


def _faults_of_dict(value: object, expected: Any, place: str, bound: dict[Any, Any]) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is {value!r}, not an object"]
    content = cast("dict[str, object]", value)
    hints = _hints(expected)
    found = [f"{place}.{name} is missing" for name in sorted(expected.__required_keys__ - content.keys())]
    found += [f"{place}.{name} is not declared" for name in sorted(content.keys() - hints.keys())]
    for name, item in content.items():
        if name in hints:
            found += faults(item, hints[name], f"{place}.{name}", bound)
    return found


def checked(client: Client) -> Client:
    """Return a client whose methods raise `AssertionError` for an answer that is not of the declared type."""
    return cast("Client", _Checked(client, ""))


class _Checked:
    def __init__(self, subject: object, name: str) -> None:
        self._subject = subject
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._subject, name)
        if callable(value) and getattr(value, "__self__", None) is self._subject and self._name:
            return _looked_at(cast("Callable[..., Any]", value), f"{self._name}.{name}")
        in_package = type(value).__module__.startswith("poststack._")
        return _Checked(value, name) if in_package and not self._name else value


def _looked_at(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    def look(answer: object) -> object:
        # Only the name of the answer's type: those of inputs are not there at run time.
        expected = eval(method.__annotations__["return"], vars(sys.modules[method.__module__]))
        assert not (wrong := faults(answer, expected, name)), "\n".join(wrong)
        return answer

    def call(*arguments: Any, **options: Any) -> Any:
        answer = method(*arguments, **options)
        if isinstance(answer, (Iterator, AsyncIterator)):
            return cast("object", answer)
        return awaited(answer) if hasattr(answer, "__await__") else look(answer)

    async def awaited(answer: Any) -> object:
        return look(await answer)

    return call
