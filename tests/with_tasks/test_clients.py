"""One client for each process and configuration, over fork, threads and the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStack
from poststack_tasks import TaskSettings, close_clients
from poststack_tasks.clients import async_client, get_client
from tests.servers import answering, serving

EMAIL: Any = {"from": "shop@example.com", "to": ["ada@example.org"], "subject": "Hi", "text": "Hello"}
FORKS = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="Nothing forks here."),
    # Python 3.12 warns of what these tests are about.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def forks(test: Any) -> Any:
    for mark in FORKS:
        test = mark(test)
    return test


def in_child(does: Any) -> int:
    """Fork, and return the exit status of the child that did it."""
    if (child := os.fork()) == 0:
        status = 1
        try:
            status = 0 if does() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_configuration_has_one_client() -> None:
    settings = TaskSettings("sk_test_1")

    assert get_client(settings) is get_client(TaskSettings("sk_test_1"))
    assert get_client(settings) is not get_client(TaskSettings("sk_test_2"))
    assert get_client(settings) is not get_client(TaskSettings("sk_test_1", timeout=5))


def test_the_environment_is_a_part_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_1")
    first = get_client(TaskSettings())
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_2")

    assert get_client(TaskSettings()) is not first


def test_without_a_key_there_is_no_client() -> None:
    with pytest.raises(ValueError, match="POSTSTACK_API_KEY"):
        get_client(TaskSettings())


def test_the_client_does_not_retry_by_itself() -> None:
    def script(visitor: Any) -> None:
        while visitor.request():
            visitor.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n")

    with serving(script) as server:
        with pytest.raises(Exception, match="Service Unavailable"):
            get_client(TaskSettings("sk_test_1", server.url)).emails.send(EMAIL)
        assert len(server.requests) == 1


def test_threads_get_the_same_client_and_one_factory_call() -> None:
    made: list[object] = []
    start = threading.Barrier(8)

    def factory() -> Any:
        made.append(object())
        return SimpleNamespace(emails=None)

    settings = TaskSettings(client=factory)
    found: list[object] = []

    def get() -> None:
        start.wait()
        found.append(get_client(settings))

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert len(set(map(id, found))) == 1


def test_jobs_share_connections_until_the_clients_are_closed() -> None:
    with serving(answering()) as server:
        settings = TaskSettings("sk_test_1", server.url)
        for _ in range(3):
            get_client(settings).emails.send(EMAIL)
        assert server.connections == 1

        close_clients()
        server.wait_until_closed()

        get_client(settings).emails.send(EMAIL)
        assert server.connections == 2


def test_a_client_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    class Broken:
        emails: Any = None

        def close(self) -> None:
            raise RuntimeError

    with serving(answering()) as server:
        get_client(TaskSettings(client=Broken))
        get_client(TaskSettings("sk_test_1", server.url)).emails.send(EMAIL)

        close_clients()
        server.wait_until_closed()


@forks
def test_a_child_opens_connections_of_its_own() -> None:
    with serving(answering()) as server:
        settings = TaskSettings("sk_test_1", server.url)
        get_client(settings).emails.send(EMAIL)

        assert in_child(lambda: get_client(settings).emails.send(EMAIL)["id"]) == 0
        get_client(settings).emails.send(EMAIL)

        assert [request.connection for request in server.requests] == [0, 1, 0]


@forks
def test_a_client_of_ones_own_is_made_again_in_a_child() -> None:
    class Own:
        emails: Any = None

        def __init__(self) -> None:
            self.process = os.getpid()

    settings = TaskSettings(client=Own)
    made: Any = get_client(settings)

    def is_new() -> bool:
        child: Any = get_client(settings)
        return bool(child.process == os.getpid() and child is get_client(settings))

    assert in_child(is_new) == 0
    assert get_client(settings) is made


@forks
def test_a_thread_that_was_making_a_client_does_not_block_a_child() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        begun.set()
        go_on.wait()
        return SimpleNamespace(emails=None)

    thread = threading.Thread(target=lambda: get_client(TaskSettings(client=slow)))
    thread.start()
    begun.wait()
    try:
        assert in_child(lambda: isinstance(get_client(TaskSettings("sk_test_1")), PostStack)) == 0
    finally:
        go_on.set()
        thread.join()


def test_connections_are_closed_at_the_end_of_the_process() -> None:
    program = (
        "import sys; from poststack_tasks import TaskSettings; from poststack_tasks.clients import get_client\n"
        "class Own:\n    emails = None\n    def close(self): print('closed')\n"
        "get_client(TaskSettings(client=Own)); print('end')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["end", "closed"]


def test_an_event_loop_gets_a_client_of_its_own() -> None:
    first, second = async_client(TaskSettings("sk_test_1")), async_client(TaskSettings("sk_test_1"))

    assert isinstance(first, AsyncPostStack)
    assert first is not second
