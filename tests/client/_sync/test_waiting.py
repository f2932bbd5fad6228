# Written by tools/unasync.py from tests/client/_async/test_waiting.py. Do not edit.
"""Waiting until an e-mail has a status."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from poststack import (
    EmailStatusError,
    EmailWaitError,
    EmailWaitTimeoutError,
    PostStack,
    PostStackConnectionError,
    PostStackError,
    PostStackResponseError,
    PostStackTimeoutError,
)
from poststack.emulator.settings import Settings
from poststack.testing import EmulatorSession, emulator
from poststack.transports.base import TransportTimeoutError
from poststack.types import SendEmail
from tests.scripted import ScriptedTransport, cut, refusal, response

pytestmark = pytest.mark.anyio


def email(to: str = "ada") -> SendEmail:
    return {"from": "shop@example.com", "to": [f"{to}@example.com"], "subject": "Hi", "text": "Hello"}


def having(status: object) -> Any:
    return response(200, {"email": {"publicId": "em_1", "status": status}})


def scripted(*steps: Any, duration: float = 0.0, **options: Any) -> tuple[ScriptedTransport, PostStack]:
    transport = ScriptedTransport(*steps, duration=duration)
    return transport, PostStack("sk_test_x", transport=transport, **options)


def test_the_email_is_returned_once_it_has_the_status(client: PostStack) -> None:
    sent = client.emails.send(email())

    found = client.emails.wait_until(sent["id"], "delivered", 30)

    assert (found["publicId"], found["status"]) == (sent["id"], "delivered")
    assert [event["eventType"] for event in found.get("events", [])] == ["queued", "sent", "delivered"]


def test_one_of_several_statuses_is_enough(client: PostStack) -> None:
    sent = client.emails.send(email("bounce"))

    found = client.emails.wait_until(sent["id"], ["delivered", "bounced"], 30)

    assert found["status"] == "bounced"


def test_a_status_that_is_there_already_takes_no_wait(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email())
    before = emu.clock.time()

    client.emails.wait_until(sent["id"], {"queued"}, 30)

    assert emu.clock.time() == before


@pytest.mark.parametrize(
    ("to", "status", "wanted"),
    [("bounce", "bounced", "delivered"), ("fail", "failed", "delivered"), ("complain", "complained", "bounced")],
)
def test_a_final_status_that_is_not_wanted_is_not_waited_out(
    client: PostStack, emu: EmulatorSession, to: str, status: str, wanted: Any
) -> None:
    sent = client.emails.send(email(to))
    begun = emu.clock.monotonic()

    with pytest.raises(EmailStatusError, match=rf"{sent['id']} is '{status}'.*emails\.get_events") as raised:
        client.emails.wait_until(sent["id"], wanted, 600)

    assert (raised.value.email_id, raised.value.status) == (sent["id"], status)
    assert emu.clock.monotonic() - begun < 5


def test_a_delivered_email_can_still_bounce_or_be_complained_of(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email("complain"))
    emu.clock.advance(0.5)
    assert (client.emails.get(sent["id"]))["email"]["status"] == "delivered"

    found = client.emails.wait_until(sent["id"], ["bounced", "complained"], 30)

    assert found["status"] == "complained"


@pytest.mark.parametrize("gone", ["queued", "sending", "deferred", "failed"])
def test_what_cannot_follow_a_delivery_is_not_waited_for(client: PostStack, emu: EmulatorSession, gone: Any) -> None:
    sent = client.emails.send(email())
    emu.clock.advance(5)

    with pytest.raises(EmailStatusError, match=rf"'delivered', and after that '{gone}' does not come"):
        client.emails.wait_until(sent["id"], gone, 600)


def test_a_deferral_is_waited_out(client: PostStack) -> None:
    sent = client.emails.send(email("defer"))

    assert (client.emails.wait_until(sent["id"], "delivered", 90))["status"] == "delivered"


def test_the_deadline_ends_the_wait_with_the_last_status() -> None:
    with emulator(Settings(delivery_delay=1000)) as emu:
        client = emu.client()
        sent = client.emails.send(email())
        begun = emu.clock.monotonic()

        with pytest.raises(EmailWaitTimeoutError, match=r"within 20 s; its status was still 'queued'") as raised:
            client.emails.wait_until(sent["id"], "delivered", 20)

        assert (raised.value.email_id, raised.value.status) == (sent["id"], "queued")
        assert 19 <= emu.clock.monotonic() - begun <= 20


def test_the_waits_grow_and_the_last_one_leaves_time_for_an_answer() -> None:
    transport, client = scripted(having("queued"))

    with pytest.raises(EmailWaitTimeoutError):
        client.emails.wait_until("em_1", "delivered", 40)

    assert transport.clock.waits == [0.5, 1, 2, 4, 8, 8, 8, 8]
    transport, client = scripted(having("queued"))
    with pytest.raises(EmailWaitTimeoutError):
        client.emails.wait_until("em_1", "delivered", 5)
    assert transport.clock.waits == pytest.approx([0.5, 1, 2, 1])


def test_a_slow_answer_does_not_lead_beyond_the_deadline() -> None:
    transport, client = scripted(having("queued"), duration=3.0)
    begun = transport.clock.now

    with pytest.raises(EmailWaitTimeoutError):
        client.emails.wait_until("em_1", "delivered", 7)

    assert [request.deadline for request in transport.requests] == [begun + 7] * len(transport.requests)
    assert len(transport.requests) == 2


def test_an_answer_that_outlasts_the_deadline_is_a_wait_that_is_over() -> None:
    with emulator() as emu:
        client = emu.client()
        sent = client.emails.send(email())
        emu.fail(delay=60, method="GET")

        with pytest.raises(EmailWaitTimeoutError, match="there was no answer in time") as raised:
            client.emails.wait_until(sent["id"], "bounced", 4)

        assert raised.value.status is None
        assert isinstance(raised.value.__cause__, PostStackTimeoutError)
        assert emu.clock.monotonic() == pytest.approx(4)


def test_a_limit_of_calls_that_leaves_no_turn_before_the_deadline_ends_the_wait() -> None:
    transport, client = scripted(having("queued"), rate_limit=0.05)

    with pytest.raises(EmailWaitTimeoutError) as raised:
        client.emails.wait_until("em_1", "delivered", 10)

    assert raised.value.status == "queued"
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (cut(), PostStackConnectionError),
        (TransportTimeoutError("slow"), PostStackTimeoutError),
        (refusal(404, "not_found"), PostStackError),
        (response(200, {}), PostStackResponseError),
        (having(None), PostStackResponseError),
        (response(200, {"email": []}), PostStackResponseError),
    ],
    ids=["cut", "slow", "refused", "no e-mail", "no status", "no object"],
)
def test_what_asking_raises_is_raised(step: Any, kind: type[Exception]) -> None:
    _, client = scripted(having("queued"), step)

    with pytest.raises(kind):
        client.emails.wait_until("em_1", "delivered", 600)


def test_a_failure_that_passes_does_not_end_the_wait() -> None:
    _, client = scripted(having("queued"), cut(), refusal(503), having("a new one"), having("delivered"))

    assert (client.emails.wait_until("em_1", "delivered", 600))["status"] == "delivered"


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ("deliverd", "never has the status 'deliverd'"),
        (["delivered", "opened"], "never has the status 'opened'"),
        ([], "no status to wait for"),
        ("", "never has the status ''"),
        (None, "never has the status NoneType"),
        ([{"to": "ada@example.com"}], "never has the status dict"),
    ],
)
def test_statuses_that_there_are_not_are_refused_before_anything_is_sent(statuses: Any, said: str) -> None:
    transport, client = scripted(having("queued"))

    with pytest.raises(ValueError, match=said + r"\. Pass one, or several, of 'queued'"):
        client.emails.wait_until("em_1", statuses, 30)

    assert transport.requests == []


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), None, True, "30"])
def test_deadlines_that_cannot_work_are_refused_before_anything_is_sent(deadline: Any) -> None:
    transport, client = scripted(having("queued"))

    with pytest.raises(ValueError, match="deadline must be more than 0 seconds"):
        client.emails.wait_until("em_1", "delivered", deadline)

    assert transport.requests == []


def test_the_errors_are_no_failed_calls_and_survive_pickling() -> None:
    late = EmailWaitTimeoutError("It was late.", "em_1", "queued")
    over = EmailStatusError("It is over.", "em_1", "bounced")

    for error in (late, over):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
        assert (again.email_id, again.status) == (error.email_id, error.status)
        assert isinstance(error, EmailWaitError)
        assert not isinstance(error, PostStackError)
    assert isinstance(late, TimeoutError)
