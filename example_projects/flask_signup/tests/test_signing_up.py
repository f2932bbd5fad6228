"""From the form to the delivered letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from redis import Redis
from rq import Queue

from example_projects.flask_signup import create_app, database, letters
from poststack_flask.testing import post_webhook

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from example_projects.flask_signup.tests.conftest import Work
    from poststack.testing import EmulatorSession


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    return app.test_client()


def sign_up(visitor: FlaskClient, email: str = "ada@example.com", name: str = "Ada") -> TestResponse:
    return visitor.post("/", data={"name": name, "email": email}, follow_redirects=True)


def queued(app: Flask) -> list[str]:
    queue: Queue = app.extensions["letters"]
    return queue.job_ids


def keys(app: Flask) -> list[str]:
    with app.app_context():
        return letters.unsent(database.get())


def test_the_letter_is_stored_and_its_job_enqueued(app: Flask, visitor: FlaskClient) -> None:
    page = sign_up(visitor)

    assert page.request.path == "/mail"
    assert 'data-state="waiting"' in page.text
    assert queued(app) == keys(app) != []


def test_redis_learns_no_address(app: Flask, visitor: FlaskClient) -> None:
    sign_up(visitor, name="Secret", email="secret@example.com")

    queue: Queue = app.extensions["letters"]
    job: Any = queue.jobs[0]
    assert (job.args, job.kwargs, job.description) == ((job.id,), {}, "send_letter")


def test_the_worker_sends_it_with_the_key_of_its_row(
    app: Flask, visitor: FlaskClient, work: Work, poststack_emulator: EmulatorSession
) -> None:
    sign_up(visitor, name="Ada <b>")
    (key,) = keys(app)
    work()

    (sent,) = poststack_emulator.sent
    assert (sent.to, sent.payload["idempotency_key"]) == (["ada@example.com"], key)
    assert "Hello Ada <b>," in str(sent.text)
    assert "Hello Ada &lt;b&gt;," in str(sent.html)
    assert 'data-state="accepted"' in visitor.get("/mail").text
    assert sent.id in visitor.get("/mail/list").text


def test_webhooks_move_it_on(app: Flask, visitor: FlaskClient, work: Work, poststack_emulator: EmulatorSession) -> None:
    sign_up(visitor)
    work()
    email_id = poststack_emulator.sent[0].id
    for event, state in (("email.deferred", "delayed"), ("email.delivered", "delivered"), ("email.sent", "delivered")):
        assert post_webhook(app, event, email_id=email_id).status_code == 200
        assert f'data-state="{state}"' in visitor.get("/mail").text


def test_an_event_may_come_before_the_worker_has_stored_the_id(
    app: Flask, visitor: FlaskClient, work: Work, poststack_emulator: EmulatorSession
) -> None:
    sign_up(visitor)
    (key,) = keys(app)
    post_webhook(app, "email.delivered", email_id="em_early")
    with app.app_context():
        letters.accept(database.get(), key, "em_early")

    assert 'data-state="delivered"' in visitor.get("/mail").text


def test_an_event_that_is_repeated_is_stored_once(app: Flask) -> None:
    for _ in range(2):
        post_webhook(app, "email.delivered", email_id="em_1", event_id="evt_1")

    with app.app_context():
        assert database.get().execute("SELECT count(*) FROM event").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("name", "email", "problem"),
    [
        ("", "ada@example.com", "what to call you"),
        ("  ", "ada@example.com", "what to call you"),
        ("A" * 201, "ada@example.com", "At most"),
        ("Ada", "", "such as"),
        ("Ada", "ada", "such as"),
        ("Ada", "ada@localhost", "such as"),
        ("Ada", "ada@example.com, bea@example.com", "such as"),
        ("Ada", "Bea <bea@example.com>", "such as"),
        ("Ada", "ada@example.com\r\nBcc: bea@example.com", "such as"),
        ("Ada", f"{'a' * 190}@example.com", "such as"),
    ],
)
def test_a_form_with_mistakes_comes_back(app: Flask, visitor: FlaskClient, name: str, email: str, problem: str) -> None:
    page = sign_up(visitor, email, name)

    assert page.status_code == 422
    assert problem in page.text
    assert keys(app) == queued(app) == []


def test_an_address_is_taken_once(app: Flask, visitor: FlaskClient) -> None:
    sign_up(visitor, "ada@example.com")
    page = sign_up(visitor, "ADA@example.com")

    assert "on the list already" in page.text
    assert len(keys(app)) == 1


def test_visitors_see_their_own_letters_only(app: Flask, visitor: FlaskClient) -> None:
    sign_up(visitor)

    assert "ada@example.com" in visitor.get("/mail").text
    assert "ada@example.com" not in app.test_client().get("/mail").text


def test_a_form_of_another_site_is_refused(app: Flask, visitor: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    page = sign_up(visitor)

    assert page.status_code == 400
    assert "CSRF" in page.text
    assert keys(app) == []


def test_the_webhook_needs_a_signature_and_no_csrf_token(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True

    assert post_webhook(app, "email.delivered", email_id="em_1").status_code == 200
    assert post_webhook(app, "email.delivered", email_id="em_1", bad_signature=True).status_code == 401


def test_a_letter_is_stored_while_redis_is_away_and_enqueued_later(app: Flask, redis_url: str) -> None:
    config = cast("dict[str, Any]", app.config)
    # Nobody listens on port 1.
    away = create_app({**config, "REDIS_URL": "redis://127.0.0.1:1/0"})
    assert 'data-state="waiting"' in sign_up(away.test_client()).text
    assert queued(app) == []

    done = app.test_cli_runner().invoke(args=["enqueue-unsent"])
    assert "Enqueued 1 of 1" in done.output
    assert queued(app) == keys(app)
    assert isinstance(away.extensions["letters"].connection, Redis)


def test_what_has_a_job_is_not_enqueued_again(app: Flask, visitor: FlaskClient) -> None:
    sign_up(visitor)
    done = app.test_cli_runner().invoke(args=["enqueue-unsent"])

    assert "Enqueued 0 of 1" in done.output
    assert len(queued(app)) == 1


def test_pages_that_do_not_exist_look_like_the_others(visitor: FlaskClient) -> None:
    page = visitor.get("/nowhere")

    assert page.status_code == 404
    assert "Northlight" in page.text
