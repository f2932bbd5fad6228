"""The sending part of the API in memory, for the test mailer: it accepts everything, unless a test says otherwise.

The client in front of it is the real one, so what that refuses is refused in tests as well. Which idempotency keys were
used is remembered by `mail.outbox`: a test that empties it, as test runners do before each, begins anew.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from django.core import mail

from poststack import PostStack
from poststack.transports.base import HttpRequest, HttpResponse, TransportError

__all__ = ["Accepted", "InMemoryApi", "SendFailure", "api", "client", "fail_next_send"]

FailureKind: TypeAlias = Literal["answer", "no_answer", "lost_answer"]

# The API answers these for one e-mail of several; everything else is about the whole call.
_REFUSALS_OF_ONE: Final = frozenset({400, 422})
_NOT_COMPARED: Final = frozenset({"idempotency_key", "idempotency_window_hours"})


class Accepted(NamedTuple):
    """What was accepted under an idempotency key."""

    id: str
    payload: dict[str, Any]


@dataclass
class SendFailure:
    """What `fail_next_send` was told, and how often it has happened."""

    kind: FailureKind = "answer"
    status: int = 503
    code: str | None = None
    error: str = "The test wanted this to fail."
    retry_after: float | None = None
    times: int | None = 1
    hits: int = field(default=0, init=False)
    """How often something has failed because of it."""

    @property
    def used_up(self) -> bool:
        """Whether it has happened as often as it was to."""
        return self.times is not None and self.hits >= self.times

    @property
    def of_one(self) -> bool:
        """Whether it is about one e-mail, not about the call."""
        return self.kind == "answer" and self.status in _REFUSALS_OF_ONE


class InMemoryApi:
    """A transport of the client. Threads may share it, as the server thread of a live test does with the test."""

    def __init__(self) -> None:
        self._failures: list[SendFailure] = []
        self._in_flight: dict[str, Accepted] = {}
        self._lock = threading.RLock()

    @contextmanager
    def failing(self, failure: SendFailure) -> Generator[SendFailure]:
        """Let this happen inside the block."""
        with self._lock:
            self._failures.append(failure)
        try:
            yield failure
        finally:
            with self._lock:
                # Not `remove`, which would take an equal one that somebody else has put there.
                self._failures = [one for one in self._failures if one is not failure]

    def take(self, key: str) -> Accepted | None:
        """Return what was accepted with this key since it was last asked, which the caller puts into the outbox."""
        with self._lock:
            return self._in_flight.pop(key, None)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer one request of the client."""
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        if request.method != "POST" or path not in {"emails", "emails/batch"}:
            return _refusal(
                501, "The test mailer only takes e-mails. For the rest of the API use emulated_poststack()."
            )
        body = json.loads(request.body or b"{}")
        several = path == "emails/batch"
        with self._lock:
            failure = self._failure(of_one=False)
            if failure is not None and failure.kind == "no_answer":
                raise TransportError("The test wanted no answer.")
            if failure is not None and failure.kind == "answer":
                return _refusal(failure.status, failure.error, failure.code, failure.retry_after)
            key = request.headers.get("Idempotency-Key", "")
            results = [self._accept(payload, key) for payload in (body["emails"] if several else [body])]
        if failure is not None:
            raise TransportError("The test wanted the answer to be lost.")
        if several:
            return _answer(202, {"data": [_element(result) for result in results]})
        (result,) = results
        return _answer(202, result) if isinstance(result, dict) else _refusal(result.status, result.error, result.code)

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _failure(self, *, of_one: bool) -> SendFailure | None:
        for failure in self._failures:
            if failure.of_one == of_one and not failure.used_up:
                failure.hits += 1
                return failure
        return None

    def _accept(self, payload: dict[str, Any], header_key: str) -> dict[str, Any] | SendFailure:
        key = str(payload.get("idempotency_key") or header_key)
        earlier = self._in_flight.get(key) or _in_outbox(key)
        if earlier is not None:
            if _compared(earlier.payload) != _compared(payload):
                return SendFailure(status=422, error="The idempotency key was already used with another payload.")
            return {"id": earlier.id, "replayed": True, "test_mode": True}
        failure = self._failure(of_one=True)
        if failure is not None:
            return failure
        accepted = self._in_flight[key] = Accepted(f"em_test_{uuid.uuid4().hex}", payload)
        return {"id": accepted.id, "test_mode": True}


api: Final = InMemoryApi()
"""The one of this process."""


@cache
def client() -> PostStack:
    """Return the client in front of it. It tries once: a test says what is left after all attempts."""
    return PostStack("sk_test_in_memory", "https://api.poststack.test", max_retries=0, transport=api)


@contextmanager
def fail_next_send(
    status: int | None = None,
    *,
    code: str | None = None,
    error: str | None = None,
    retry_after: float | None = None,
    no_answer: bool = False,
    lost_answer: bool = False,
    times: int | None = 1,
) -> Generator[SendFailure]:
    """Let the next send of the test mailer fail inside the block, as the API would after all attempts of the client.

        with fail_next_send(422, code="domain_not_verified"), self.assertRaises(PostStackError):
            welcome(customer)

    Give the `status` of an answer (503 if you say nothing), `no_answer=True` for a broken connection, or
    `lost_answer=True` for one that breaks after the API has accepted the e-mail, which then is in `mail.outbox`.
    `times` counts calls, and e-mails for 400 and 422, which the API answers for each of several; `None` is all of them.

    Raises `AssertionError` at the end of a block in which nothing was sent: such a test would prove nothing.
    """
    if (status is not None) + no_answer + lost_answer > 1:
        raise ValueError("Choose one of `status`, `no_answer` and `lost_answer`.")
    if status is not None and not 400 <= status <= 599:
        raise ValueError("`status` is from 400 to 599: everything below is no failure.")
    if times is not None and times < 1:
        raise ValueError("`times` is 1 or more, or None for every send in the block.")
    failure = SendFailure(code=code, retry_after=retry_after, times=times, status=503 if status is None else status)
    failure.kind = "no_answer" if no_answer else "lost_answer" if lost_answer else "answer"
    failure.error = error or failure.error
    with api.failing(failure):
        yield failure
    if not failure.hits:
        raise AssertionError(
            "fail_next_send: nothing was sent through poststack_django.testing.EmailBackend in this block, so nothing "
            "failed. Install it with override_mailer() or the fixture poststack_outbox, and send inside the block."
        )


def _in_outbox(key: str) -> Accepted | None:
    for message in getattr(mail, "outbox", []):
        accepted: object = getattr(message, "_poststack_accepted", None)
        if isinstance(accepted, Accepted) and accepted.payload.get("idempotency_key") == key:
            return accepted
    return None


def _compared(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in _NOT_COMPARED}


def _element(result: dict[str, Any] | SendFailure) -> dict[str, Any]:
    if isinstance(result, dict):
        return result
    return {"error": result.error} if result.code is None else {"error": result.error, "code": result.code}


def _refusal(status: int, error: str, code: str | None = None, retry_after: float | None = None) -> HttpResponse:
    body = {"error": error} if code is None else {"error": error, "code": code}
    return _answer(status, body, {} if retry_after is None else {"retry-after": str(retry_after)})


def _answer(status: int, body: object, headers: dict[str, str] | None = None) -> HttpResponse:
    request_id = {"x-request-id": "req_test_" + uuid.uuid4().hex[:12]}
    return HttpResponse(status, {**request_id, **(headers or {})}, json.dumps(cast("Any", body)).encode())
