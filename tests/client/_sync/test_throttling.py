# Written by tools/unasync.py from tests/client/_async/test_throttling.py. Do not edit.
"""Limits of calls a second: those that the API has, and those set by hand."""

from __future__ import annotations

import json
import logging
import pickle
from itertools import pairwise
from typing import Any

import pytest

from poststack import HeldBackError, PostStack, PostStackError
from poststack.emulator.settings import Settings
from poststack.testing import EmulatorSession, emulator
from poststack.throttling import RateLimiter
from poststack.transports.base import HttpRequest
from poststack.types import SendEmail

pytestmark = pytest.mark.anyio


def email(**changes: object) -> SendEmail:
    plain: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
    return {**plain, **changes}  # type: ignore[typeddict-item]  # the changes are the test's business


def client_of(emu: EmulatorSession, **options: Any) -> PostStack:
    return PostStack("sk_test_throttling", "http://emulator", transport=emu.transport, **options)


def asked(emu: EmulatorSession) -> int:
    """Return how many requests have come."""
    health = emu.emulator.handle(HttpRequest("GET", "http://emulator/_emulator/health", {}), emu.clock.time())
    return int(json.loads(health.body)["requests"])


class Line:
    """A limiter of one's own, which says how long to wait and remembers what it was asked."""

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)
        self.longest: list[float | None] = []
        self.held: list[float] = []

    def reserve(self, longest: float | None) -> float:
        self.longest.append(longest)
        return self.waits.pop(0) if self.waits else 0.0

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


class Broken:
    """A limiter of one's own that fails."""

    def reserve(self, longest: float | None) -> float:
        raise ConnectionError("no limiter")

    def hold(self, seconds: float) -> None:
        raise ConnectionError("no limiter")


def test_a_429_of_one_call_holds_back_the_next(emu: EmulatorSession) -> None:
    client = client_of(emu, max_retries=0)
    emu.fail(429, retry_after=7, code="rate_limit_exceeded", times=1)
    with pytest.raises(PostStackError) as caught:
        client.emails.send(email())
    assert not isinstance(caught.value, HeldBackError)
    refused_at = emu.clock.monotonic()

    client.emails.send(email())

    assert emu.clock.monotonic() >= refused_at + 7
    assert asked(emu) == 2


def test_after_it_calls_go_one_after_another(emu: EmulatorSession) -> None:
    client = client_of(emu, max_retries=0)
    emu.fail(429, retry_after=1, code="rate_limit_exceeded", times=1)
    with pytest.raises(PostStackError):
        client.emails.send(email())

    moments: list[float] = []
    for _ in range(5):
        client.emails.send(email())
        moments.append(emu.clock.monotonic())

    assert all(later > earlier for earlier, later in pairwise(moments))


def test_other_clients_are_not_held_back(emu: EmulatorSession) -> None:
    emu.fail(429, retry_after=7, code="rate_limit_exceeded", times=1)
    with pytest.raises(PostStackError):
        client_of(emu, max_retries=0).emails.send(email())
    refused_at = emu.clock.monotonic()

    client_of(emu).emails.send(email())

    assert emu.clock.monotonic() == refused_at


def test_a_call_that_would_be_held_beyond_its_deadline_is_refused_at_once(emu: EmulatorSession) -> None:
    client = client_of(emu, max_retries=0, deadline=3)
    emu.fail(429, retry_after=7, code="rate_limit_exceeded", times=1)
    with pytest.raises(PostStackError):
        client.emails.send(email())
    refused_at = emu.clock.monotonic()

    with pytest.raises(HeldBackError) as caught:
        client.emails.send(email())

    error = caught.value
    assert (error.status_code, error.code, error.transient) == (429, "rate_limit_exceeded", True)
    assert error.retry_after == pytest.approx(7)
    assert not error.quota_exceeded
    assert not error.may_have_taken_effect
    assert (emu.clock.monotonic(), asked(emu)) == (refused_at, 1)
    assert repr(pickle.loads(pickle.dumps(error))) == repr(error)


def test_the_doubt_of_an_earlier_attempt_is_not_forgotten(emu: EmulatorSession) -> None:
    client = client_of(emu, rate_limit=0.1, deadline=5)
    emu.fail(lost_answer=True, times=1)

    with pytest.raises(HeldBackError) as caught:
        client.emails.send(email())

    assert caught.value.may_have_taken_effect
    assert len(emu.sent) == asked(emu) == 1


@pytest.mark.parametrize(
    "fault",
    [{"code": "quota_exceeded", "retry_after": 7}, {"code": "rate_limit_exceeded"}, {"retry_after": 3600}],
    ids=["quota", "the old way to say quota", "an hour"],
)
def test_what_is_no_throttling_holds_nobody(emu: EmulatorSession, fault: dict[str, Any]) -> None:
    client = client_of(emu)
    emu.fail(429, times=1, **fault)
    with pytest.raises(PostStackError):
        client.emails.send(email())
    refused_at = emu.clock.monotonic()

    client.emails.send(email())

    assert emu.clock.monotonic() == refused_at


def test_what_the_api_tells_of_its_limit_keeps_calls_from_being_refused() -> None:
    with emulator(Settings(rate_limit=5)) as emu:
        client = client_of(emu, max_retries=0)
        for _ in range(23):
            client.emails.send(email())

    assert asked(emu) == len(emu.sent) == 23


def test_a_limit_set_by_hand_keeps_calls_apart(emu: EmulatorSession) -> None:
    client = client_of(emu, rate_limit=4)
    moments: list[float] = []
    for _ in range(9):
        client.emails.send(email())
        moments.append(emu.clock.monotonic())

    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0.25
    assert max(gaps) < 0.27


def test_every_call_counts_not_e_mails_alone(emu: EmulatorSession) -> None:
    client = client_of(emu, rate_limit=1)
    started_at = emu.clock.monotonic()

    client.emails.list()
    client.emails.batch({"emails": [email() for _ in range(50)]})
    client.suppressions.list()

    assert 2 <= emu.clock.monotonic() - started_at < 2.1


def test_a_limiter_is_asked_before_every_attempt(emu: EmulatorSession) -> None:
    line = Line(1.5, 2.5)
    client = client_of(emu, rate_limit=line, deadline=60)
    emu.fail(429, retry_after=4, code="rate_limit_exceeded", times=1)
    started_at = emu.clock.monotonic()

    client.emails.send(email())

    # Its own wait, the one that the API asked for, and its own again.
    assert emu.clock.monotonic() - started_at == pytest.approx(1.5 + 4 + 2.5)
    assert line.longest == pytest.approx([60, 60 - 1.5 - 4])
    assert line.held == [4]


def test_a_limiter_may_let_nobody_wait_longer_than_a_deadline(emu: EmulatorSession) -> None:
    client = client_of(emu, rate_limit=Line(5.0), deadline=5)

    with pytest.raises(HeldBackError) as caught:
        client.emails.send(email())

    assert caught.value.retry_after == 5
    assert asked(emu) == 0


def test_a_limiter_is_not_told_of_what_no_program_should_wait_for(emu: EmulatorSession) -> None:
    line = Line()
    emu.fail(429, retry_after=3600, code="rate_limit_exceeded", times=1)

    with pytest.raises(PostStackError):
        client_of(emu, rate_limit=line).emails.send(email())

    assert line.held == []


def test_a_limiter_that_fails_stops_no_e_mail_and_is_told_once(
    emu: EmulatorSession, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(emu, rate_limit=Broken())
    emu.fail(429, retry_after=1, code="rate_limit_exceeded", times=1)

    for _ in range(5):
        client.emails.send(email())

    assert len(emu.sent) == 5
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.message == "The shared rate limiter raised ConnectionError: no limiter. Calls go on without it."


def test_a_class_of_ones_own_is_a_limiter() -> None:
    limiter: RateLimiter = Line()

    assert repr(client_of_nobody(limiter)).startswith("PostStack(")


def client_of_nobody(rate_limit: Any) -> PostStack:
    return PostStack("sk_test_throttling", rate_limit=rate_limit)


WRONG: list[Any] = [0, -1, 0.0, float("nan"), float("inf"), 10**400, True, False, "50", b"5", [5]]


@pytest.mark.parametrize("limit", WRONG, ids=lambda limit: repr(limit)[:9])
def test_what_limits_nothing_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match="rate_limit"):
        client_of_nobody(limit)
