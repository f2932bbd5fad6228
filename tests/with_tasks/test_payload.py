"""What may be enqueued: JSON, an e-mail, no key of the API, no more than a broker bears."""

from __future__ import annotations

import json
import math
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack_tasks import JobError
from poststack_tasks.payload import (
    LARGEST_BATCH,
    LARGEST_JOB,
    LONGEST_KEY,
    batch_of,
    check_batch_key,
    check_key,
    checked_job,
    checked_jobs,
    expiry_of,
    expiry_time,
    keyed,
)

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  # what is refused
EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


class Colour(str, Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Safe(str):
    """As templates mark texts that need no escaping."""

    __slots__ = ()


class Amount(float):
    __slots__ = ()


def loop() -> list[Any]:
    items: list[Any] = []
    items += [items, items]
    return items


def pickled(value: object) -> bytes:
    return pickle.dumps(value)


def test_an_email_is_copied_as_plain_json() -> None:
    given_mapping: Mapping[str, Any] = MappingProxyType(
        OrderedDict[str, Any](
            EMAIL,
            to="ada@example.org",
            tags=("a", Colour.RED),
            html=Safe("<b>"),
            variables={"n": Amount(1.5)},
        )
    )

    job: Any = checked_job(given_mapping)

    assert job == {**EMAIL, "tags": ["a", "red"], "html": "<b>", "variables": {"n": 1.5}}
    # Nothing is left of this module, where a worker might look for it.
    assert __name__.encode() not in pickled(job)
    assert __name__.encode() in pickled({**EMAIL, "tags": [Colour.RED]})


def test_numbers_of_an_enumeration_are_numbers() -> None:
    job: Any = checked_job({**EMAIL, "variables": {"level": Level.LOW, "on": True}})

    assert type(job["variables"]["level"]) is int
    assert job["variables"]["on"] is True


@given(JSON_VALUES)
def test_whatever_is_json_arrives_as_it_was(value: Any) -> None:
    job: Any = checked_job({**EMAIL, "variables": {"value": value}})

    assert json.loads(json.dumps(job, allow_nan=False)) == {**EMAIL, "variables": {"value": value}}


@pytest.mark.parametrize(
    "value",
    [
        b"bytes", bytearray(b"bytes"), {1, 2}, NAIVE, Path("x"), object(), 1j, math.nan, math.inf,
        -math.inf, 10**400, -(2**65), {1: "a"}, {None: 1}, {b"a": 1}, "\ud800", {"\udfff": 1}, loop(), lambda: 1,
        [[[{"deep": {"er": object}}]]],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_not_json_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(JobError, match="variables"):
        checked_job({**EMAIL, "variables": {"value": value}}, largest=100_000)


@pytest.mark.parametrize("payload", [None, 42, "text", b"bytes", [EMAIL], []], ids=repr)
def test_what_is_no_dictionary_is_no_email(payload: object) -> None:
    with pytest.raises(JobError, match="An e-mail is a dictionary"):
        checked_job(payload)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"to": []}, "no recipients"),
        ({"from": ""}, "no sender"),
        ({"to": ["a@example.org\nBcc: b@example.org"]}, "line break"),
        ({"attachments": [{"filename": "a.txt"}]}, "content"),
    ],
)
def test_what_the_client_would_refuse_is_refused_at_once(change: dict[str, Any], text: str) -> None:
    with pytest.raises(JobError, match=text) as caught:
        checked_job({**EMAIL, **change})

    assert "example.org" not in str(caught.value)


@pytest.mark.parametrize(
    "field", ["api_key", "apiKey", "API-Key", "authorization", "Authorization", "x-api-key", "POSTSTACK_API_KEY"]
)
def test_a_field_for_a_key_is_refused(field: str) -> None:
    with pytest.raises(JobError, match="looks like a key") as caught:
        checked_job({**EMAIL, field: "secret-value"})

    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["sk_live_abcdef123456", "Bearer sk_test_abcdef", " \n sk_live_abcdef123456 ", "bearer  sk_live_a-b_c-d"]
)
def test_a_text_that_is_a_key_is_refused_anywhere(value: str) -> None:
    for payload in ({**EMAIL, "headers": {"X": value}}, {**EMAIL, "tags": [value]}, {**EMAIL, "variables": {value: 1}}):
        with pytest.raises(JobError) as caught:
            checked_job(payload)
        assert "sk_" not in str(caught.value)


def test_mail_that_speaks_of_keys_is_none_of_our_business() -> None:
    payload = {**EMAIL, "text": "Your key begins with sk_live_abcdef.", "variables": {"api_key": "shown on the page"}}

    assert checked_job(payload) == payload


def test_a_job_is_refused_before_it_fills_the_broker() -> None:
    with pytest.raises(JobError, match="10,000,000 characters") as caught:
        checked_job({**EMAIL, "text": "x" * LARGEST_JOB})

    assert "largest_job" in str(caught.value)
    assert checked_job({**EMAIL, "text": "x" * 2000}, largest=3000)["from"] == "shop@example.com"


def test_emails_of_a_batch_share_the_limit() -> None:
    emails = [{**EMAIL, "text": "x" * 400}] * 3

    assert len(checked_jobs(emails, largest=2000)) == 3
    with pytest.raises(JobError, match="1,000 characters"):
        checked_jobs(emails, largest=1000)


def test_a_batch_is_a_list_or_what_the_client_takes() -> None:
    assert checked_jobs({"emails": [EMAIL]}) == checked_jobs((EMAIL,)) == [EMAIL]


@pytest.mark.parametrize("batch", [None, [], "text", b"bytes", EMAIL, {EMAIL["from"]}, [EMAIL] * 101], ids=str)
def test_what_is_no_batch_is_refused(batch: object) -> None:
    with pytest.raises(JobError, match="batch"):
        batch_of(batch)


def test_the_place_of_a_wrong_email_is_told() -> None:
    with pytest.raises(JobError, match=r"^emails\[1\]: .*no recipients"):
        checked_jobs([EMAIL, {**EMAIL, "to": None}])
    with pytest.raises(JobError, match=r"emails\[1\]\.text"):
        checked_jobs([EMAIL, {**EMAIL, "text": b"no"}])
    with pytest.raises(JobError, match=r"^emails\[1\]: An idempotency key"):
        checked_jobs([EMAIL, {**EMAIL, "idempotency_key": 42}])


@pytest.mark.parametrize(
    "key", ["", "  ", "k" * (LONGEST_KEY + 1), "a\nb", "a\x7f", "\ud800", 42, b"bytes", ["k"]], ids=repr
)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(JobError, match="idempotency key"):
        check_key({}, key)
    with pytest.raises(JobError, match="idempotency key"):
        check_key({"idempotency_key": key}, None)


def test_a_key_may_be_given_here_or_there_but_not_two() -> None:
    assert check_key({}, None) is None
    assert check_key({}, "a") == check_key({"idempotency_key": "a"}, None) == "a"
    assert check_key({"idempotency_key": "a"}, "a") == "a"
    with pytest.raises(JobError, match="one of them"):
        check_key({"idempotency_key": "a"}, "b")


def test_a_key_of_a_batch_leaves_room_for_the_place() -> None:
    longest = "k" * (LONGEST_KEY - 3)

    assert check_batch_key(longest) == longest
    assert len(f"{longest}-{LARGEST_BATCH - 1}") == LONGEST_KEY
    with pytest.raises(JobError, match="252"):
        check_batch_key(longest + "k")


def test_an_email_with_a_key_of_its_own_keeps_it() -> None:
    email = checked_job(EMAIL)

    assert keyed(email, "derived") == {**EMAIL, "idempotency_key": "derived"}
    assert keyed({**email, "idempotency_key": "own"}, "derived") == {**EMAIL, "idempotency_key": "own"}
    assert "idempotency_key" not in email


NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("expires", "moment"),
    [
        (None, None),
        (60, "2026-01-01T00:01:00.000+00:00"),
        (0.5, "2026-01-01T00:00:00.500+00:00"),
        (-60, "2025-12-31T23:59:00.000+00:00"),
        (timedelta(minutes=1), "2026-01-01T00:01:00.000+00:00"),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))), "2026-01-01T01:00:00.000+00:00"),
        ("2026-01-01T00:01:00Z", "2026-01-01T00:01:00.000+00:00"),
        ("2026-01-01T01:01:00+01:00", "2026-01-01T00:01:00.000+00:00"),
    ],
)
def test_an_expiry_becomes_a_moment(expires: Any, moment: str | None) -> None:
    fixed = expiry_of(expires, NOW)

    assert fixed == moment
    # The worker reads it the same way, whenever that is.
    assert expiry_time(fixed, NOW + 1e6) == expiry_time(expires, NOW)


@pytest.mark.parametrize(
    "expires",
    ["soon", "", "2026-01-01T00:00:00", NAIVE, True, math.nan, math.inf, 1e300, 10**400, []],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_moment_is_refused(expires: object) -> None:
    with pytest.raises(JobError, match="expires"):
        expiry_of(expires, NOW)


@given(st.floats(-1e8, 1e8))
def test_a_fixed_expiry_is_right_to_the_millisecond(seconds: float) -> None:
    fixed = expiry_time(expiry_of(seconds, NOW), 0)

    assert fixed is not None
    assert abs(fixed - (NOW + seconds)) <= 0.0011
