"""Responses of calls at the same time: of tasks on an event loop, and of threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from poststack import AsyncPostStack, PostStack
from poststack.transports.base import HttpRequest, HttpResponse
from tests.scripted import response


class Meeting:
    """Answers the first of two requests after the second, and tells each which one it is."""

    def __init__(self) -> None:
        self.second_came = threading.Event()
        self.second_came_to_task = anyio.Event()

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith("em_1"):
            self.second_came.wait(30)
        self.second_came.set()
        return answer_to(request)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith("em_1"):
            with anyio.fail_after(30):
                await self.second_came_to_task.wait()
        self.second_came_to_task.set()
        return answer_to(request)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...


def answer_to(request: HttpRequest) -> HttpResponse:
    return response(200, {"email": {}}, {"x-request-id": request.url.rpartition("/")[2]})


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_get_the_response_to_their_own_call(backend: str) -> None:
    found: dict[str, str | None] = {}

    async def main() -> None:
        client = AsyncPostStack("sk_test_x", transport=Meeting())

        async def ask(name: str) -> None:
            found[name] = (await client.with_response(client.emails.get, name)).request_id

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "em_1")
            tasks.start_soon(ask, "em_2")

    anyio.run(main, backend=backend)

    assert found == {"em_1": "em_1", "em_2": "em_2"}


def test_threads_get_the_response_to_their_own_call() -> None:
    client = PostStack("sk_test_x", transport=Meeting())

    def ask(name: str) -> str | None:
        return client.with_response(client.emails.get, name).request_id

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ask, ["em_1", "em_2"])) == ["em_1", "em_2"]
