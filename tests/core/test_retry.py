"""The retry policy, case by case (poststack-api §2.5), as the client carries it out."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poststack import AsyncPostStack, PostStack, PostStackConnectionError, PostStackError, PostStackTimeoutError
from poststack._retry import RetryPolicy
from poststack._wire import parse_retry_after
from poststack.transports.base import HttpResponse, TransportTimeoutError
from tests.scripted import FakeClock, ScriptedTransport, accepted, cut, refusal, response

if TYPE_CHECKING:
    from poststack.types import SendEmail

QUOTA_CODES = [
    "daily_cap_exceeded",
    "daily_limit_exceeded",
    "monthly_limit_exceeded",
    "quota_exceeded",
    "send_limit_exceeded",
]
EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "s", "text": "t"}


def run(transport: ScriptedTransport, **options: Any) -> Any:
    """Send one e-mail and return the answer or the error."""
    try:
        return PostStack("sk_test_x", transport=transport, **options).emails.send(EMAIL)
    except PostStackError as error:
        return error


@pytest.mark.parametrize("status", [408, 500, 501, 502, 503, 504, 521, 599])
def test_a_status_that_may_pass_is_tried_four_times(status: int) -> None:
    transport = ScriptedTransport(refusal(status, "some_code"))

    error = run(transport)

    assert error.status_code == status
    assert len(transport.requests) == 4
    assert [wait < bound for wait, bound in zip(transport.clock.waits, (0.25, 0.5, 1.0), strict=True)] == [True] * 3
    assert len(set(transport.keys)) == 1


@pytest.mark.parametrize(
    "status", [300, 301, 304, 307, 400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 425, 431, 499]
)
@pytest.mark.parametrize("retry_after", [None, "1"])
def test_a_refusal_is_final(status: int, retry_after: str | None) -> None:
    transport = ScriptedTransport(refusal(status, retry_after=retry_after))

    error = run(transport)

    assert error.status_code == status
    assert len(transport.requests) == 1
    assert error.retry_after == (None if retry_after is None else 1.0)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
def test_every_method_is_repeated(method: str) -> None:
    transport = ScriptedTransport(refusal(503))
    client = PostStack("sk_test_x", transport=transport, max_retries=2)
    calls: dict[str, Any] = {
        "GET": lambda: client.emails.get("em_1"),
        "PATCH": lambda: client.emails.reschedule("em_1", "2030-01-01T00:00:00Z"),
        "DELETE": lambda: client.templates.delete("tpl_1"),
        "POST": lambda: client.emails.cancel("em_1"),
    }

    with pytest.raises(PostStackError):
        calls[method]()

    assert [request.method for request in transport.requests] == [method] * 3
    assert all(("Idempotency-Key" in request.headers) == (method == "POST") for request in transport.requests)


@pytest.mark.parametrize("failure", [cut(), TransportTimeoutError("too late")])
def test_no_answer_is_tried_four_times_and_keeps_its_cause(failure: Exception) -> None:
    transport = ScriptedTransport(failure)

    error = run(transport)

    assert isinstance(error, PostStackConnectionError)
    assert isinstance(error, PostStackTimeoutError) == isinstance(failure, TransportTimeoutError)
    assert error.__cause__ is failure
    assert "same idempotency_key" in error.error  # What to do next.
    assert len(transport.requests) == 4
    assert len(set(transport.keys)) == 1


@pytest.mark.parametrize("retries", [0, 1, 2, 7])
def test_max_retries_counts_the_attempts_after_the_first(retries: int) -> None:
    transport = ScriptedTransport(cut())

    run(transport, max_retries=retries)

    assert len(transport.requests) == retries + 1


def test_a_later_attempt_can_succeed() -> None:
    transport = ScriptedTransport(cut(), refusal(503), refusal(429, "rate_limit_exceeded", "2"), accepted())

    assert run(transport) == {"id": "em_1"}
    assert transport.clock.waits[2] == 2.0
    assert len(set(transport.keys)) == 1


def test_each_call_has_a_key_of_its_own() -> None:
    transport = ScriptedTransport(accepted())

    run(transport)
    run(transport)

    assert len(set(transport.keys)) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("60", 60.0),
        ("60.0", 60.0),
        ("-1e3", None),
        ("1", 1.0),
        ("0", 0.0),
        ("0.25", 0.25),
        (".5", 0.5),
        ("7.", 7.0),
        ("-3", 0.0),
        ("+2", 2.0),
        (" 4 ", 4.0),
    ],
)
def test_retry_after_is_waited_exactly(status: int, text: str, wait: float | None) -> None:
    transport = ScriptedTransport(refusal(status, None, text), accepted())

    assert run(transport) == {"id": "em_1"}
    if wait is None:
        assert transport.clock.waits[0] < 0.25
    else:
        assert transport.clock.waits == [wait]


@pytest.mark.parametrize("status", [408, 429, 503])
@pytest.mark.parametrize("text", ["60.1", "61", "3600", "9" * 400])
def test_over_a_minute_is_not_waited(status: int, text: str) -> None:
    transport = ScriptedTransport(refusal(status, None, text))

    error = run(transport)

    assert len(transport.requests) == 1
    assert transport.clock.waits == []
    assert error.retry_after > 60


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "infinity",
        "1e5",
        "0x10",
        "1_000",
        "１２",
        "1 2",
        "--1",
        ":",
        "12:30",
        "Wed, 99 Foo 2020 99:99:99 GMT",
        "Thu, 01 Jan 99999 00:00:00 GMT",
        "\x00",
    ],
)
def test_an_unreadable_retry_after_counts_as_absent(text: str) -> None:
    transport = ScriptedTransport(refusal(503, None, text), accepted())

    assert run(transport) == {"id": "em_1"}
    assert transport.clock.waits[0] < 0.25


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30.0), (60, 60.0), (0, 0.0), (-500, 0.0)])
def test_retry_after_may_be_a_date(seconds: int, wait: float) -> None:
    transport = ScriptedTransport(accepted())
    transport.steps.insert(0, refusal(503, None, formatdate(transport.clock.now + seconds, usegmt=True)))

    assert run(transport) == {"id": "em_1"}
    assert transport.clock.waits == [wait]


@pytest.mark.parametrize(
    "date", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_every_form_of_a_date_is_in_gmt_wherever_the_program_runs(date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_retry_after(date, 784_111_777.0 - 30) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_date_far_ahead_is_not_waited_for() -> None:
    transport = ScriptedTransport(refusal(503, None, "Fri, 31 Dec 2999 23:59:59 GMT"))

    assert run(transport).retry_after > 60
    assert len(transport.requests) == 1


@pytest.mark.parametrize("code", QUOTA_CODES)
@pytest.mark.parametrize("retry_after", [None, "1"])
def test_a_used_up_quota_is_final_even_with_retry_after(code: str, retry_after: str | None) -> None:
    transport = ScriptedTransport(refusal(429, code, retry_after))

    error = run(transport)

    assert error.code == code
    assert len(transport.requests) == 1
    assert error.transient


def test_a_429_with_a_code_and_no_retry_after_is_final() -> None:
    transport = ScriptedTransport(refusal(429, "rate_limit_exceeded"))

    assert run(transport).status_code == 429
    assert len(transport.requests) == 1


def test_a_bare_429_is_backed_off_from() -> None:
    transport = ScriptedTransport(HttpResponse(429, {"content-type": "text/html"}, b"<html>Slow down</html>"))

    assert run(transport).status_code == 429
    assert len(transport.requests) == 4


def test_a_code_that_is_no_text_counts_as_none() -> None:
    transport = ScriptedTransport(response(429, {"error": "Slow down", "code": 17}))

    assert run(transport).code is None
    assert len(transport.requests) == 4


@pytest.mark.parametrize("code", QUOTA_CODES)
def test_quota_codes_mean_nothing_special_elsewhere(code: str) -> None:
    transport = ScriptedTransport(refusal(503, code))

    run(transport)

    assert len(transport.requests) == 4


def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    transport = ScriptedTransport(refusal(503, None, "10"))

    error = run(transport, deadline=25.0)

    assert error.status_code == 503
    assert transport.clock.waits == [10.0, 10.0]
    assert len(transport.requests) == 3


def test_time_spent_in_attempts_counts_against_the_deadline() -> None:
    transport = ScriptedTransport(cut(), duration=4.0)

    error = run(transport, deadline=6.0, max_retries=100)

    assert isinstance(error, PostStackConnectionError)
    assert len(transport.requests) == 2


def test_all_attempts_are_told_the_same_deadline() -> None:
    transport = ScriptedTransport(cut())
    begun = transport.clock.now

    run(transport, deadline=20.0, timeout=3.0)

    assert {request.deadline for request in transport.requests} == {begun + 20.0}
    assert {request.timeout for request in transport.requests} == {3.0}


def test_the_asynchronous_client_waits_the_same() -> None:
    transport = ScriptedTransport(refusal(503, None, "5"), refusal(429, None, "6"), cut(), accepted())

    async def main() -> object:
        async with AsyncPostStack("sk_test_x", transport=transport) as client:
            return await client.emails.send(EMAIL)

    assert anyio.run(main) == {"id": "em_1"}
    assert transport.clock.waits[:2] == [5.0, 6.0]
    assert len(set(transport.keys)) == 1
    assert transport.closed == 1


@pytest.mark.parametrize(("attempt", "bound"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (1000, 60.0)])
def test_the_backoff_doubles_up_to_a_minute(attempt: int, bound: float) -> None:
    policy = RetryPolicy(max_retries=1000)
    error = PostStackError(503, "Unavailable")

    assert policy.delay_before_retry(error, attempt, lambda: 0.0) == 0.0
    assert policy.delay_before_retry(error, attempt, lambda: 1.0) == bound


@given(st.text() | st.floats().map(str) | st.integers().map(str), st.sampled_from([408, 429, 500, 503]))
def test_no_retry_after_crashes_or_holds_the_caller_over_a_minute(text: str, status: int) -> None:
    transport = ScriptedTransport(refusal(status, None, text))

    error = run(transport)

    assert isinstance(error, PostStackError)
    assert all(0 <= wait <= 60 for wait in transport.clock.waits)


@given(st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT")) | st.text(":0123456789 GMT-+,"))
def test_dates_are_read_or_ignored(text: str) -> None:
    seconds = parse_retry_after(text, FakeClock().time())

    assert seconds is None or 0 <= seconds <= 1e9


header_names = st.sampled_from(["content-type", "retry-after", "x-request-id", "content-encoding", "location"])
answers = st.builds(
    HttpResponse,
    status=st.integers(0, 1200),
    headers=st.dictionaries(header_names | st.text(), st.text()),
    body=st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda value: repr(value).encode()),
    reason=st.text(),
)


@given(answers)
def test_any_answer_is_a_value_or_an_error_of_the_family(answer: HttpResponse) -> None:
    result = run(ScriptedTransport(answer))

    assert isinstance(result, dict) or (type(result.status_code) is int and isinstance(result.error, str))
