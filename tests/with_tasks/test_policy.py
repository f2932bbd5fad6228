"""The judgement of the task packages, case by case."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from poststack_tasks import GiveUp, Limits, RetryLater, Sent, decide, too_late


def longest_wait() -> float:
    return 0.999_999


def decision(
    error: PostStackError | None, *, attempt: int = 1, age: float = 0.0, limits: Limits | None = None
) -> Sent | RetryLater | GiveUp:
    return decide(error, attempt=attempt, age=age, random=longest_wait, limits=limits)


def test_no_error_is_sent() -> None:
    assert decision(None) == Sent()


@pytest.mark.parametrize(
    "error",
    [
        PostStackConnectionError(0, "refused"),
        PostStackTimeoutError(0, "too late"),
        PostStackResponseError(202, "not JSON"),
        PostStackError(408, "timeout"),
        PostStackError(409, "in progress", "idempotency_in_progress"),
        PostStackError(429, "slow down", "rate_limit_exceeded", retry_after=2),
        PostStackError(429, "a proxy's page"),
        PostStackError(500, "internal"),
        PostStackError(503, "maintenance", retry_after=30),
        PostStackError(599, "unknown"),
    ],
    ids=repr,
)
def test_what_may_pass_is_tried_again(error: PostStackError) -> None:
    assert isinstance(decision(error), RetryLater)


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 409, 410, 413, 422, 451])
def test_a_refusal_is_final(status: int) -> None:
    outcome = decision(PostStackError(status, "no", "some_code"))

    assert isinstance(outcome, GiveUp)
    assert str(status) in outcome.reason


@pytest.mark.parametrize(
    "error",
    [
        PostStackError(429, "used up", "monthly_limit_exceeded"),
        PostStackError(429, "used up", "daily_cap_exceeded", retry_after=5),
        PostStackError(429, "used up, says an old server", "rate_limit_exceeded"),
    ],
    ids=repr,
)
def test_a_used_up_quota_is_waited_for_only_when_asked(error: PostStackError) -> None:
    assert isinstance(decision(error), GiveUp)
    assert isinstance(decision(error, limits=Limits(wait_for_quota=True)), RetryLater)


def test_the_wait_doubles_up_to_the_cap() -> None:
    waits = [decision(PostStackError(500, "no"), attempt=attempt) for attempt in (1, 2, 3, 20)]

    assert [round(wait.delay) for wait in waits if isinstance(wait, RetryLater)] == [1, 2, 4, 900]


def test_retry_after_is_the_least_wait_and_the_cap_the_longest() -> None:
    later = decision(PostStackError(503, "no", retry_after=120))
    capped = decision(PostStackError(503, "no", retry_after=86_400))

    assert isinstance(later, RetryLater)
    assert later.delay == 120
    assert isinstance(capped, RetryLater)
    assert capped.delay == 900


def test_a_mail_that_would_be_late_is_given_up() -> None:
    error = PostStackError(503, "no", retry_after=60)

    assert isinstance(decision(error, age=230, limits=Limits(expires=300)), RetryLater)
    assert isinstance(decision(error, age=250, limits=Limits(expires=300)), GiveUp)


def test_the_horizon_ends_all_attempts() -> None:
    assert isinstance(decision(PostStackError(500, "no"), age=86_400), GiveUp)


@given(
    status=st.integers(0, 999),
    code=st.none() | st.text(max_size=30),
    retry_after=st.none() | st.floats(0, 1e9),
    attempt=st.integers(-5, 10_000),
    age=st.floats(0, 1e7),
    fraction=st.floats(0, 1, exclude_max=True),
)
def test_every_outcome_has_a_decision_with_a_finite_wait(
    status: int, code: str | None, retry_after: float | None, attempt: int, age: float, fraction: float
) -> None:
    error = PostStackError(status, "no", code, retry_after=retry_after)

    outcome = decide(error, attempt=attempt, age=age, random=lambda: fraction)

    if isinstance(outcome, RetryLater):
        assert 0 <= outcome.delay <= 900
        assert math.isfinite(outcome.delay)
        assert age + outcome.delay <= Limits().horizon
    else:
        assert isinstance(outcome, GiveUp)
        assert outcome.reason


@pytest.mark.parametrize(
    ("waited", "expires_in", "reason"),
    [
        (0, None, None),
        (0, 1, None),
        (-5, 0.001, None),
        (13 * 86_400, None, None),
        (0, 0, "it expired before attempt 4"),
        (0, -1e9, "it expired before attempt 4"),
        (13 * 86_400 + 1, None, "it waited so long that the API may have forgotten an earlier attempt"),
        (1e9, 1e9, "it waited so long that the API may have forgotten an earlier attempt"),
    ],
)
def test_a_job_that_comes_too_late_is_not_tried(waited: float, expires_in: float | None, reason: str | None) -> None:
    late = too_late(waited, expires_in, 4)

    assert (late and late.reason) == reason


def test_how_long_a_job_may_wait_is_a_limit() -> None:
    assert too_late(11, None, 1, Limits(longest_wait=10)) is not None
    assert too_late(10, None, 1, Limits(longest_wait=10)) is None


@given(st.floats(0, 1e9), st.none() | st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_what_is_too_late_stays_too_late(waited: float, expires_in: float | None, later: float) -> None:
    if too_late(waited, expires_in, 1) is not None:
        assert too_late(waited + later, None if expires_in is None else expires_in - later, 1) is not None
