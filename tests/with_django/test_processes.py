"""Threads and forks: one pool of connections for a process, and none that two processes use."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from poststack_django.backends import EmailBackend
from poststack_django.clients import get_client
from poststack_django.settings import ClientSettings
from tests.servers import Server, answering, serving
from tests.with_django.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
# Python 3.12 warns of forking with threads; servers that fork have such a state, too.
may_fork = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    with serving(answering()) as running:
        settings.POSTSTACK = {"API_KEY": "sk_test_x", "BASE_URL": running.url, "MAX_RETRIES": 0, "RECORD": False}
        yield running


def in_a_child(function: Callable[[], object]) -> int:
    """Call a function in a forked child; return the child's exit status, 0 if it returned."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(30)  # A child that hangs must not outlive the test.
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_one_connection_serves_many_backends(server: Server) -> None:
    for number in range(5):
        EmailBackend().send_messages([message(number)])

    assert (len(server.requests), server.connections) == (5, 1)


def test_mailers_with_options_of_their_own_share_it(server: Server) -> None:
    EmailBackend().send_messages([message()])
    EmailBackend(api_key="sk_test_y", timeout=3.0).send_messages([message()])

    assert server.connections == 1


def test_threads_that_share_a_backend_send_each_message_once(server: Server) -> None:
    backend = EmailBackend()
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(backend.send_messages([message()]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (counts, len(server.requests), server.connections) == ([1] * 8, 8, 1)


@needs_fork
@may_fork
def test_a_child_opens_connections_of_its_own(server: Server) -> None:
    backend = EmailBackend()
    backend.open()
    backend.send_messages([message()])

    assert in_a_child(lambda: backend.send_messages([message()])) == 0
    backend.send_messages([message()])
    assert [request.connection for request in server.requests] == [0, 1, 0]


@needs_fork
@may_fork
def test_a_fork_while_another_thread_makes_a_client_does_not_lock_the_child(settings: Any) -> None:
    making, may_end = threading.Event(), threading.Event()

    def slow() -> object:
        making.set()
        may_end.wait()
        return object()

    settings.POSTSTACK = {"CLIENT": slow}
    thread = threading.Thread(target=get_client)
    thread.start()
    making.wait()
    try:
        assert in_a_child(lambda: get_client(ClientSettings(api_key="sk_test_x"))) == 0
    finally:
        may_end.set()
        thread.join()
