"""Every method of the client that makes a request, with the types of its arguments."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import poststack.types
from poststack import PostStack, PostStackError
from tests.every_call import CALLS

__all__ = ["METHODS", "Call", "Parameter", "methods"]

METHODS = sorted({call.method for call in CALLS})


class Parameter(NamedTuple):
    """One argument; `expected` is its type, without the `None` of those that may be left out."""

    name: str
    expected: Any
    optional: bool
    keyword: bool


@dataclass(frozen=True)
class Call:
    """One call of a method, `group.method`."""

    method: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def make(self, client: Any) -> Any:
        """Make it, and return the answer or what the API refused it with."""
        group, name = self.method.split(".")
        try:
            return getattr(getattr(client, group), name)(*self.arguments, **dict(self.options))
        except PostStackError as error:
            return error


@cache
def methods() -> dict[str, tuple[Parameter, ...]]:
    """Return the arguments of each method, by `group.method`."""
    client = PostStack("sk_test_unused", "http://localhost")
    found: dict[str, tuple[Parameter, ...]] = {}
    for name in METHODS:
        group, method = name.split(".")
        signature = inspect.signature(getattr(getattr(client, group), method))
        found[name] = tuple(_parameter(each) for each in signature.parameters.values() if each.name != "timeout")
    return found


def _parameter(parameter: inspect.Parameter) -> Parameter:
    # The types are imported by the client for checkers only.
    names = {name: getattr(poststack.types, name) for name in poststack.types.__all__}
    names.update(vars(typing), Mapping=collections.abc.Mapping, Sequence=collections.abc.Sequence)
    expected = eval(str(parameter.annotation), names)
    optional = parameter.default is not parameter.empty
    if optional and (kept := [choice for choice in typing.get_args(expected) if choice is not type(None)]):
        expected = expected if typing.get_origin(expected) is typing.Literal else kept[0]
    return Parameter(parameter.name, expected, optional, parameter.kind is parameter.KEYWORD_ONLY)
