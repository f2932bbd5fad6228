"""The family of errors."""

from __future__ import annotations

import copy
import pickle

import pytest

from poststack import (
    APIError,
    PostStackConnectionError,
    PostStackError,
    PostStackResponseError,
    PostStackTimeoutError,
    WebhookSignatureError,
)

KINDS = [PostStackError, PostStackConnectionError, PostStackTimeoutError, PostStackResponseError]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_every_field(kind: type[PostStackError], protocol: int) -> None:
    error = kind(429, "Slow down", "rate", "req_1", {"retry-after": "3"}, 3.0)

    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert str(twin) == "Slow down"
        assert repr(twin) == repr(error)


def test_fields_have_the_published_order_and_defaults() -> None:
    error = PostStackError(500, "Broken")

    assert (error.status_code, error.error, str(error)) == (500, "Broken", "Broken")
    assert (error.code, error.request_id, error.headers, error.retry_after) == (None, None, {}, None)
    assert APIError is PostStackError


def test_headers_are_a_copy() -> None:
    headers = {"a": "b"}
    error = PostStackError(500, "Broken", headers=headers)

    headers["a"] = "c"

    assert error.headers == {"a": "b"}


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        (0, True),
        (301, False),
        (400, False),
        (401, False),
        (404, False),
        (408, True),
        (409, False),
        (422, False),
        (425, True),
        (429, True),
        (500, True),
        (503, True),
        (999, True),
    ],
)
def test_transient_says_whether_trying_later_can_help(status: int, transient: bool) -> None:
    assert PostStackError(status, "x").transient is transient
    assert PostStackResponseError(status, "x").transient


def test_a_conflict_passes_when_it_is_work_in_progress() -> None:
    assert PostStackError(409, "x", "idempotency_in_progress").transient
    assert not PostStackError(409, "x", "conflict").transient


@pytest.mark.parametrize(
    ("status", "code", "retry_after", "used_up"),
    [
        (429, "monthly_limit_exceeded", None, True),
        (429, "daily_cap_exceeded", 5.0, True),
        (429, "rate_limit_exceeded", None, True),
        (429, "rate_limit_exceeded", 5.0, False),
        (429, None, None, False),
        (503, "monthly_limit_exceeded", None, False),
    ],
)
def test_a_used_up_quota_is_told_from_throttling(
    status: int, code: str | None, retry_after: float | None, used_up: bool
) -> None:
    assert PostStackError(status, "x", code, retry_after=retry_after).quota_exceeded is used_up


def test_a_wrong_signature_is_the_callers_business() -> None:
    assert issubclass(WebhookSignatureError, ValueError)
    assert not issubclass(WebhookSignatureError, PostStackError)


@pytest.mark.parametrize(
    ("error", "in_doubt"),
    [
        (PostStackConnectionError(0, "No answer"), True),
        (PostStackTimeoutError(0, "No answer in time"), True),
        (PostStackResponseError(202, "No id"), True),
        (PostStackResponseError(503, "No id", request_id="req_1"), True),
        (PostStackError(500, "Broken", "internal_error", "req_1"), True),
        (PostStackError(502, "Bad gateway"), True),
        (PostStackError(503, "Service Unavailable"), True),
        (PostStackError(503, "Maintenance", retry_after=0.0), False),
        (PostStackError(503, "Maintenance", request_id="req_1"), False),
        (PostStackError(503, "Maintenance", "maintenance"), False),
        (PostStackError(429, "Slow down"), False),
        (PostStackError(401, "Invalid API key"), False),
        (PostStackError(422, "Domain not verified"), False),
    ],
)
def test_only_what_is_no_refusal_may_have_taken_effect(error: PostStackError, in_doubt: bool) -> None:
    assert error.may_have_taken_effect is in_doubt


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Slow down", "Slow down. An earlier attempt had no clear answer"),
        ("Slow down.", "Slow down. An earlier attempt had no clear answer"),
        ("Really?", "Really? An earlier attempt had no clear answer"),
    ],
)
def test_only_a_refusal_is_followed_by_the_doubt_about_an_earlier_attempt(text: str, said: str) -> None:
    refusal = PostStackError(429, text, may_have_taken_effect=True)

    assert str(refusal).startswith(said)
    assert refusal.error == text
    assert str(PostStackError(429, text)) == text
    assert str(PostStackError(500, text)) == text
    assert str(PostStackConnectionError(0, text)) == text


def test_doubt_about_an_earlier_attempt_travels_with_the_error() -> None:
    error = PostStackError(429, "Slow down")
    error.may_have_taken_effect = True

    assert pickle.loads(pickle.dumps(error)).may_have_taken_effect
