"""What a user's test can do with the emulator in memory."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack import PostStackError, PostStackTimeoutError
from poststack.events import construct_event
from poststack.testing import EmulatorSession, SentAttachment, Settings, emulator
from poststack.transports.base import Clock
from poststack.types import SendEmail

EMAIL: SendEmail = {"from": "Shop <shop@example.com>", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}


def test_what_was_sent_can_be_looked_at() -> None:
    with emulator(start=datetime(2026, 3, 1, tzinfo=timezone.utc)) as emu:
        emu.client().emails.send(
            {
                **EMAIL,
                "to": ["Ada <ada@example.com>"],
                "cc": ["c@example.com"],
                "reply_to": "r@example.com",
                "tags": ["a"],
                "headers": {"X-A": "1"},
                "attachments": [{"filename": "a.txt", "content": "aGk="}],
                "scheduled_at": "2026-03-02T00:00:00Z",
            }
        )
        [sent] = emu.sent

    assert (sent.from_, sent.to, sent.cc, sent.bcc) == (
        "Shop <shop@example.com>",
        ["Ada <ada@example.com>"],
        ["c@example.com"],
        [],
    )
    assert (sent.reply_to, sent.tags, sent.headers) == (["r@example.com"], ["a"], {"X-A": "1"})
    assert sent.attachments == [SentAttachment("a.txt", b"hi", "text/plain")]
    assert (sent.created_at.day, sent.scheduled_at, sent.sent_at) == (
        1,
        datetime(2026, 3, 2, tzinfo=timezone.utc),
        None,
    )
    assert (sent.status, sent.test_mode, sent.payload["subject"]) == ("queued", True, "Hi")


def test_time_passes_when_told(poststack_emulator: EmulatorSession) -> None:
    emu = poststack_emulator
    emu.client().emails.send(EMAIL)
    before = emu.sent[0].status
    emu.clock.advance(1)

    assert (before, emu.sent[0].status) == ("queued", "delivered")
    assert [event.type for event in emu.events] == ["queued", "sent", "delivered"]
    assert emu.events[2].recipient == "ada@example.com"
    assert emu.events[2].at - emu.events[0].at == timedelta(seconds=0.5)
    assert isinstance(emu.clock, Clock)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            emu.clock.advance(wrong)


def test_the_clock_is_moved_through_the_control_interface_as_well(poststack_emulator: EmulatorSession) -> None:
    from poststack.transports.base import HttpRequest

    emu = poststack_emulator
    emu.client().emails.send(EMAIL)
    emu.transport.send(HttpRequest("POST", "http://x/_emulator/clock", {}, b'{"advance": 60}'))

    assert emu.sent[0].status == "delivered"


def test_a_fault_is_waited_out_without_waiting(poststack_emulator: EmulatorSession) -> None:
    emu = poststack_emulator
    emu.fail(429, retry_after=50, times=2)
    emu.client().emails.send(EMAIL)

    assert emu.clock.monotonic() >= 100


def test_a_late_answer_times_out_on_the_movable_clock(poststack_emulator: EmulatorSession) -> None:
    emu = poststack_emulator
    emu.fail(delay=20)
    emu.client().emails.send(EMAIL)
    on_time = emu.clock.monotonic()
    with pytest.raises(PostStackTimeoutError):
        emu.client(timeout=5, max_retries=0).emails.send(EMAIL)
    with pytest.raises(PostStackTimeoutError):
        emu.client(deadline=3).emails.send(EMAIL)

    assert (on_time, len(emu.sent)) == (20, 3)
    assert emu.clock.monotonic() <= 28
    emu.clear_faults()
    emu.client(timeout=0.1).emails.send(EMAIL)


def test_an_asynchronous_client_uses_the_same_emulator(poststack_emulator: EmulatorSession) -> None:
    async def send() -> str:
        async with poststack_emulator.async_client() as client:
            poststack_emulator.fail(503, retry_after=5, times=1)
            return (await client.emails.send(EMAIL))["id"]

    assert asyncio.run(send()) == poststack_emulator.sent[0].id
    with poststack_emulator.client() as client:
        assert client.emails.list()["meta"]["total"] == 1


def test_webhooks_are_received_signed_and_retried(poststack_emulator: EmulatorSession) -> None:
    emu = poststack_emulator
    answers = [500, 204]
    received: list[str] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        received.append(construct_event(body, headers["x-poststack-signature"], "s3cret").id)
        return answers.pop(0)

    emu.on_webhook(receive, secret="s3cret", events=["email.opened"])
    sent = emu.client().emails.send(EMAIL)
    emu.simulate(sent["id"], "opened")
    first = len(received)
    emu.clock.advance(60)

    assert first == 1
    assert len(received) == 2
    assert len(set(received)) == 1


def test_a_webhook_made_through_the_api_reaches_a_receiver_with_its_url(poststack_emulator: EmulatorSession) -> None:
    emu, client = poststack_emulator, poststack_emulator.client()
    url = "https://shop.example.com/hook"
    client.webhooks.create({"url": url, "events": ["email.sent"]})
    client.webhooks.create({"url": "https://other.example.com/", "events": ["email.sent"]})
    bodies: list[bytes] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        bodies.append(body)
        raise ZeroDivisionError

    assert emu.on_webhook(receive, url=url, events=["email.sent"]) == url
    client.emails.send(EMAIL)
    emu.clock.advance(1)
    states = [emu.emulator.store.deliveries_of_webhook(number)[0].attempts[0] for number in (1, 2)]

    assert len(bodies) == 1
    assert (states[0].status, states[0].error) == (500, "The receiver raised ZeroDivisionError.")
    assert states[1].status is None
    assert "on_webhook" in (states[1].error or "")


def test_a_receiver_that_feeds_on_itself_is_stopped() -> None:
    with emulator(Settings(delivery_delay=0)) as emu:
        client = emu.client()
        emu.on_webhook(lambda body, headers: 200 if client.emails.send(EMAIL)["id"] else 500, events=["email.queued"])

        client.emails.send(EMAIL)
        with pytest.raises(RuntimeError, match="does not end"):
            emu.clock.advance(1)


def test_settings_and_keys_are_the_tests_own() -> None:
    with emulator(Settings(api_keys=("sk_live_mine",), domains=("shop.example",))) as emu:
        with pytest.raises(PostStackError, match="Domain not verified"):
            emu.client().emails.send(EMAIL)
        with pytest.raises(PostStackError, match="Invalid API key"):
            emu.client(api_key="sk_test_other").emails.send(EMAIL)

        assert emu.client().emails.send({**EMAIL, "from": "a@shop.example"}).get("test_mode") is None
        assert emu.sent[0].test_mode is False


async def _asleep(emu: EmulatorSession) -> None:
    await emu.clock.asleep(5)
    await emu.transport.aclose()


def test_sleeping_takes_no_time(poststack_emulator: EmulatorSession) -> None:
    asyncio.run(_asleep(poststack_emulator))
    poststack_emulator.clock.sleep(-1)
    poststack_emulator.transport.close()

    assert poststack_emulator.clock.monotonic() == 5


@pytest.mark.parametrize("unpublished", ["dkim", ["dkin"]])
def test_purposes_of_dns_records_are_a_list_of_those_there_are(unpublished: Any) -> None:
    with emulator() as emu:
        domain = emu.client().domains.create({"name": "example.com"})["domain"]["id"]

        with pytest.raises(ValueError, match="must be a list of purposes of records: spf, dkim"):
            emu.set_dns(domain, unpublished=unpublished)


@pytest.mark.parametrize("status", [200, 302, 600])
def test_only_errors_can_be_faults(status: int) -> None:
    with emulator() as emu, pytest.raises(ValueError, match="from 400 to 599"):
        emu.fail(status)


def test_a_mail_is_a_message_or_described_and_never_empty() -> None:
    with emulator() as emu:
        with pytest.raises(ValueError, match="not both"):
            emu.receive(b"From: a@example.com\r\nTo: in@example.com\r\n\r\nHi", subject="Hi")
        for empty in (b"", "\r\n"):
            with pytest.raises(ValueError, match="The mail is empty"):
                emu.receive(empty, recipients=["in@example.com"])


def test_an_unknown_id_says_which_kind_of_id_is_meant() -> None:
    with emulator() as emu:
        with pytest.raises(KeyError, match="look like em_"):
            emu.simulate("1", "opened")
        with pytest.raises(KeyError, match="the `id` of a domain"):
            emu.set_dns(7)


def test_a_webhook_that_waits_for_a_misspelt_event_is_refused() -> None:
    with emulator() as emu, pytest.raises(ValueError, match=r"Did you mean `email\.delivered`"):
        emu.on_webhook(lambda body, headers: 200, events=["email.delivred"])
