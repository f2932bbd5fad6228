# Written by tools/unasync.py from tests/client/_async/test_with_response.py. Do not edit.
"""What came with the answer to one call."""

from __future__ import annotations

import operator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from poststack import PostStack, PostStackError, RateLimit, Response, types
from poststack.emulator.settings import Settings
from poststack.testing import EmulatorSession, emulator
from poststack.transports.base import HttpResponse
from poststack.types import SendEmail
from tests.every_call import CALLS
from tests.scripted import ScriptedTransport, accepted, cut, refusal, response

pytestmark = pytest.mark.anyio

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}


def scripted(*steps: Any, **options: Any) -> tuple[ScriptedTransport, PostStack]:
    transport = ScriptedTransport(*steps)
    return transport, PostStack("sk_test_x", transport=transport, **options)


def test_an_answer_comes_with_what_came_with_it(emu: EmulatorSession) -> None:
    client = emu.client()

    answer = client.with_response(client.emails.send, EMAIL)

    assert answer.data == {"id": emu.sent[0].id, "test_mode": True}
    assert answer.status_code == 202
    assert answer.request_id
    assert answer.request_id == answer.headers["x-request-id"]
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.attempts == 1


def test_the_rate_limit_is_read() -> None:
    with emulator(Settings(rate_limit=10)) as emu:
        client = emu.client()

        limits = [(client.with_response(client.emails.list)).rate_limit for _ in range(2)]

    assert [(limit and limit.limit, limit and limit.remaining) for limit in limits] == [(10, 9), (10, 8)]
    assert limits[0] is not None
    assert limits[0].reset == pytest.approx(1_767_225_600, abs=2)


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({}, None),
        ({"x-ratelimit-limit": "soon"}, None),
        ({"x-ratelimit-limit": "60"}, RateLimit(60)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1.5"}, RateLimit(None, 0, 1.5)),
        ({"x-ratelimit-limit": "inf", "x-ratelimit-remaining": "7"}, RateLimit(None, 7)),
    ],
)
def test_what_is_not_said_of_the_limit_is_none(headers: dict[str, str], limit: RateLimit | None) -> None:
    _, client = scripted(response(202, {"id": "em_1"}, headers))

    assert (client.with_response(client.emails.send, EMAIL)).rate_limit == limit


def test_all_attempts_are_counted_and_the_last_one_tells() -> None:
    last = response(202, {"id": "em_1"}, {"x-request-id": "req_3"})
    _, client = scripted(cut(), response(503, {}, {"x-request-id": "req_2"}), last)

    answer = client.with_response(client.emails.send, EMAIL)

    assert (answer.attempts, answer.request_id) == (3, "req_3")


def test_a_failed_call_raises_what_it_raises(emu: EmulatorSession) -> None:
    client = emu.client()

    with pytest.raises(PostStackError) as raised:
        client.with_response(client.emails.get, "em_none")
    assert raised.value.status_code == 404

    with pytest.raises(ValueError, match="no recipients"):
        client.with_response(client.emails.send, {"from": "a@example.com", "to": []})


def answer_to(call: Any) -> HttpResponse:
    """Return an answer that has every key which any method promises."""
    raw = {"contacts.export_csv", "inbound_emails.download_attachment"}
    return response(200, b"raw" if call.method in raw else EVERY_KEY, {"x-request-id": call.method})


EVERY_KEY: dict[str, object] = {
    key: {} for name in types.__all__ for key in getattr(getattr(types, name), "__required_keys__", ())
}
"""Whatever any of the answers promises."""


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
def test_every_method_works_with_its_response(call: Any) -> None:
    transport, client = scripted(answer_to(call))
    method = operator.attrgetter(call.method)(client)

    plainly = method(*call.arguments, **call.options)
    answer = client.with_response(method, *call.arguments, **call.options)

    assert answer.data == plainly
    assert type(answer.data) is type(plainly)
    assert (answer.status_code, answer.request_id, answer.attempts) == (200, call.method, 1)
    first, second = transport.requests
    assert (first.method, first.url, first.body, first.timeout) == (
        second.method, second.url, second.body, second.timeout,
    )  # fmt: skip


def several_calls(client: PostStack) -> list[Any]:
    """Return every public method that is not one call."""
    found: list[Any] = [client.emails.send_many, client.emails.wait_until]
    for group in {call.method.split(".")[0] for call in CALLS}:
        members = getattr(client, group)
        found += [getattr(members, name) for name in dir(members) if name.startswith("iterate")]
    return found


def test_what_is_not_one_call_is_refused_before_anything_is_sent() -> None:
    transport, client = scripted(accepted())
    arguments: dict[str, list[Any]] = {"send_many": [[EMAIL]], "wait_until": ["em_1", "delivered", 30]}
    methods = several_calls(client)

    for method in methods:
        takes = "id" in method.__annotations__ or method.__name__ in {"iterate_members", "iterate_subscribers"}
        given = arguments.get(method.__name__, ["em_1"] if takes else [])
        with pytest.raises(TypeError, match=rf"^{method.__name__} does not make one call"):
            client.with_response(method, *given)
    assert len(methods) > 10
    assert transport.requests == []


def test_what_is_no_method_of_a_group_is_refused() -> None:
    transport, client = scripted(accepted())
    unbound = type(client.emails).send
    nothing: list[Any] = [client.webhooks.verify, client.close, client.with_response, client.emails, unbound, print]

    for given in nothing:
        with pytest.raises(TypeError, match="takes a method that makes a call"):
            client.with_response(given)
    assert transport.requests == []


@pytest.mark.parametrize("method", ["never", "twice"])
def test_a_method_of_ones_own_makes_one_call(method: str) -> None:
    _, client = scripted(response(200, {"email": {}}))
    kind: Any = type(client.emails)

    class Own(kind):  # type: ignore[misc]  # the group of whichever client this is
        def never(self) -> None: ...

        def twice(self) -> None:
            self.get("em_1")
            self.get("em_2")

    own = Own(vars(client.emails)["_session"])

    with pytest.raises(TypeError, match=f"^{method} does not make one call"):
        client.with_response(getattr(own, method))
    assert (client.with_response(own.get, "em_1")).attempts == 1


def test_a_method_of_another_client_is_refused() -> None:
    transport, client = scripted(accepted())
    _, other = scripted(accepted())

    with pytest.raises(TypeError, match="another client's"):
        client.with_response(other.emails.send, EMAIL)
    assert transport.requests == []


def test_a_response_is_frozen_and_shows_no_body() -> None:
    _, client = scripted(response(202, {"id": "em_1", "secret": "of somebody"}, {"x-request-id": "req_1"}))

    answer = client.with_response(client.emails.send, EMAIL)

    assert repr(answer) == "Response(status_code=202, request_id='req_1', attempts=1)"
    with pytest.raises(FrozenInstanceError):
        answer.attempts = 2  # type: ignore[misc]  # wrong on purpose
    assert answer == Response(answer.data, 202, answer.headers, 1)


def test_a_refusal_that_passes_counts_as_an_attempt() -> None:
    _, client = scripted(refusal(429, None, "1"), accepted())

    assert (client.with_response(client.emails.send, EMAIL)).attempts == 2
