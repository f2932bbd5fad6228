"""The Flask extension, in real applications on the emulator."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest
from flask import Flask, current_app

from poststack import PostStack
from poststack.testing import emulator
from poststack_flask import FlaskPostStack, current_poststack
from poststack_flask.testing import emulator_session
from tests.servers import answering, serving
from tests.with_flask.applications import EMAIL, application, registered

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from poststack_flask.extension import ClientArguments


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
            return {"id": current_app.extensions["poststack"].emails.send(EMAIL)["id"]}

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


def test_the_proxy_says_what_to_push_when_no_application_is_at_work() -> None:
    with pytest.raises(RuntimeError, match=r"with app\.app_context\(\).*queue needs none"):
        current_poststack.emails  # noqa: B018


def test_the_proxy_reaches_a_client_that_was_put_there_by_hand() -> None:
    app = application()
    app.extensions["poststack"] = client = PostStack("sk_test_x")

    with app.app_context():
        assert current_poststack.emails is client.emails


def test_a_second_client_for_one_application_is_refused() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x")
    FlaskPostStack(app)

    with pytest.raises(RuntimeError, match="already"):
        FlaskPostStack(app)


def test_a_client_that_was_put_there_by_hand_is_not_replaced() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x")
    app.extensions["poststack"] = PostStack("sk_test_x")

    with pytest.raises(RuntimeError, match="already"):
        FlaskPostStack(app)


def test_a_missing_key_is_logged_at_start_and_raised_when_something_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    app = application()
    FlaskPostStack(app)

    assert "POSTSTACK_API_KEY" in caplog.text
    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        app.extensions["poststack"].emails.send(EMAIL)


def test_a_key_that_no_key_can_be_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="Copy it again"):
        FlaskPostStack(application(POSTSTACK_API_KEY="two words"))


def test_an_application_that_could_not_be_set_up_can_be_set_up_again() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL="nowhere")
    with pytest.raises(ValueError, match="base_url"):
        FlaskPostStack(app)

    app.config["POSTSTACK_BASE_URL"] = "http://localhost:1"
    FlaskPostStack(app)

    assert "localhost:1" in repr(app.extensions["poststack"])


def test_nothing_about_an_application_stays_on_the_extension() -> None:
    extension = FlaskPostStack(api_key="sk_test_x", webhook_secrets="secret")
    before = dict(vars(extension))

    extension.init_app(application())

    assert vars(extension) == before


def test_an_application_that_is_no_longer_needed_goes_with_its_connections() -> None:
    extension = FlaskPostStack(api_key="sk_test_x")
    with serving(answering()) as server:
        app = application(POSTSTACK_BASE_URL=server.url)
        extension.init_app(app)
        app.extensions["poststack"].emails.send(EMAIL)
        assert len(server.open_connections) == 1
        gone = weakref.ref(app)

        del app
        gc.collect()

        assert gone() is None
        server.wait_until_closed()


def test_the_end_of_a_request_leaves_connections_open() -> None:
    with serving(answering()) as server:
        app = application(POSTSTACK_API_KEY="sk_test_x", POSTSTACK_BASE_URL=server.url)
        FlaskPostStack(app)
        app.add_url_rule("/", view_func=lambda: current_poststack.emails.send(EMAIL)["id"])

        for _ in range(3):
            assert app.test_client().get("/").text == "em_1"

        assert (len(server.requests), server.connections) == (3, 1)


def test_closing_an_application_closes_its_connections_and_no_others() -> None:
    extension = FlaskPostStack(api_key="sk_test_x")
    with serving(answering()) as one, serving(answering()) as other:
        apps = [application(POSTSTACK_BASE_URL=server.url) for server in (one, other)]
        for app in apps:
            extension.init_app(app)
            app.extensions["poststack"].emails.send(EMAIL)

        extension.close(apps[0])
        extension.close(apps[0])

        one.wait_until_closed()
        assert len(other.open_connections) == 1


def test_closing_an_application_forgets_what_its_tests_have_sent() -> None:
    extension = FlaskPostStack()
    app = registered(extension)
    app.extensions["poststack"].emails.send(EMAIL)
    assert len(emulator_session(app).sent) == 1

    extension.close(app)

    assert emulator_session(app).sent == []


def test_closing_an_application_that_is_not_registered_says_so() -> None:
    with pytest.raises(RuntimeError, match="init_app"):
        FlaskPostStack().close(application())


def test_a_subclass_may_make_the_client() -> None:
    class Shouting(PostStack):
        pass

    class Extension(FlaskPostStack):
        def make_client(self, app: Flask, **arguments: Unpack[ClientArguments]) -> PostStack:
            return Shouting(**arguments)

    app = registered(Extension())

    assert isinstance(app.extensions["poststack"], Shouting)
    app.extensions["poststack"].emails.send(EMAIL)
    assert len(emulator_session(app).sent) == 1


def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="retries"):
        FlaskPostStack(retries=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
