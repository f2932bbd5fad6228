"""Handlers by event type, and the names under which it is remembered what they have done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from poststack.events import SIGNATURE_HEADER, WebhookEvent
from poststack.receiving import EventHandlers, WebhookAnswer, WebhookReceiver, check_webhook
from poststack.testing import webhook_call


def event(event_type: str = "email.bounced") -> WebhookEvent:
    return WebhookEvent("evt_1", event_type, None, None, {})


def handle(event: WebhookEvent) -> None:
    pass


def made() -> Callable[[WebhookEvent], None]:
    def inner(event: WebhookEvent) -> None: ...

    return inner


def named(handlers: EventHandlers, event_type: str = "email.bounced") -> list[str]:
    return [one.name.removeprefix(f"{__name__}.") for one in handlers.of(event(event_type))]


def test_the_name_is_the_same_in_every_process() -> None:
    handlers = EventHandlers()
    handlers.on("email.bounced")(handle)

    assert [one.name for one in handlers.of(event())] == [f"{__name__}.handle"]


def test_the_handler_comes_back_as_it_is() -> None:
    assert EventHandlers().on("*")(handle) is handle


def test_handlers_of_one_name_are_told_apart_by_their_order() -> None:
    handlers = EventHandlers()
    for _ in range(3):
        handlers.on("*")(made())
    handlers.on("*")(partial(handle))

    assert [name.rpartition(".")[2] for name in named(handlers)] == ["inner", "inner#2", "inner#3", "partial"]


def test_a_handler_that_is_decorated_twice_is_one_handler_of_both_types() -> None:
    handlers = EventHandlers()
    handlers.on("*")(handlers.on("email.bounced")(handle))
    handlers.on("email.failed")(handle)

    assert named(handlers) == ["handle"]
    assert named(handlers, "email.opened") == ["handle"]


def test_a_method_is_one_handler_each_time_it_is_looked_up() -> None:
    class Shop:
        def handle(self, event: WebhookEvent) -> None: ...

    handlers, shop = EventHandlers(), Shop()
    handlers.on("email.bounced")(shop.handle)
    handlers.on("email.failed")(shop.handle)
    handlers.on("email.failed")(Shop().handle)

    assert len(handlers.of(event("email.bounced"))) == 1
    assert len(handlers.of(event("email.failed"))) == 2


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ((), "at least one event type"),
        (("email.bounce",), "'email.bounce' is no event type"),
        (("bounced",), "'bounced' is no event type"),
        (("email.bounced", "email.*"), r"'email\.\*' is no event type"),
        (("",), "'' is no event type"),
        ((handle,), r'as in on\("email.bounced"\), not function'),
        ((["email.bounced"],), "not list"),
        ((None,), "not NoneType"),
    ],
)
def test_a_type_that_no_event_has_is_refused(types: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EventHandlers().on(*types)


def test_types_of_other_groups_are_taken() -> None:
    handlers = EventHandlers()
    handlers.on("contact.created", "domain.verified")(handle)

    assert named(handlers, "contact.created") == ["handle"]


def test_an_async_handler_of_a_synchronous_receiver_is_a_failure_that_is_explained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver = WebhookReceiver("secret")

    @receiver.on("*")
    async def handle_later(event: WebhookEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        raise AssertionError

    call = webhook_call(secret="secret")

    assert receiver.receive(call.body, call.headers[SIGNATURE_HEADER]).status == 500
    assert "handle_later is async: it needs an AsyncWebhookReceiver" in caplog.text


def test_a_single_secret_is_one_secret_not_its_letters() -> None:
    forged = webhook_call(secret="s")
    real = webhook_call(secret="secret")

    assert check_webhook(forged.body, forged.headers[SIGNATURE_HEADER], "secret") == WebhookAnswer(
        401, "No signature matches."
    )
    assert isinstance(check_webhook(real.body, real.headers[SIGNATURE_HEADER], "secret"), WebhookEvent)
