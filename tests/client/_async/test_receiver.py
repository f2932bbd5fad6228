"""A receiver of webhooks: what it trusts, whom it calls, what it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack.events import SIGNATURE_HEADER, WebhookEvent, sign
from poststack.receiving import AsyncWebhookReceiver, Claim, MemoryEventStore, NamedHandler
from poststack.testing import WebhookCall, webhook_call

pytestmark = pytest.mark.anyio

SECRET = "whsec_of_the_shop"


def delivered(event_type: str = "email.delivered", **more: Any) -> WebhookCall:
    given: dict[str, Any] = {"secret": SECRET, "email_id": "em_1", **more}
    return webhook_call(event_type, **given)


async def receive(receiver: AsyncWebhookReceiver, call: WebhookCall) -> tuple[int, str]:
    return await receiver.receive(call.body, call.headers[SIGNATURE_HEADER])


class Recorder:
    """A handler that fails as often as it is told to."""

    def __init__(self, failures: int = 0, error: type[BaseException] = RuntimeError) -> None:
        self.events: list[WebhookEvent] = []
        self._failures = failures
        self._error = error

    async def __call__(self, event: WebhookEvent) -> None:
        self.events.append(event)
        if len(self.events) <= self._failures:
            raise self._error("It went wrong.")


async def test_a_handler_gets_the_event_that_it_asked_for() -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    bounces, all_events = Recorder(), Recorder()
    receiver.on("email.bounced", "email.failed")(bounces)
    receiver.on("*")(all_events)

    assert await receive(receiver, delivered()) == (200, "ok")
    assert await receive(receiver, delivered("email.bounced")) == (200, "ok")
    assert await receive(receiver, delivered("contact.created")) == (200, "ok")

    assert [(event.type, event.email_id) for event in bounces.events] == [("email.bounced", "em_1")]
    assert [event.type for event in all_events.events] == ["email.delivered", "email.bounced", "contact.created"]


async def test_the_signature_may_be_among_all_headers() -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    receiver.on("*")(handler := Recorder())
    call = delivered()

    for headers, status in (({SIGNATURE_HEADER.upper(): call.headers[SIGNATURE_HEADER], "Host": "x"}, 200), ({}, 401)):
        answer = await receiver.receive(call.body, headers=headers)
        assert (answer.status, answer.headers) == (status, {})
    assert len(handler.events) == 1


async def test_handlers_without_await_are_called_as_well() -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    seen: list[str] = []

    @receiver.on("email.delivered")
    def note(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        seen.append(event.type)

    await receive(receiver, delivered())
    assert seen == ["email.delivered"]


async def test_an_event_that_nobody_asked_for_is_taken() -> None:
    assert await receive(AsyncWebhookReceiver(SECRET), delivered()) == (200, "ok")


async def test_a_repeated_delivery_calls_nobody() -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    receiver.on("*")(handler := Recorder())
    call = delivered()

    answers = [await receive(receiver, call) for _ in range(3)]

    assert answers == [(200, "ok")] * 3
    assert len(handler.events) == 1


async def test_an_event_without_an_id_is_known_by_its_body() -> None:
    receiver = AsyncWebhookReceiver(SECRET, max_age=None)
    receiver.on("*")(handler := Recorder())
    body = b'{"type":"email.delivered","data":{}}'

    for _ in range(2):
        assert (await receiver.receive(body, sign(body, SECRET))).status == 200
    assert len(handler.events) == 1


async def test_only_those_that_failed_are_called_again(caplog: pytest.LogCaptureFixture) -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    handlers = [Recorder(), Recorder(failures=2), Recorder()]
    for handler in handlers:
        receiver.on("email.delivered")(handler)
    call = delivered()

    answers = [await receive(receiver, call) for _ in range(4)]

    assert answers == [(500, "A handler failed.")] * 2 + [(200, "ok")] * 2
    assert [len(handler.events) for handler in handlers] == [1, 3, 1]
    assert "Recorder#2 failed" in caplog.text


async def test_nothing_of_an_event_but_ids_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "poststack.webhooks")
    receiver = AsyncWebhookReceiver(SECRET)
    receiver.on("*")(Recorder())

    await receive(receiver, delivered(recipient="ada@example.com"))
    await receiver.receive(b"{", "sha256=00")

    assert "em_1" in caplog.text
    assert "ada@" not in caplog.text + repr(receiver)
    assert SECRET not in caplog.text + repr(receiver)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_a_process_that_is_told_to_end_leaves_the_event_to_the_next(error: type[BaseException]) -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    receiver.on("*")(handler := Recorder(failures=1, error=error))
    call = delivered()

    with pytest.raises(error):
        await receive(receiver, call)
    assert await receive(receiver, call) == (200, "ok")
    assert len(handler.events) == 2


async def test_an_event_that_is_being_handled_is_asked_for_again() -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    call = delivered()
    meanwhile: list[tuple[int, str]] = []

    @receiver.on("*")
    async def handle(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        meanwhile.append(await receive(receiver, call))

    assert await receive(receiver, call) == (200, "ok")
    assert meanwhile == [(503, "The event is being handled.")]


async def test_a_failure_is_told_before_a_delay() -> None:
    store = MemoryEventStore()
    receiver = AsyncWebhookReceiver(SECRET, store=store)
    receiver.on("*")(Recorder())
    receiver.on("*")(Recorder(failures=1))
    call = delivered(event_id="evt_1")
    store.begin(f"evt_1/{__name__}.Recorder")

    assert await receive(receiver, call) == (500, "A handler failed.")
    assert await receive(receiver, call) == (503, "The event is being handled.")


@pytest.mark.parametrize(
    ("secrets", "given", "answer"),
    [
        ("new", "new", 200),
        (["new", "old"], "old", 200),
        ("new,old", "old", 200),
        (" new , ", "new", 200),
        (["new"], ["old", "new"], 200),
        ("new", "old", 401),
        ("new", "n", 401),
        (["new", ""], "old", 401),
    ],
)
async def test_one_matching_secret_is_enough(secrets: Any, given: str | list[str], answer: int) -> None:
    assert (await receive(AsyncWebhookReceiver(secrets), delivered(secret=given)))[0] == answer


@pytest.mark.parametrize("secrets", [None, "", " , ", [], [""], ()])
async def test_without_a_secret_nobody_is_trusted(secrets: Any, caplog: pytest.LogCaptureFixture) -> None:
    receiver = AsyncWebhookReceiver(secrets)
    receiver.on("*")(handler := Recorder())

    assert await receive(receiver, delivered()) == (403, "This endpoint has no signing secret.")
    assert handler.events == []
    assert "no secret is configured" in caplog.text


@pytest.mark.parametrize("header", [None, "", "sha256=00", "sha256=" + "0" * 64])
async def test_a_call_without_a_matching_signature_is_refused(header: str | None) -> None:
    receiver = AsyncWebhookReceiver(SECRET)
    receiver.on("*")(handler := Recorder())

    assert await receiver.receive(delivered().body, header) == (401, "No signature matches.")
    assert handler.events == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"type":1}'])
async def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    answer = await AsyncWebhookReceiver(SECRET).receive(body, sign(body, SECRET))

    assert answer.status == 400
    assert "webhook body" in answer.text


async def test_a_body_over_the_limit_is_refused() -> None:
    call = delivered(data={"note": "x" * 1000})

    assert (await receive(AsyncWebhookReceiver(SECRET, max_bytes=len(call.body) - 1), call))[0] == 413
    assert (await receive(AsyncWebhookReceiver(SECRET, max_bytes=len(call.body)), call))[0] == 200


@pytest.mark.parametrize(
    ("max_age", "age", "status"),
    [(60.0, 59, 200), (60.0, 65, 400), (60.0, -300, 200), (None, 10**8, 200), (float("inf"), 10**8, 200)],
)
async def test_an_old_event_is_refused(max_age: float | None, age: float, status: int) -> None:
    call = delivered(timestamp=datetime.now(timezone.utc) - timedelta(seconds=age))

    assert (await receive(AsyncWebhookReceiver(SECRET, max_age=max_age), call))[0] == status


async def test_an_event_without_a_time_has_every_age() -> None:
    body = b'{"id":"evt_1","type":"email.delivered"}'

    assert (await AsyncWebhookReceiver(SECRET).receive(body, sign(body, SECRET))).status == 400
    assert (await AsyncWebhookReceiver(SECRET, max_age=None).receive(body, sign(body, SECRET))).status == 200


async def test_the_retries_of_a_day_are_not_too_old() -> None:
    call = delivered(timestamp=datetime.now(timezone.utc) - timedelta(hours=25))

    assert (await receive(AsyncWebhookReceiver(SECRET), call))[0] == 200


class FailingStore(MemoryEventStore):
    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = set(failing)

    def fail(self, step: str) -> None:
        if step in self.failing:
            raise OSError("The store is down.")

    async def abegin(self, key: str) -> Claim:
        self.fail("begin")
        return super().begin(key)

    async def afinish(self, claim: Claim) -> None:
        self.fail("finish")
        super().finish(claim)

    async def aabandon(self, claim: Claim) -> None:
        self.fail("abandon")
        super().abandon(claim)


async def test_while_the_store_is_down_the_event_waits(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore("begin")
    receiver = AsyncWebhookReceiver(SECRET, store=store)
    receiver.on("*")(handler := Recorder())
    call = delivered()

    assert await receive(receiver, call) == (503, "The event cannot be stored now.")
    assert "the event store failed" in caplog.text
    assert handler.events == []

    store.failing.clear()
    assert await receive(receiver, call) == (200, "ok")


async def test_what_is_done_is_done_though_it_cannot_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    receiver = AsyncWebhookReceiver(SECRET, store=FailingStore("finish"))
    receiver.on("*")(handler := Recorder())

    assert await receive(receiver, delivered()) == (200, "ok")
    assert len(handler.events) == 1
    assert "could not be stored" in caplog.text


async def test_a_failure_that_cannot_be_stored_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    receiver = AsyncWebhookReceiver(SECRET, store=FailingStore("abandon"))
    receiver.on("*")(Recorder(failures=1))
    call = delivered()

    assert await receive(receiver, call) == (500, "A handler failed.")
    assert await receive(receiver, call) == (503, "The event is being handled.")
    assert "when its lease has ended" in caplog.text


async def test_what_is_no_store_is_refused_at_once() -> None:
    not_a_store: Any = object()

    with pytest.raises(TypeError, match=r"has no method `a?begin`"):
        AsyncWebhookReceiver(SECRET, store=not_a_store)


@pytest.mark.parametrize("secrets", [17, [17], b"bytes", [b"bytes"], [None]])
async def test_a_secret_that_is_no_text_is_refused_at_once(secrets: Any) -> None:
    with pytest.raises(ValueError, match="A webhook secret is text"):
        AsyncWebhookReceiver(secrets)


async def test_a_secret_may_hide_itself() -> None:
    class Hidden:
        def get_secret_value(self) -> str:
            return SECRET

    assert (await receive(AsyncWebhookReceiver(Hidden()), delivered()))[0] == 200
    assert (await receive(AsyncWebhookReceiver([Hidden(), "other"]), delivered()))[0] == 200


async def test_handlers_may_come_from_elsewhere() -> None:
    class Routing:
        def __init__(self) -> None:
            self.handler = Recorder()

        def of(self, event: WebhookEvent) -> Iterable[NamedHandler]:
            yield NamedHandler(f"routing/{event.type}", self.handler)

    routing = Routing()

    assert (await receive(AsyncWebhookReceiver(SECRET, handlers=routing), delivered()))[0] == 200
    assert len(routing.handler.events) == 1


async def test_the_way_to_call_may_be_chosen() -> None:
    async def call(handler: Callable[..., Any], event: WebhookEvent) -> None:
        await handler(event)
        calls.append(event.type)

    calls: list[str] = []
    receiver = AsyncWebhookReceiver(SECRET, call=call)
    receiver.on("*")(handler := Recorder())

    await receive(receiver, delivered())

    assert (calls, len(handler.events)) == (["email.delivered"], 1)


async def test_a_trusted_event_can_be_handled_without_a_call() -> None:
    receiver = AsyncWebhookReceiver(None)
    receiver.on("*")(handler := Recorder())

    assert (await receiver.handle(WebhookEvent("evt_1", "email.sent", None, None, {}))).status == 200
    assert [event.id for event in handler.events] == ["evt_1"]
