"""For tests of applications that send through PostStack: the API in memory behind the whole application.

    from fastapi.testclient import TestClient
    from poststack_fastapi.testing import emulated_poststack

    def test_a_new_customer_is_welcomed():
        with emulated_poststack(app) as post, TestClient(app) as browser:
            browser.post("/signup", json={"email": "ada@example.com"})

            assert post.sent[0].to == ["ada@example.com"]

With pytest there is the fixture `fastapi_poststack` as well. No other part of the package imports this one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anyio
import httpx
from starlette.routing import NoMatchFound

from poststack.testing import EmulatorSession, emulator
from poststack_fastapi.state import CLIENT, SYNC_CLIENT, WEBHOOKS, WebhookDefaults

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from poststack.testing import Settings

__all__ = ["emulated_poststack"]

logger: logging.Logger = logging.getLogger("poststack.fastapi")

ROUTE_NAME: Final = "poststack_webhook"
SECRET: Final = "whsec_test_of_the_emulated_application"  # noqa: S105  # a made-up secret for tests


@contextmanager
def emulated_poststack(
    app: Starlette,
    *,
    settings: Settings | None = None,
    start: datetime | None = None,
    webhook: str | bool = True,
    secret: str = SECRET,
    max_retries: int = 0,
) -> Generator[EmulatorSession]:
    """Put the emulator in memory behind an application for a block; no sockets, no waiting, no key.

    Its clients replace those of `app.state`, and the lifespan uses what it finds there: enter this block before you
    start the application. While its clock advances, the emulator calls the route of `webhook_router` or
    `webhook_route`, if there is one, or the path that `webhook` names; none with `False`. It signs with `secret`, which
    a route takes that has no secrets of its own. `settings` are the emulator's, `start` is what its clock shows at
    first, by default the present. Retries of the client, none by default, advance the clock.
    """
    with emulator(settings, start=start or datetime.now(timezone.utc)) as session:
        replaced: dict[str, object] = {
            CLIENT: session.async_client(max_retries=max_retries),
            SYNC_CLIENT: session.client(max_retries=max_retries),
        }
        path = _webhook_path(app) if webhook is True else webhook
        if path:
            replaced[WEBHOOKS] = WebhookDefaults((secret,))
        with _state(app, replaced), _observed(app, replaced) as route:
            if path:
                session.on_webhook(route.receiver(path), secret=secret)
            yield session


def _webhook_path(app: Starlette) -> str | None:
    try:
        return app.url_path_for(ROUTE_NAME)
    except NoMatchFound:
        return None


@contextmanager
def _state(app: Starlette, values: Mapping[str, object]) -> Generator[None]:
    before = {name: getattr(app.state, name) for name in values if hasattr(app.state, name)}
    for name, value in values.items():
        setattr(app.state, name, value)
    try:
        yield
    finally:
        for name in values:
            if name in before:
                setattr(app.state, name, before[name])
            elif hasattr(app.state, name):
                delattr(app.state, name)


class _Life(NamedTuple):
    """An application that has been started: where it runs, and what its lifespan has yielded."""

    thread: int
    run: Callable[[Callable[[], Coroutine[Any, Any, int]]], int]
    state: Mapping[str, Any]


class _Route:
    """Calls the application as a server does, from wherever the clock of the emulator is advanced."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.life: _Life | None = None

    def receiver(self, path: str) -> Callable[[bytes, dict[str, str]], int]:
        """Return what the emulator is to call."""

        def receive(body: bytes, headers: dict[str, str]) -> int:
            life = self.life
            post = partial(self._post, path, body, headers, {} if life is None else life.state)
            if life is not None and life.thread != threading.get_ident():
                return life.run(post)
            # There is no loop that could be waited for: none runs, or it is the one that this call holds up.
            return _in_a_thread(post)

        return receive

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str], state: Mapping[str, Any]) -> int:
        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await self._app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(with_state)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
                return (await client.post(path, content=body, headers=headers)).status_code
        except Exception:  # whatever the route raises, a server would log it and answer with 500
            logger.exception("The webhook route %s failed.", path)
            return 500


@contextmanager
def _observed(app: Starlette, values: Mapping[str, object]) -> Generator[_Route]:
    """Learn of the event loop in which the application is started, because what it opens then belongs to that loop.

    A lifespan that makes a client by itself, as in PostStack's guide, would have the tests write to real people: what
    it puts in the place of the values is replaced by them.
    """
    route, original = _Route(app), app.router.lifespan_context

    @asynccontextmanager
    async def observed(given: Any) -> AsyncGenerator[Any]:
        async with original(given) as yielded:
            for name, value in values.items():
                setattr(app.state, name, value)
            state = {name: values.get(name, value) for name, value in (yielded or {}).items()}
            route.life = _Life(threading.get_ident(), _runner(), state)
            try:
                yield state
            finally:
                route.life = None

    app.router.lifespan_context = observed
    try:
        yield route
    finally:
        app.router.lifespan_context = original


def _runner() -> Callable[[Callable[[], Coroutine[Any, Any, int]]], int]:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()
        return lambda work: trio.from_thread.run(work, trio_token=token)
    return lambda work: asyncio.run_coroutine_threadsafe(work(), loop).result()


def _in_a_thread(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(anyio.run, work).result()
