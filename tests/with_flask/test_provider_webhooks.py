"""A route for another provider's events, beside the one for PostStack's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from poststack.providers.events import PostmarkEvents, SendGridEvents, SesEvents
from poststack_flask import FlaskPostStack
from poststack_flask.signals import bounced, tracking
from poststack_flask.testing import post_webhook
from poststack_flask.webhooks import mounted_webhook
from tests.providers.events import test_postmark, test_sendgrid, test_ses
from tests.providers.events.calls import (
    TOPIC,
    Call,
    Heard,
    SnsSender,
    as_json,
    basic,
    public_text,
    sendgrid_call,
)
from tests.with_flask.applications import SECRET, registered

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.test import TestResponse

    from poststack.providers.events import EventSource

PATH = "/webhooks/mail"
POSTMARK = PostmarkEvents(username="postmark", password="of the hook")
BOUNCE = Call(as_json(test_postmark.BOUNCE), basic("postmark", "of the hook"))


def listening(source: EventSource, **options: Any) -> tuple[Flask, Heard]:
    extension, heard = FlaskPostStack(), Heard()
    extension.on("*")(heard)
    app = registered(extension)
    app.register_blueprint(extension.webhook_blueprint(path=PATH, name="mail", source=source, **options))
    return app, heard


def post(app: Flask, call: Call) -> TestResponse:
    return app.test_client().post(PATH, data=call.body, headers=call.headers)


def test_an_event_reaches_handlers_and_signals_once() -> None:
    app, heard = listening(POSTMARK)
    signalled: list[str] = []

    def hear(app: Flask, event: Any, **_: Any) -> None:
        signalled.append(event.type)

    with bounced.connected_to(hear), tracking.connected_to(hear):
        answers = [post(app, BOUNCE).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert [(event.type, event.email_id) for event in heard] == [("email.bounced", test_postmark.SENT_AS)]
    assert signalled == ["email.bounced"] * 2


def test_amazons_topic_is_confirmed_and_its_events_are_taken() -> None:
    sns = SnsSender()
    app, heard = listening(SesEvents(topic_arns=TOPIC, fetch=sns.fetch))

    assert [post(app, call).status_code for call in (sns.ask(), sns.notify(test_ses.CLICK))] == [200, 200]
    assert heard.types == ["email.clicked"]
    assert sns.subscribe_url in sns.fetched


def test_all_events_of_a_call_are_taken() -> None:
    app, heard = listening(SendGridEvents(public_key=public_text()))
    samples = [{**test_sendgrid.COMMON, **sample} for sample in test_sendgrid.SAMPLES.values()]

    assert post(app, sendgrid_call(samples)).status_code == 200
    assert len(heard) == len(samples)


def test_what_is_not_to_be_trusted_is_answered_as_the_source_says() -> None:
    app, heard = listening(POSTMARK, max_bytes=5_000)
    strange = SnsSender("arn:aws:sns:eu-west-1:1:other")
    amazon, _ = listening(SesEvents(topic_arns=TOPIC, fetch=strange.fetch))

    asked = post(app, Call(BOUNCE.body, {}))

    assert (asked.status_code, asked.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
    assert post(app, Call(b"{}", BOUNCE.headers)).status_code == 403
    assert post(app, Call(b" " * 5_001, BOUNCE.headers)).status_code == 413
    assert post(amazon, strange.notify(test_ses.CLICK)).status_code == 403
    assert heard == []


def test_poststacks_route_is_found_by_tests_and_not_this_one() -> None:
    app, heard = listening(POSTMARK)

    assert mounted_webhook(app, PATH) is None
    mounted = mounted_webhook(app)
    assert mounted is not None
    assert mounted.secrets == (SECRET,)
    assert post_webhook(app, "email.opened", email_id="em_1").status_code == 200
    assert heard.types == ["email.opened"]


def test_secrets_beside_a_source_and_what_is_no_source_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="not both"):
        listening(POSTMARK, secrets=["secret"])
    unfit: Any = "postmark"
    with pytest.raises(TypeError, match="no EventSource"):
        listening(unfit)
