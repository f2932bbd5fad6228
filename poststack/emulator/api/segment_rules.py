"""Reading the rules of a segment out of a request; what they mean is `poststack.emulator.audience.rules`' business."""

from __future__ import annotations

from typing import Any, Literal, cast

from poststack.emulator.api.answers import invalid, unprocessable
from poststack.emulator.audience.rules import COMPARATORS
from poststack.types.segments import SegmentComparator, SegmentCondition, SegmentRules

__all__ = ["rules_from"]

_MAX_CONDITIONS = 50
_MAX_FIELD = 200
_MAX_VALUE = 500
_MAX_WINDOW = 365


def rules_from(content: object) -> SegmentRules:
    """Return rules whose shape and limits are those of the API, without what it does not know.

    Raises a 400 for a missing field or a wrong type, a 422 for a wrong value; both say where.
    """
    rules = _object(content, "rules")
    combined = rules.get("operator")
    if not isinstance(combined, str):
        raise invalid("`rules.operator` is required.")
    if combined not in {"and", "or"}:
        raise unprocessable("`rules.operator` must be and or or.")
    conditions = rules.get("conditions")
    if not isinstance(conditions, list):
        raise invalid("`rules.conditions` must be an array.")
    listed = cast("list[object]", conditions)
    if not 1 <= len(listed) <= _MAX_CONDITIONS:
        raise unprocessable(f"`rules.conditions` must hold 1 to {_MAX_CONDITIONS} conditions.")
    return {
        "operator": cast("Literal['and', 'or']", combined),
        "conditions": [_condition(entry, f"rules.conditions[{index}]") for index, entry in enumerate(listed)],
    }


def _condition(content: object, place: str) -> SegmentCondition:
    entry = _object(content, place)
    field, comparator = (_text(entry, name, place) for name in ("field", "comparator"))
    if not field or not comparator:
        raise invalid(f"`{place}` needs a field and a comparator.")
    if len(field) > _MAX_FIELD:
        raise unprocessable(f"`{place}.field` has at most {_MAX_FIELD} characters.")
    if comparator not in COMPARATORS:
        raise unprocessable(f"`{place}.comparator` must be one of: {', '.join(COMPARATORS)}.")
    read: SegmentCondition = {"field": field, "comparator": cast("SegmentComparator", comparator)}
    if (value := _text(entry, "value", place)) is not None:
        if len(value) > _MAX_VALUE:
            raise unprocessable(f"`{place}.value` has at most {_MAX_VALUE} characters.")
        read["value"] = value
    if (window := entry.get("windowDays")) is not None:
        if not isinstance(window, int) or isinstance(window, bool):
            raise invalid(f"`{place}.windowDays` must be a whole number.")
        if not 1 <= window <= _MAX_WINDOW:
            raise unprocessable(f"`{place}.windowDays` must be from 1 to {_MAX_WINDOW}.")
        read["windowDays"] = window
    return read


def _object(content: object, place: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise invalid(f"`{place}` must be an object.")
    return cast("dict[str, Any]", content)


def _text(entry: dict[str, Any], name: str, place: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"`{place}.{name}` must be a string.")
    return value
