# Written by tools/unasync.py from tests/client/_async/test_done_once.py. Do not edit.
"""Calls that send e-mail or show a secret where no idempotency key counts: not repeated once they may have done it."""

from __future__ import annotations

import operator
from typing import Any

import pytest

from poststack import PostStack, PostStackConnectionError, PostStackError, PostStackResponseError
from poststack.transports.base import TransportError, TransportTimeoutError
from tests.every_call import CALLS
from tests.scripted import ScriptedTransport, cut, refusal, response

pytestmark = pytest.mark.anyio

ONCE = {
    "api_keys.create",
    "api_keys.rotate",
    "broadcasts.end_ab_test",
    "broadcasts.send",
    "broadcasts.send_test",
    "inbound_emails.forward",
    "inbound_emails.reply",
    "webhooks.create",
    "webhooks.rotate_secret",
    "workflows.post_event",
    "workflows.trigger",
}
FIRST = {call.method: call for call in reversed(CALLS)}
ANSWER = response(202, dict.fromkeys(("success", "id", "run", "event", "matched", "key", "webhook", "signingSecret")))

once = pytest.mark.parametrize("method", sorted(ONCE))


def done(method: str, *steps: Any, **options: Any) -> tuple[ScriptedTransport, Any]:
    """Make the call, and return its answer or error."""
    transport, call = ScriptedTransport(*steps), FIRST[method]
    client = PostStack("sk_test_x", transport=transport, **options)
    try:
        return transport, operator.attrgetter(method)(client)(*call.arguments)
    except PostStackError as error:
        return transport, error


@once
@pytest.mark.parametrize(
    "step",
    [cut(), TransportTimeoutError("slow"), *(refusal(status) for status in (500, 502, 503, 504, 524))],
    ids=["cut", "slow", "500", "502", "503 of a proxy", "504", "524"],
)
def test_an_attempt_that_may_have_taken_effect_is_the_last(method: str, step: Any) -> None:
    transport, error = done(method, step, ANSWER)

    assert isinstance(error, PostStackError)
    assert error.may_have_taken_effect
    assert len(transport.requests) == 1
    assert transport.clock.waits == []


@once
@pytest.mark.parametrize(
    "step",
    [
        TransportError("refused", request_sent=False),
        refusal(408),
        refusal(429),
        refusal(429, None, "1"),
        refusal(503, "unavailable"),
    ],
    ids=["no connection", "408", "429", "429 with a wait", "503 of the API"],
)
def test_an_attempt_that_cannot_have_taken_effect_is_repeated(method: str, step: Any) -> None:
    transport, answer = done(method, step, step, ANSWER)

    assert isinstance(answer, dict)
    assert len(transport.requests) == 3


@once
def test_doubt_ends_the_repeating_of_refusals(method: str) -> None:
    transport, error = done(method, refusal(429), cut(), ANSWER)

    assert isinstance(error, PostStackConnectionError)
    assert error.may_have_taken_effect
    assert len(transport.requests) == 2


def test_the_error_says_that_the_fate_is_unknown_and_what_to_do() -> None:
    said = r"may have taken effect\. It was not repeated, because the API could do it twice; look there before you do"
    _, without_answer = done("inbound_emails.reply", cut())
    _, broken = done("workflows.trigger", response(200, b"<html>"))
    _, unsent = done("inbound_emails.reply", TransportError("refused", request_sent=False))

    for error, kind in ((without_answer, PostStackConnectionError), (broken, PostStackResponseError)):
        with pytest.raises(kind, match=said):
            raise error
    assert "Nothing was sent" in str(unsent)
    assert not unsent.may_have_taken_effect


@pytest.mark.parametrize("method", sorted({call.method for call in CALLS} - ONCE))
def test_all_other_calls_are_repeated(method: str) -> None:
    transport, error = done(method, cut(), max_retries=2)

    assert isinstance(error, PostStackConnectionError)
    assert "not repeated" not in str(error)
    assert len(transport.requests) == 3
