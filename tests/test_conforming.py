"""The check of answers finds what is wrong with them."""

from typing import Any, Generic, Literal, TypeVar

import pytest
from typing_extensions import NotRequired, TypedDict

from tests.conforming import faults

Item = TypeVar("Item")


class Inner(TypedDict):
    kind: Literal["a", "b"]
    size: NotRequired[int]


class Listed(TypedDict, Generic[Item]):
    data: list[Item]


RIGHT: list[tuple[object, Any]] = [
    ({"kind": "a"}, Inner),
    ({"kind": "b", "size": 3}, Inner),
    ({"data": [{"kind": "a"}, {"kind": "b"}]}, Listed[Inner]),
    (None, str | None),
    ("x", str | None),
    (3, float),
    ({"a": [1]}, dict[str, list[int]]),
    ([{"anything": None}], list[Any]),
    (True, bool),
]
WRONG: list[tuple[object, Any, str]] = [
    ({}, Inner, "answer.kind is missing"),
    ({"kind": "a", "other": 1}, Inner, "answer.other is not declared"),
    ({"kind": "c"}, Inner, "answer.kind is 'c', not one of ('a', 'b')"),
    ({"kind": "a", "size": "3"}, Inner, "answer.size is '3', not <class 'int'>"),
    ({"data": [{"kind": "a"}, {"kind": 1}]}, Listed[Inner], "answer.data[1].kind is 1, not one of ('a', 'b')"),
    ({"data": {}}, Listed[Inner], "answer.data is {}, not a list"),
    (True, int, "answer is True, not <class 'int'>"),
    (1, bool, "answer is 1, not <class 'bool'>"),
    (1, str | None, "answer is 1, not <class 'str'>"),
    (None, Inner, "answer is None, not an object"),
    ({"a": ["x"]}, dict[str, list[int]], "answer.a[0] is 'x', not <class 'int'>"),
]


@pytest.mark.parametrize(("value", "expected"), RIGHT)
def test_what_is_right_has_no_faults(value: object, expected: Any) -> None:
    assert faults(value, expected) == []


@pytest.mark.parametrize(("value", "expected", "fault"), WRONG)
def test_what_is_wrong_is_named(value: object, expected: Any, fault: str) -> None:
    assert faults(value, expected) == [fault]
