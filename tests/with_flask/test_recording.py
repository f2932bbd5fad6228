"""What tests see of what was sent, and the signal that tells of it."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING, Any

import pytest
from flask import current_app

from poststack import PostStackError, PostStackResponseError
from poststack.testing import emulator
from poststack.transports.base import HttpRequest, HttpResponse
from poststack_flask import FlaskPostStack, current_poststack
from poststack_flask.sent import SentMessage
from poststack_flask.signals import email_sent
from poststack_flask.testing import emulator_session, record_messages
from tests.with_flask.applications import EMAIL, registered

if TYPE_CHECKING:
    from poststack.types import SendEmail


def test_what_is_sent_inside_the_block_is_recorded() -> None:
    extension = FlaskPostStack()
    app = registered(extension)
    client = app.extensions["poststack"]
    client.emails.send({**EMAIL, "subject": "Before"})
    with app.app_context(), extension.record_messages() as outbox:
        sent = client.emails.send({**EMAIL, "subject": "Inside"})
        client.emails.get(sent["id"])
    client.emails.send({**EMAIL, "subject": "After"})

    assert [(message.subject, message.id) for message in outbox] == [("Inside", sent["id"])]


def test_a_message_speaks_both_languages() -> None:
    app = registered()
    everything: SendEmail = {
        "from": "Shop <shop@example.com>",
        "to": ["Ada <ada@example.com>"],
        "cc": ["c@example.com"],
        "bcc": ["d@example.com"],
        "reply_to": "desk@example.com",
        "subject": "Your order",
        "text": "Thank you",
        "html": "<p>Thank you</p>",
        "headers": {"X-Order": "7"},
        "tags": ["receipt"],
        "attachments": [
            {"filename": "a.txt", "content": base64.b64encode(b"Total: 7").decode(), "content_type": "text/plain"},
            {"filename": "b.png", "content": "aGk=", "content_id": "logo"},
        ],
    }
    with record_messages(app) as outbox:
        app.extensions["poststack"].emails.send(everything)

    (message,) = outbox
    assert message.sender == message.from_ == "Shop <shop@example.com>"
    assert message.recipients == message.to == ["Ada <ada@example.com>"]
    assert (message.cc, message.bcc, message.reply_to) == (["c@example.com"], ["d@example.com"], "desk@example.com")
    assert message.send_to == {"Ada <ada@example.com>", "c@example.com", "d@example.com"}
    assert message.body == message.text == "Thank you"
    assert message.html == "<p>Thank you</p>"
    assert message.extra_headers == message.headers == {"X-Order": "7"}
    assert message.tags == ["receipt"]
    assert [(file.filename, file.data, file.content_type, file.disposition) for file in message.attachments] == [
        ("a.txt", b"Total: 7", "text/plain", "attachment"),
        ("b.png", b"hi", None, "inline"),
    ]
    assert message.payload == everything
    assert "ada@example.com" not in repr(message)


def test_what_a_message_does_not_say_is_empty() -> None:
    message = SentMessage("em_1", {"from": "a@example.com", "to": ["b@example.com"], "template_id": "tpl_1"})

    assert [message.subject, message.text, message.html, message.reply_to] == [None] * 4
    assert [message.cc, message.bcc, message.tags, message.attachments, message.headers] == [[], [], [], [], {}]


def test_batches_are_recorded_one_by_one_without_those_that_are_refused() -> None:
    app = registered()
    refused: SendEmail = {**EMAIL, "to": ["no address"]}
    with record_messages(app) as outbox:
        answer = app.extensions["poststack"].emails.batch({"emails": [EMAIL, refused, {**EMAIL, "subject": "Last"}]})

    assert [message.subject for message in outbox] == ["Hi", "Last"]
    assert [message.id for message in outbox] == [answer["data"][0]["id"], answer["data"][2]["id"]]


def test_what_is_refused_is_not_recorded() -> None:
    app = registered()
    emulator_session(app).fail(422, times=1)
    with record_messages(app) as outbox, pytest.raises(PostStackError):
        app.extensions["poststack"].emails.send(EMAIL)

    assert outbox == []


def test_an_answer_that_was_lost_leaves_one_message() -> None:
    app = registered()
    emulator_session(app).fail(lost_answer=True, times=1)
    with record_messages(app) as outbox:
        answer = app.extensions["poststack"].emails.send(EMAIL)

    assert [(message.id, message.replayed) for message in outbox] == [(answer["id"], True)]


def test_an_email_that_is_sent_again_with_its_key_is_recorded_once() -> None:
    app = registered()
    with record_messages(app) as outbox:
        for _ in range(2):
            app.extensions["poststack"].emails.send({**EMAIL, "idempotency_key": "order-7"})

    assert len(outbox) == 1


def test_the_asynchronous_client_is_recorded() -> None:
    extension = FlaskPostStack()
    app = registered(extension)

    async def send() -> None:
        async with extension.async_client() as client:
            await asyncio.gather(*(client.emails.send({**EMAIL, "subject": str(number)}) for number in range(3)))

    with app.app_context(), record_messages() as outbox:
        asyncio.run(send())

    assert sorted(message.subject or "" for message in outbox) == ["0", "1", "2"]


def test_each_application_has_a_list_of_its_own_and_all_have_one_where_none_is_at_work() -> None:
    extension = FlaskPostStack()
    one, other = registered(extension), registered(extension)
    with (
        record_messages() as everything,
        record_messages(one) as of_one,
        other.app_context(),
        extension.record_messages() as of_other,
    ):
        for app, subject in ((one, "one"), (other, "other")):
            app.extensions["poststack"].emails.send({**EMAIL, "subject": subject})

    assert [message.subject for message in everything] == ["one", "other"]
    assert [message.subject for message in of_one] == ["one"]
    assert [message.subject for message in of_other] == ["other"]


def test_the_current_application_may_be_given_as_its_proxy() -> None:
    with registered().app_context(), record_messages(current_app) as outbox:
        current_poststack.emails.send(EMAIL)

    assert len(outbox) == 1


def test_messages_of_other_threads_are_recorded() -> None:
    app = registered()

    def send(number: int) -> None:
        with app.app_context():
            current_poststack.emails.send({**EMAIL, "subject": str(number)})

    with record_messages(app) as outbox:
        threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert {message.subject for message in outbox} == {str(number) for number in range(20)}


def test_what_leaves_for_real_is_signalled_as_well() -> None:
    with emulator() as emu:
        app = registered(FlaskPostStack(transport=emu.transport), POSTSTACK_API_KEY="sk_test_x")
        heard: list[tuple[Any, str, str | None]] = []

        def hear(sender: Any, message: SentMessage, id: str, **_: object) -> None:
            heard.append((sender, id, message.subject))

        with email_sent.connected_to(hear, sender=app):
            app.extensions["poststack"].emails.send(EMAIL)

        assert heard == [(app, emu.sent[0].id, "Hi")]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_receiver_that_fails_turns_nothing_into_an_error(way: str, caplog: pytest.LogCaptureFixture) -> None:
    extension = FlaskPostStack()
    app = registered(extension)

    def fail(sender: Any, **_: object) -> None:
        raise RuntimeError("a secret of ada@example.com")

    with email_sent.connected_to(fail), record_messages(app) as outbox, app.app_context():
        if way == "sync":
            current_poststack.emails.send(EMAIL)
        else:
            asyncio.run(extension.async_client().emails.send(EMAIL))

    assert len(outbox) == 1
    assert "fail of email_sent failed with RuntimeError" in caplog.text
    assert "ada@" not in caplog.records[-1].getMessage()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_receivers_may_be_asynchronous(way: str) -> None:
    extension = FlaskPostStack()
    app = registered(extension)
    heard: list[str] = []

    async def hear(sender: Any, id: str, **_: object) -> None:
        await asyncio.sleep(0)
        heard.append(id)

    with email_sent.connected_to(hear), app.app_context():
        if way == "sync":
            sent = current_poststack.emails.send(EMAIL)
        else:
            sent = asyncio.run(extension.async_client().emails.send(EMAIL))

    assert heard == [sent["id"]]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 7}', b'{"data": [7, null]}', b"\xff"])
def test_an_answer_that_is_none_is_the_clients_to_judge(body: bytes) -> None:
    class Odd:
        def send(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(202, {}, body)

        def close(self) -> None:
            pass

    app = registered(FlaskPostStack(transport=Odd(), api_key="sk_test_x"))
    with record_messages(app) as outbox, pytest.raises(PostStackResponseError):
        app.extensions["poststack"].emails.send(EMAIL)

    assert outbox == []
