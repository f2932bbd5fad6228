"""Reading what a broadcast is to be: every rule on the fields of a draft (`poststack-api` §4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from poststack.emulator.api.answers import invalid, not_found, unprocessable
from poststack.emulator.api.call import Call, Caller
from poststack.emulator.api.compose import compose
from poststack.emulator.api.fields import integer, moment, object_of, one_line, optional_text, required_text
from poststack.emulator.backend import Backend
from poststack.emulator.outreach.broadcasts import AbTest, Broadcast, Variant

__all__ = ["read_draft"]

_MAX_BODY = 1024 * 1024
_MAX_LINE = 998
_VARIANTS = (2, 5)
_WEIGHT = (1, 100)
_SAMPLE_SIZE = (5, 50)
_MINUTES = (30, 1_440)


def read_draft(backend: Backend, call: Call, draft: Broadcast | None = None) -> dict[str, Any]:
    """Return the fields of a new `Broadcast`, or with a draft those that are to change.

    Raises the refusal for what cannot be: 400, 422, 403 for a sender that the key is not for, or 404 for a segment or a
    topic that does not exist. A draft may lack bodies; sending it does not do without.
    """
    content = call.json()
    read: dict[str, Any] = {}
    if draft is None or "from" in content:
        read["sender"] = required_text(content, "from")
    if draft is None or "subject" in content:
        read["subject"] = required_text(content, "subject")
    if draft is None or "segment_id" in content:
        read["segment"] = _segment(backend, required_text(content, "segment_id"))
    if "topic_id" in content:
        read["topic"] = _topic(backend, optional_text(content, "topic_id"))
    read |= {name: _body(content, name) for name in ("html", "text") if name in content}
    if "name" in content:
        read["name"] = _name(optional_text(content, "name"))
    if "reply_to" in content:
        read["reply_to"] = optional_text(content, "reply_to")
    if "scheduled_at" in content:
        scheduled = optional_text(content, "scheduled_at")
        read["scheduled_at"] = None if scheduled is None else moment(scheduled, "scheduled_at")
    if "ab_test" in content:
        read["test"] = _test(content)
    test: AbTest | None = read.get("test")
    variants = [] if test is None else test.variants
    _check(backend, call.caller, read, draft, [variant.subject for variant in variants])
    for variant in variants:
        variant.number = backend.store.next_number("broadcast_variant")
    return read


def _check(
    backend: Backend, caller: Caller, read: Mapping[str, Any], draft: Broadcast | None, subjects: Sequence[str]
) -> None:
    """Raise what an e-mail of this broadcast would be refused with, whoever the recipient."""
    sender, subject, reply_to = (
        read[name] if name in read else getattr(draft, name, None) for name in ("sender", "subject", "reply_to")
    )
    for line in (subject, *subjects):
        payload = {"from": sender, "to": ["nobody@example.com"], "reply_to": reply_to, "subject": line, "text": ""}
        compose(backend, payload, caller)


def _segment(backend: Backend, segment_id: str) -> int:
    segment = backend.store.segments.find("id", segment_id)
    if segment is None:
        raise not_found("Segment", segment_id)
    return segment.number


def _topic(backend: Backend, topic_id: str | None) -> int | None:
    if topic_id is None:
        return None
    topic = backend.store.topics.find("id", topic_id)
    if topic is None:
        raise not_found("Topic", topic_id)
    return topic.number


def _body(content: Mapping[str, Any], name: str) -> str | None:
    value = optional_text(content, name)
    if value is not None and len(value) > _MAX_BODY:
        raise unprocessable(f"`{name}` of a broadcast has at most {_MAX_BODY} characters.")
    return value


def _name(value: str | None) -> str | None:
    if value is not None and len(one_line(value, "name")) > _MAX_LINE:
        raise unprocessable(f"`name` of a broadcast has at most {_MAX_LINE} characters.")
    return value


def _test(content: Mapping[str, Any]) -> AbTest | None:
    if content["ab_test"] is None:
        return None
    given = object_of(content, "ab_test")
    entries: object = given.get("variants")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in cast("list[object]", entries)):
        raise invalid("`ab_test.variants` must be an array of objects.")
    found = cast("list[dict[str, Any]]", entries)
    _check_range("ab_test.variants", len(found), _VARIANTS)
    variants = [_variant(entry) for entry in found]
    if sum(variant.weight for variant in variants) != 100:
        raise unprocessable("The weights of `ab_test.variants` must add up to 100.")
    sample_size, minutes = integer(given, "test_sample_size"), integer(given, "test_duration_minutes")
    test = AbTest(
        variants,
        AbTest.sample_size if sample_size is None else sample_size,
        AbTest.minutes if minutes is None else minutes,
    )
    _check_range("ab_test.test_sample_size", test.sample_size, _SAMPLE_SIZE)
    _check_range("ab_test.test_duration_minutes", test.minutes, _MINUTES)
    return test


def _variant(entry: Mapping[str, Any]) -> Variant:
    weight = integer(entry, "weight")
    if weight is None:
        raise invalid("`weight` of a variant is required.")
    _check_range("ab_test.variants.weight", weight, _WEIGHT)
    name = required_text(entry, "name")
    _name(name)
    # The number follows when nothing can be refused any more.
    return Variant(0, name, required_text(entry, "subject"), weight, _body(entry, "html"), _body(entry, "text"))


def _check_range(name: str, value: int, allowed: tuple[int, int]) -> None:
    least, most = allowed
    if not least <= value <= most:
        what = f"hold {least} to {most} entries" if name.endswith("variants") else f"be from {least} to {most}"
        raise unprocessable(f"`{name}` must {what}.")
