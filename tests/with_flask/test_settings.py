"""Where the settings of an application come from, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from poststack.receiving import MemoryEventStore
from poststack_flask import FlaskPostStack
from poststack_flask.settings import Settings
from poststack_flask.state import state_of
from tests.with_flask.applications import application


def settings_of(config: dict[str, Any], **defaults: Any) -> Settings:
    app = application(**{"POSTSTACK_API_KEY": "sk_test_x", **config})
    FlaskPostStack(app, **defaults)
    return state_of(app).settings


def test_the_configuration_counts_before_the_environment_and_that_before_the_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POSTSTACK_BASE_URL", "http://localhost:1111")
    monkeypatch.setenv("POSTSTACK_TIMEOUT", "2.5")
    given = settings_of({"POSTSTACK_BASE_URL": "http://localhost:2222"}, timeout=7, max_retries=0)

    assert (given.base_url, given.timeout, given.max_retries) == ("http://localhost:2222", 2.5, 0)


def test_prefixed_environment_variables_count_flat_and_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_POSTSTACK_API_KEY", "sk_test_y")
    monkeypatch.setenv("FLASK_POSTSTACK__TIMEOUT", "2.5")
    monkeypatch.setenv("FLASK_POSTSTACK__WEBHOOK_SECRETS", '["new", "old"]')
    monkeypatch.setenv("FLASK_POSTSTACK__DEADLINE", "null")
    monkeypatch.setenv("FLASK_POSTSTACK_SUPPRESS_SEND", "true")
    app = application()
    app.config.from_prefixed_env()
    FlaskPostStack(app)

    given = state_of(app).settings
    assert (given.api_key, given.timeout, given.deadline) == ("sk_test_y", 2.5, None)
    assert (given.webhook_secrets, given.suppress_send) == (("new", "old"), True)


def test_a_flat_key_counts_before_the_dictionary() -> None:
    given = settings_of({"POSTSTACK_TIMEOUT": 1, "POSTSTACK": {"TIMEOUT": 2, "MAX_RETRIES": 1}})

    assert (given.timeout, given.max_retries) == (1, 1)


def test_settings_are_read_once() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_TIMEOUT=1)
    FlaskPostStack(app)

    app.config["POSTSTACK_TIMEOUT"] = 2

    assert state_of(app).settings.timeout == 1


def test_without_settings_a_call_ends_before_application_servers_lose_patience() -> None:
    given = settings_of({})

    assert (given.timeout, given.max_retries, given.deadline) == (10.0, 3, 25.0)
    assert (given.webhook_path, given.suppress_send) == ("/webhooks/poststack", None)


@pytest.mark.parametrize("nothing", ["", None])
def test_what_is_empty_is_not_set(nothing: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_BASE_URL", "")
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_environment")

    given = settings_of(
        {"POSTSTACK_API_KEY": nothing, "POSTSTACK_TIMEOUT": nothing, "POSTSTACK_WEBHOOK_SECRETS": nothing}
    )

    assert (given.api_key, given.base_url, given.timeout) == ("sk_test_environment", None, 10.0)
    assert given.webhook_secrets == ()


@pytest.mark.parametrize("written", [None, "none", "None", float("inf"), "inf"])
def test_no_limit_can_be_said(written: object) -> None:
    given = settings_of({"POSTSTACK_DEADLINE": written, "POSTSTACK_WEBHOOK_MAX_AGE": written})

    assert (given.deadline, given.webhook_max_age) == (None, None)


@pytest.mark.parametrize("written", ["one, two", ["one", "two"], ("one", "two"), ["one,two", ""]])
def test_secrets_are_a_list_or_text_with_commas(written: object) -> None:
    assert settings_of({"POSTSTACK_WEBHOOK_SECRETS": written}).webhook_secrets == ("one", "two")


@pytest.mark.parametrize(
    ("written", "meant"), [(True, True), ("1", True), ("Yes", True), (0, False), ("off", False), ("false", False)]
)
def test_truth_values_may_be_words(written: object, meant: bool) -> None:
    assert settings_of({"POSTSTACK_SUPPRESS_SEND": written}).suppress_send is meant


@pytest.mark.parametrize(
    ("config", "sender"),
    [
        ({}, "argument@example.com"),
        ({"MAIL_DEFAULT_SENDER": "old@example.com"}, "argument@example.com"),
        ({"POSTSTACK_DEFAULT_SENDER": "new@example.com", "MAIL_DEFAULT_SENDER": "old@example.com"}, "new@example.com"),
        ({"POSTSTACK_DEFAULT_SENDER": ["Shop", "new@example.com"]}, ("Shop", "new@example.com")),
    ],
)
def test_the_sender_is_text_or_a_pair(config: dict[str, Any], sender: object) -> None:
    assert settings_of(config, default_sender="argument@example.com").default_sender == sender


def test_the_sender_of_flask_mail_counts_where_nothing_else_is_said() -> None:
    given = settings_of({"MAIL_DEFAULT_SENDER": ("Shop", "old@example.com")})

    assert given.default_sender == ("Shop", "old@example.com")


def test_an_event_store_may_be_configured() -> None:
    store = MemoryEventStore()

    assert settings_of({"POSTSTACK_EVENT_STORE": store}).event_store is store


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("POSTSTACK_API_KEY", 7),
        ("POSTSTACK_BASE_URL", b"http://localhost"),
        ("POSTSTACK_TIMEOUT", "soon"),
        ("POSTSTACK_TIMEOUT", True),
        ("POSTSTACK_TIMEOUT", "none"),
        ("POSTSTACK_TIMEOUT", 0),
        ("POSTSTACK_DEADLINE", -1),
        ("POSTSTACK_DEADLINE", "nan"),
        ("POSTSTACK_MAX_RETRIES", "2.5"),
        ("POSTSTACK_MAX_RETRIES", False),
        ("POSTSTACK_SUPPRESS_SEND", "perhaps"),
        ("POSTSTACK_WEBHOOK_SECRETS", [7]),
        ("POSTSTACK_WEBHOOK_SECRETS", 7),
        ("POSTSTACK_WEBHOOK_PATH", "webhooks"),
        ("POSTSTACK_WEBHOOK_MAX_AGE", "nan"),
        ("POSTSTACK_DEFAULT_SENDER", 7),
        ("POSTSTACK_DEFAULT_SENDER", ["only one"]),
        ("MAIL_DEFAULT_SENDER", {"name": "Ada"}),
        ("POSTSTACK_EVENT_STORE", "redis://localhost"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{setting} "):
        settings_of({setting: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("timeout", "soon"),
        ("max_retries", True),
        ("default_sender", 7),
        ("webhook_path", "webhooks"),
        ("webhook_max_age", -1),
        ("event_store", "redis://localhost"),
    ],
)
def test_a_wrong_argument_is_refused_like_the_setting(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^POSTSTACK_{argument.upper()} "):
        FlaskPostStack(application(), **{argument: value})


def test_an_argument_that_is_empty_is_not_set(caplog: pytest.LogCaptureFixture) -> None:
    FlaskPostStack(application(), api_key="")

    assert "No PostStack API key" in caplog.text


def test_negative_retries_are_refused() -> None:
    with pytest.raises(ValueError, match="max_retries"):
        settings_of({"POSTSTACK_MAX_RETRIES": -1})


@pytest.mark.parametrize(
    ("dictionary", "said"),
    [("sk_live_x", "is a dictionary"), ({"TIMEOUTS": 3}, "mean 'TIMEOUT'"), ({"colour": 3}, "The keys are API_KEY")],
)
def test_a_wrong_dictionary_is_refused(dictionary: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings_of({"POSTSTACK": dictionary})


def test_a_misspelt_setting_is_logged_without_its_value(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTSTACK_WEBHOOK_SECRET", "whsec_of_mine")
    settings_of({"POSTSTACK_TIMEOUTS": 3, "POSTSTACK_WELCOME_TEMPLATE": "tpl_1"})

    assert "POSTSTACK_WEBHOOK_SECRET is no setting. Did you mean POSTSTACK_WEBHOOK_SECRETS?" in caplog.text
    assert "POSTSTACK_TIMEOUTS is no setting" in caplog.text
    assert "whsec_of_mine" not in caplog.text
    assert "WELCOME" not in caplog.text


def test_secrets_do_not_show() -> None:
    given = settings_of({"POSTSTACK_WEBHOOK_SECRETS": "whsec_1", "POSTSTACK_DEFAULT_SENDER": "ada@example.com"})

    assert not any(secret in repr(given) for secret in ("sk_test_x", "whsec_1", "ada@"))
