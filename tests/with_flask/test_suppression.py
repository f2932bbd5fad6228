"""While an application is testing, or told not to send, nothing leaves the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStack, PostStackError
from poststack.testing import emulator
from poststack.transports.base import Clock, HttpRequest, HttpResponse, SystemClock
from poststack_flask import FlaskPostStack
from poststack_flask.outlet import AppTransport, Outlet
from poststack_flask.state import state_of
from poststack_flask.testing import emulator_session, suppressed_sending
from tests.servers import Server, answering, serving
from tests.with_flask.applications import EMAIL, application, registered


class Recorder:
    """A transport that remembers, and accepts everything."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return HttpResponse(202, {}, b'{"id": "em_1"}')

    def close(self) -> None:
        pass


def for_real(server: Server, extension: FlaskPostStack | None = None, **config: object) -> Any:
    """Return an application that would reach this server."""
    app = application(**{"POSTSTACK_API_KEY": "sk_live_x", "POSTSTACK_BASE_URL": server.url + "/v1", **config})
    (extension or FlaskPostStack()).init_app(app)
    return app


def client_of(app: Any) -> PostStack:
    client: PostStack = app.extensions["poststack"]
    return client


def test_testing_counts_although_it_is_set_after_init_app() -> None:
    with serving(answering()) as server:
        app = for_real(server)
        client_of(app).emails.send(EMAIL)
        app.config["TESTING"] = True
        client_of(app).emails.send({**EMAIL, "subject": "Suppressed"})

        assert len(server.requests) == 1
        assert [email.subject for email in emulator_session(app).sent] == ["Suppressed"]


def test_the_end_of_testing_counts_as_well() -> None:
    with serving(answering()) as server:
        app = for_real(server, TESTING=True)
        client_of(app).emails.send(EMAIL)
        app.config["TESTING"] = False
        client_of(app).emails.send(EMAIL)

        assert len(server.requests) == 1


def test_testing_counts_although_the_configuration_was_replaced() -> None:
    with serving(answering()) as server:
        app = for_real(server)
        app.config = app.make_config()
        app.testing = True
        client_of(app).emails.send(EMAIL)

        assert server.connections == 0


@pytest.mark.parametrize("empty", ["", None])
def test_a_choice_that_is_empty_is_none(empty: object) -> None:
    with serving(answering()) as server:
        app = for_real(server, POSTSTACK_SUPPRESS_SEND=empty)
        client_of(app).emails.send(EMAIL)
        with suppressed_sending(app):
            client_of(app).emails.send(EMAIL)

        assert len(server.requests) == 1


def test_a_missing_key_does_not_matter_while_testing() -> None:
    app = application()
    FlaskPostStack(app)
    app.config["TESTING"] = True

    assert client_of(app).emails.send(EMAIL)["id"] == emulator_session(app).sent[0].id


def test_a_testing_application_logs_nothing_about_a_missing_key(caplog: pytest.LogCaptureFixture) -> None:
    FlaskPostStack(application(TESTING=True))

    assert caplog.text == ""


@pytest.mark.parametrize("late", [True, False])
def test_sending_can_be_suppressed_outside_of_tests(late: bool) -> None:
    with serving(answering()) as server:
        app = for_real(server, POSTSTACK_SUPPRESS_SEND=None if late else "yes")
        if late:
            app.config["POSTSTACK_SUPPRESS_SEND"] = "yes"

        client_of(app).emails.send(EMAIL)

        assert server.connections == 0
        assert len(emulator_session(app).sent) == 1


def test_a_testing_application_may_send_if_it_says_so() -> None:
    with serving(answering()) as server:
        app = for_real(server, TESTING=True, POSTSTACK_SUPPRESS_SEND=False)

        client_of(app).emails.send(EMAIL)

        assert len(server.requests) == 1
        with pytest.raises(RuntimeError, match="POSTSTACK_SUPPRESS_SEND"):
            emulator_session(app)


def test_a_choice_that_is_none_is_an_error_when_something_is_sent() -> None:
    with serving(answering()) as server:
        app = for_real(server)
        app.config["POSTSTACK_SUPPRESS_SEND"] = "perhaps"

        with pytest.raises(ValueError, match="POSTSTACK_SUPPRESS_SEND"):
            client_of(app).emails.send(EMAIL)
        assert server.connections == 0


def test_a_transport_of_ones_own_is_used_while_testing_unless_sending_is_suppressed() -> None:
    transport = Recorder()
    app = registered(FlaskPostStack(transport=transport, api_key="sk_test_x"))
    client_of(app).emails.send(EMAIL)
    app.config["POSTSTACK_SUPPRESS_SEND"] = True
    client_of(app).emails.send(EMAIL)

    assert len(transport.requests) == 1
    assert len(emulator_session(app).sent) == 1


def test_keys_do_not_reach_the_emulator() -> None:
    transport = Recorder()
    app = registered(FlaskPostStack(api_key="sk_live_secret"))

    outlet = state_of(app).outlet
    at_work = AppTransport(outlet, transport)
    request = HttpRequest("POST", "https://api.example/emails", {"Authorization": "Bearer sk_live_secret"}, b"{}")

    assert "sk_live_secret" not in str(dict(outlet.for_emulator(request).headers))
    assert at_work.send(request).status == 400  # The key is no reason to refuse it; that it is no e-mail, is.


def test_each_application_has_an_emulator_of_its_own() -> None:
    extension = FlaskPostStack()
    one, other = registered(extension), registered(extension)

    client_of(one).emails.send(EMAIL)

    assert (len(emulator_session(one).sent), len(emulator_session(other).sent)) == (1, 0)


def test_threads_that_send_first_at_the_same_time_find_one_emulator() -> None:
    app = registered()
    together = threading.Barrier(8)

    def send() -> None:
        together.wait()
        client_of(app).emails.send(EMAIL)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(emulator_session(app).sent) == 8


def test_a_test_can_let_sending_fail_and_waits_for_no_retry() -> None:
    app = registered()
    emulator_session(app).fail(429, retry_after=20, times=1)
    client_of(app).emails.send(EMAIL)
    emulator_session(app).fail(503)

    assert emulator_session(app).clock.monotonic() >= 20
    with pytest.raises(PostStackError) as caught:
        client_of(app).emails.send(EMAIL)
    assert caught.value.status_code == 503


def test_the_deadline_counts_the_emulators_time() -> None:
    app = registered(FlaskPostStack(deadline=10.0))
    emulator_session(app).fail(429, retry_after=30, times=1)

    with pytest.raises(PostStackError) as caught:
        client_of(app).emails.send(EMAIL)

    assert caught.value.status_code == 429


def test_a_clock_of_the_given_transport_is_the_clients() -> None:
    with emulator() as emu:
        app = registered(FlaskPostStack(transport=emu.transport, api_key="sk_test_x"))
        emu.fail(429, retry_after=20, times=1)
        client_of(app).emails.send(EMAIL)

        assert emu.clock.monotonic() >= 20
        assert state_of(app).clock.time() == emu.clock.time()


def test_without_one_the_clock_is_the_real_one() -> None:
    app = application(POSTSTACK_API_KEY="sk_test_x")
    FlaskPostStack(app)
    clock = state_of(app).clock

    before = SystemClock().monotonic()
    clock.sleep(0)
    asyncio.run(clock.asleep(0))
    assert isinstance(clock, Clock)
    assert before <= clock.monotonic() <= SystemClock().monotonic()


def test_the_emulator_begins_now_so_that_its_events_are_not_too_old() -> None:
    app = registered()

    assert abs(emulator_session(app).clock.time() - SystemClock().time()) < 60


def test_the_suppression_helper_respects_a_choice() -> None:
    plain, decided = application(POSTSTACK_API_KEY="sk_test_x"), application(POSTSTACK_SUPPRESS_SEND="no")
    for app in (plain, decided):
        FlaskPostStack(app)
    with suppressed_sending(plain), suppressed_sending(decided):
        inside = [state_of(app).outlet.suppressed for app in (plain, decided)]

    assert inside == [True, False]
    assert not state_of(plain).outlet.suppressed


@pytest.mark.parametrize("way", ["sync", "async"])
def test_both_clients_are_suppressed(way: str) -> None:
    extension = FlaskPostStack()
    with serving(answering()) as server:
        app = for_real(server, extension, TESTING=True)
        if way == "sync":
            client_of(app).emails.batch({"emails": [EMAIL, EMAIL]})
        else:

            async def send() -> None:
                async with extension.async_client() as client:
                    await client.emails.batch({"emails": [EMAIL, EMAIL]})

            with app.app_context():
                asyncio.run(send())

        assert server.connections == 0
        assert len(emulator_session(app).sent) == 2


def test_the_asynchronous_client_has_the_settings_of_the_application() -> None:
    extension = FlaskPostStack()
    with serving(answering()) as server:
        app = for_real(server, extension)

        async def send() -> str:
            async with extension.async_client() as client:
                return (await client.emails.send(EMAIL))["id"]

        with app.app_context():
            assert asyncio.run(send()) == "em_1"
        (request,) = server.requests
        assert request.header("Authorization") == "Bearer sk_live_x"
        assert request.first_line.startswith("POST /v1/emails ")


def test_an_asynchronous_client_without_a_key_says_so() -> None:
    extension = FlaskPostStack()
    app = application()
    extension.init_app(app)
    with app.app_context():
        client = extension.async_client()

    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        asyncio.run(client.emails.send(EMAIL))


def test_an_asynchronous_client_sends_through_the_given_transport_or_not_at_all() -> None:
    with emulator() as emu:
        able, unable = FlaskPostStack(transport=emu.transport), FlaskPostStack(transport=Recorder())
        with registered(able, POSTSTACK_API_KEY="sk_test_x").app_context():
            asyncio.run(able.async_client().emails.send(EMAIL))
        with registered(unable, POSTSTACK_API_KEY="sk_test_x").app_context():
            with pytest.raises(TypeError, match="asend"):
                unable.async_client()
            asyncio.run(unable.async_client(transport=emu.transport).emails.send(EMAIL))

        assert len(emu.sent) == 2


def test_a_client_that_is_closed_leaves_the_extensions_transport_open_to_others() -> None:
    class Both(Recorder):
        closed = 0

        async def asend(self, request: HttpRequest) -> HttpResponse:
            return self.send(request)

        async def aclose(self) -> None:
            self.closed += 1

    async def send_and_close(client: AsyncPostStack) -> None:
        async with client:
            await client.emails.send(EMAIL)

    shared, own = Both(), Both()
    extension = FlaskPostStack(transport=shared)
    with registered(extension, POSTSTACK_API_KEY="sk_test_x").app_context():
        asyncio.run(send_and_close(extension.async_client()))
        asyncio.run(send_and_close(extension.async_client(transport=own)))

    assert (len(shared.requests), shared.closed) == (1, 0)
    assert (len(own.requests), own.closed) == (1, 1)


def test_an_asynchronous_client_needs_an_application_context() -> None:
    with pytest.raises(RuntimeError, match=r"app\.app_context"):
        FlaskPostStack().async_client()


def test_a_subclass_may_make_the_asynchronous_client() -> None:
    class Own(AsyncPostStack):
        pass

    class Extension(FlaskPostStack):
        def make_async_client(self, app: Any, **arguments: Any) -> AsyncPostStack:
            return Own(**arguments)

    extension = Extension()
    with registered(extension).app_context():
        assert isinstance(extension.async_client(), Own)


def test_without_the_emulator_the_error_names_the_extra() -> None:
    program = """
import sys
sys.modules["email_validator"] = None
from flask import Flask
from poststack_flask import FlaskPostStack
app = Flask("shop")
app.testing = True
FlaskPostStack(app)
app.extensions["poststack"].emails.send({"from": "a@example.com", "to": ["b@example.com"], "text": "x"})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: While TESTING or POSTSTACK_SUPPRESS_SEND is set")
    assert 'pip install "poststack[emulator]"' in done.stderr.splitlines()[-1]


def test_the_outlet_keeps_no_application_alive() -> None:
    app = application()
    outlet = Outlet(app, state_of(registered()).settings, has_own_transport=False)

    del app

    assert outlet.app is None
