"""What an attempt to tell somebody of an event means: for the delivery, and for the endpoint that was called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from poststack.emulator.model import Attempt

__all__ = ["Endpoint", "Repeatable", "count_failures", "note_attempt"]

_KEPT_RESPONSE_CHARACTERS = 2_000


class Repeatable(Protocol):
    """A delivery that is tried until it succeeds, or the retries are used up."""

    attempts: list[Attempt]
    failures: int
    next_attempt_at: float | None
    delivered_at: float | None


class Endpoint(Protocol):
    """Who is called, until that failed too often."""

    active: bool
    consecutive_failures: int
    disabled_at: float | None
    disabled_reason: str | None


def note_attempt(delivery: Repeatable, attempt: Attempt, now: float, delays: Sequence[float]) -> None:
    """Keep the outcome, and plan the next attempt if it failed and retries are left: one for each delay."""
    body = attempt.response_body
    delivery.attempts.append(replace(attempt, response_body=None if body is None else body[:_KEPT_RESPONSE_CHARACTERS]))
    if attempt.succeeded:
        delivery.failures = 0
        delivery.delivered_at = now
        delivery.next_attempt_at = None
    else:
        retry = delivery.failures < len(delays)
        delivery.next_attempt_at = now + delays[delivery.failures] if retry else None
        delivery.failures += 1


def count_failures(endpoint: Endpoint, succeeded: bool, now: float, limit: int | None) -> bool:
    """Count failures in a row, and disable the endpoint at the limit; return whether anything changed."""
    failures = 0 if succeeded else endpoint.consecutive_failures + 1
    if failures == endpoint.consecutive_failures:
        return False
    endpoint.consecutive_failures = failures
    if limit is not None and failures >= limit and endpoint.active:
        endpoint.active = False
        endpoint.disabled_at = now
        endpoint.disabled_reason = f"{failures} failed deliveries in a row"
    return True
