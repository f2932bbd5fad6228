"""The Flask extension, in real applications on the emulator."""

from __future__ import annotations

import pytest
from flask import Flask, current_app

from poststack import PostStack
from poststack.testing import emulator
from poststack.types import SendEmail
from poststack_flask import FlaskPostStack, current_poststack

EMAIL: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}


def application(**config: object) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(config)
    return app


def test_the_client_itself_is_the_extension() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x")
    FlaskPostStack(app)

    assert isinstance(app.extensions["poststack"], PostStack)


def test_a_view_sends_through_the_applications_client() -> None:
    with emulator() as emu:
        app = application(POSTSTACK_API_KEY="sk_test_x")
        FlaskPostStack(app, transport=emu.transport)

        @app.post("/signup")
        def signup() -> dict[str, str]:
            mail = current_app.extensions["poststack"].emails
            sent = mail.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"})
            return {"id": sent["id"]}

        answer = app.test_client().post("/signup")

        assert answer.json == {"id": emu.sent[0].id}


def test_the_proxy_is_the_client_of_the_application_at_work() -> None:
    extension = FlaskPostStack(api_key="sk_test_x")
    apps = [application(), application()]
    for app in apps:
        extension.init_app(app)

    for app in apps:
        with app.app_context():
            assert current_poststack.emails is app.extensions["poststack"].emails
    assert apps[0].extensions["poststack"] is not apps[1].extensions["poststack"]


def test_the_proxy_says_what_to_call_when_there_is_no_client() -> None:
    with application().app_context(), pytest.raises(RuntimeError, match="init_app"):
        current_poststack.emails  # noqa: B018


def test_settings_come_from_the_configuration_then_the_environment_then_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://localhost:1111")
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_environment")
    from_environment, from_configuration = application(), application(POSTSTACK_BASE_URL="http://localhost:2222")
    for app in (from_environment, from_configuration):
        FlaskPostStack(app, base_url="http://localhost:3333")

    assert "localhost:1111" in repr(from_environment.extensions["poststack"])
    assert "localhost:2222" in repr(from_configuration.extensions["poststack"])


def test_a_second_client_for_one_application_is_refused() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x")
    FlaskPostStack(app)

    with pytest.raises(RuntimeError, match="already"):
        FlaskPostStack(app)


def test_a_missing_key_is_logged_at_start_and_raised_when_something_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    app = application()
    FlaskPostStack(app)

    assert "POSTSTACK_API_KEY" in caplog.text
    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        app.extensions["poststack"].emails.send(EMAIL)


def test_a_setting_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="POSTSTACK_TIMEOUT"):
        FlaskPostStack(application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_TIMEOUT="soon"))


def test_numbers_from_the_environment_are_read() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_TIMEOUT="2.5", POSTSTACK_MAX_RETRIES="0")

    FlaskPostStack(app)

    assert isinstance(app.extensions["poststack"], PostStack)
