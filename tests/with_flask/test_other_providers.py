"""Applications that send through another provider than PostStack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest
from flask import Flask

from poststack import OutcomeUnknownError, PostStack
from poststack.mailbridge import (
    AsyncMailBridge,
    EmailMessageDto,
    Failover,
    MailBridge,
    MemoryKeyStore,
    UnsupportedFieldError,
)
from poststack_flask import FlaskPostStack, Message, current_poststack
from poststack_flask.testing import emulator_session, record_messages
from tests.providers.fakes.base import Fault
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.with_flask.applications import EMAIL, application


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


def sending_through(fake: FakeSendGrid, extension: FlaskPostStack | None = None, **config: Any) -> Flask:
    app = application(**{"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": fake.settings(), **config})
    (extension or FlaskPostStack()).init_app(app)
    return app


def test_the_configuration_names_the_provider(fake: FakeSendGrid) -> None:
    app = sending_through(fake)
    mailer = app.extensions["poststack"]

    assert isinstance(mailer, MailBridge)
    assert mailer.send("ada@example.com", "Hi", "<p>Hi</p>", from_email="shop@example.com").success
    with app.app_context():
        assert current_poststack.emails.send(EMAIL)["id"] == fake.delivered[1].message_id


def test_the_environment_names_the_provider(fake: FakeSendGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_PROVIDER", "sendgrid")
    monkeypatch.setenv("POSTSTACK_PROVIDER_OPTIONS", json.dumps(fake.settings()))
    app = application()
    FlaskPostStack(app)

    app.extensions["poststack"].emails.send(EMAIL)

    assert len(fake.delivered) == 1


def test_arguments_name_the_provider_and_the_configuration_goes_before_them(fake: FakeSendGrid) -> None:
    first, second = application(), application(POSTSTACK_PROVIDER="poststack", POSTSTACK_API_KEY="sk_test_x")
    FlaskPostStack(provider="sendgrid", provider_options=fake.settings()).init_app(first)
    FlaskPostStack(provider="sendgrid").init_app(second)

    assert isinstance(first.extensions["poststack"], MailBridge)
    assert isinstance(second.extensions["poststack"], PostStack)


def test_a_mailbridge_that_is_there_is_used_and_left_open(fake: FakeSendGrid) -> None:
    with MailBridge("sendgrid", **fake.settings()) as mailer:
        extension = FlaskPostStack(client=mailer)
        apps = [application(), application()]
        for app in apps:
            extension.init_app(app)
            app.extensions["poststack"].emails.send(EMAIL)
        extension.close(apps[0])
        apps[1].extensions["poststack"].emails.send(EMAIL)

    assert len(fake.delivered) == 3
    assert fake.connections == 1


def test_a_failover_is_used(fake: FakeSendGrid) -> None:
    away = MailBridge("sendgrid", api_key="SG.x", endpoint="http://127.0.0.1:9/v3/mail/send", max_retries=0)
    app = application()
    FlaskPostStack(app, client=Failover([away, MailBridge("sendgrid", **fake.settings())]))

    assert isinstance(app.extensions["poststack"], Failover)
    assert app.extensions["poststack"].emails.send(EMAIL).get("provider") == "sendgrid"


@pytest.mark.parametrize("client", [PostStack("sk_test_x"), AsyncMailBridge("sendgrid", api_key="SG.x"), "sendgrid"])
def test_what_is_no_mailer_is_refused_at_once(client: Any) -> None:
    with pytest.raises(TypeError, match="`client` is a MailBridge"):
        FlaskPostStack(client=client)


def test_a_client_and_its_settings_together_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        FlaskPostStack(client=MailBridge("sendgrid", api_key="SG.x"), provider="sendgrid")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"POSTSTACK_PROVIDER": "sendgird"}, "There is no provider 'sendgird'"),
        ({"POSTSTACK_PROVIDER": "sendgrid"}, "needs the setting 'api_key'"),
        ({"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": "{api_key: secret"}, "is no JSON"),
        ({"POSTSTACK_PROVIDER": "sendgrid", "POSTSTACK_PROVIDER_OPTIONS": ["secret"]}, "is a dictionary of options"),
        ({"POSTSTACK_PROVIDER_OPTIONS": {"api_key": "secret"}}, "no provider"),
    ],
)
def test_wrong_settings_are_found_by_init_app(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        FlaskPostStack(application(**config))

    assert "secret" not in str(caught.value)


def test_messages_of_mail_packages_are_sent(fake: FakeSendGrid) -> None:
    extension = FlaskPostStack()
    app = sending_through(fake, extension, POSTSTACK_DEFAULT_SENDER="Shop <shop@example.com>")
    message = Message("Welcome", recipients=["Ada <ada@example.com>"], body="Hello", html="<p>Hello</p>")
    message.attach("list.csv", "text/csv", b"a,b")

    with app.app_context(), record_messages() as outbox:
        sent = extension.send(message, tags=["welcome"])

    (one,) = fake.delivered
    assert (one.to, one.sender, one.text, one.html) == (
        [("Ada", "ada@example.com")], ("Shop", "shop@example.com"), "Hello", "<p>Hello</p>",
    )  # fmt: skip
    assert (one.tags, one.attachments) == (["welcome"], [("list.csv", b"a,b", "text/csv", None)])
    (recorded,) = outbox
    assert (recorded.id, recorded.provider) == (sent["id"], "sendgrid")
    assert (recorded.subject, recorded.sender) == ("Welcome", "Shop <shop@example.com>")
    assert (recorded.to, recorded.body, recorded.html) == (["Ada <ada@example.com>"], "Hello", "<p>Hello</p>")
    assert [(file.filename, file.data) for file in recorded.attachments] == [("list.csv", b"a,b")]


def test_while_testing_nothing_leaves_and_everything_is_recorded(fake: FakeSendGrid) -> None:
    app = sending_through(fake, POSTSTACK_DEFAULT_SENDER="shop@example.com")
    app.config["TESTING"] = True
    mailer = app.extensions["poststack"]

    with record_messages(app) as outbox:
        mailer.emails.send(EMAIL)
        mailer.emails.batch({"emails": [EMAIL, {**EMAIL, "subject": "Second"}]})
        mailer.send_bulk([EmailMessageDto("bob@example.com", "Third", "<p>Hi</p>", "shop@example.com")])

    assert fake.requests == []
    assert [one.subject for one in outbox] == ["Hi", "Hi", "Second", "Third"]
    assert len({one.id for one in outbox}) == 4


def test_a_mailbridge_of_ones_own_is_suppressed_as_well(fake: FakeSendGrid) -> None:
    with MailBridge("sendgrid", **fake.settings(), from_email="shop@example.com") as mailer:
        app = application(TESTING=True)
        FlaskPostStack(app, client=mailer)
        with record_messages(app) as outbox:
            app.extensions["poststack"].send("ada@example.com", "Hi", "Plain", html=False)
        assert fake.requests == []
        mailer.send("ada@example.com", "Hi", "<p>For real</p>")

    assert [(one.sender, one.text, one.html) for one in outbox] == [("shop@example.com", "Plain", None)]
    assert len(fake.delivered) == 1


def test_a_suppressed_email_that_the_provider_cannot_say_is_refused(fake: FakeSendGrid) -> None:
    app = sending_through(fake, TESTING=True)

    with record_messages(app) as outbox, pytest.raises(UnsupportedFieldError, match="X-SG-ID"):
        app.extensions["poststack"].emails.send({**EMAIL, "headers": {"X-SG-ID": "1"}})
    with pytest.raises(UnsupportedFieldError, match="sends an e-mail twice"):
        app.extensions["poststack"].emails.send({**EMAIL, "idempotency_key": "k1"})

    assert outbox == []


def test_a_suppressed_email_is_sent_once_for_its_key(fake: FakeSendGrid) -> None:
    extension = FlaskPostStack()
    options = {**fake.settings(), "keys": MemoryKeyStore()}
    app = sending_through(fake, extension, TESTING=True, POSTSTACK_PROVIDER_OPTIONS=options)
    send = app.extensions["poststack"].emails.send

    with record_messages(app) as outbox:
        first, second = send({**EMAIL, "idempotency_key": "k1"}), send({**EMAIL, "idempotency_key": "k1"})
    extension.close(app)
    third = send({**EMAIL, "idempotency_key": "k1"})

    assert (first["id"], second["replayed"], len(outbox)) == (second["id"], True, 1)
    assert third["id"] != first["id"]


def test_a_transport_of_ones_own_is_used_while_testing(fake: FakeSendGrid) -> None:
    from poststack.transports.httpcore import AsyncHttpcoreTransport, HttpcoreTransport

    class Both(HttpcoreTransport):
        closed = 0

        async def asend(self, request: Any) -> Any:
            carrier = AsyncHttpcoreTransport()
            try:
                return await carrier.asend(request)
            finally:
                await carrier.aclose()

        async def aclose(self) -> None:
            self.closed += 1

    transport = Both()
    extension = FlaskPostStack(transport=transport)
    app = sending_through(fake, extension, TESTING=True)
    app.extensions["poststack"].emails.send(EMAIL)

    async def view() -> None:
        async with extension.async_client() as client:
            await client.emails.send(EMAIL)

    with app.app_context():
        asyncio.run(view())

    assert len(fake.delivered) == 2
    assert transport.closed == 0


def test_async_views_send_and_are_recorded(fake: FakeSendGrid) -> None:
    extension = FlaskPostStack()
    app = sending_through(fake, extension)

    @app.post("/")
    async def send() -> dict[str, Any]:
        async with extension.async_client() as client:
            return dict(await client.emails.send(EMAIL))

    with record_messages(app) as outbox:
        answer = app.test_client().post("/").get_json()
    app.config["TESTING"] = True
    with record_messages(app) as suppressed:
        app.test_client().post("/")

    assert answer == {"id": fake.delivered[0].message_id, "provider": "sendgrid"}
    assert [one.id for one in outbox] == [answer["id"]]
    assert (len(suppressed), len(fake.delivered)) == (1, 1)


def test_there_is_no_async_twin_of_a_mailer_of_ones_own(fake: FakeSendGrid) -> None:
    extension = FlaskPostStack(client=MailBridge("sendgrid", **fake.settings()))
    app = application()
    extension.init_app(app)

    with app.app_context(), pytest.raises(TypeError, match="Make an AsyncMailBridge"):
        extension.async_client()


def test_an_unknown_outcome_is_the_error_of_the_view(fake: FakeSendGrid) -> None:
    app = sending_through(fake)
    fake.faults.append(Fault(taken=True, reset=True))

    with pytest.raises(OutcomeUnknownError) as caught:
        app.extensions["poststack"].emails.send(EMAIL)

    assert caught.value.may_have_taken_effect
    assert len(fake.requests) == 1


def test_commands_say_what_only_poststack_has(fake: FakeSendGrid) -> None:
    app = sending_through(fake, POSTSTACK_DEFAULT_SENDER="shop@example.com")
    runner = app.test_cli_runner()

    sent = runner.invoke(args=["poststack", "send-test", "ada@example.com"])
    waiting = runner.invoke(args=["poststack", "send-test", "ada@example.com", "--wait", "5"])
    webhooks = runner.invoke(args=["poststack", "webhook", "list"])

    assert sent.output == f"{fake.delivered[0].message_id} accepted by sendgrid\n"
    assert (waiting.exit_code, len(fake.delivered)) == (1, 1)
    assert "sendgrid cannot be asked" in waiting.output
    assert webhooks.exit_code == 1
    assert "sends through sendgrid" in webhooks.output


def test_the_emulator_does_not_stand_in_for_another_provider(fake: FakeSendGrid) -> None:
    app = sending_through(fake, TESTING=True)

    with pytest.raises(RuntimeError, match="record_messages"):
        emulator_session(app)
