"""The emulator as an ASGI application: the API, the controls under `/_emulator`, the inbox under `/inbox`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from poststack.emulator import inbox
from poststack.emulator.api.answers import RefusalError, not_found
from poststack.emulator.control import emails as control
from poststack.emulator.core import Answer, Emulator
from poststack.emulator.guard import cross_site, host_allowed
from poststack.emulator.notifying.poster import Poster
from poststack.emulator.state import AppState
from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["DROP_EXTENSION", "create_app"]

# The name under which a server offers to drop the connection, see `serving.py`.
DROP_EXTENSION = "poststack.drop_connection"
_INBOX = "/inbox"
# Seconds after which a delivery that somebody waits for should long have ended.
_PATIENCE = 5.0
_LONGEST_WAIT = 60.0
# How much of a body that is too large is read and thrown away, so that the client gets to see the 413.
_DISCARD_FACTOR = 4


def create_app(
    emulator: Emulator,
    *,
    clock: Callable[[], float] = time.time,
    allowed_hosts: Collection[str] = (),
) -> Starlette:
    """Return an ASGI application that serves this emulator and, while it runs, delivers its webhooks.

    `allowed_hosts` are names other than localhost by which it may be called. `app.state.emulator` is the
    `AppState`.
    """
    state = AppState(emulator, clock=clock, allowed_hosts=allowed_hosts)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        stop_listening = state.listen()
        poster = asyncio.create_task(Poster(state).run())
        try:
            yield
        finally:
            poster.cancel()
            with suppress(asyncio.CancelledError):
                await poster
            stop_listening()

    api = _Api(state)
    app = Starlette(lifespan=lifespan, routes=[*_pages(state), Mount("/", app=api)])
    app.state.emulator = state
    app.add_middleware(_Guard, state=state)
    return app


def _pages(state: AppState) -> Sequence[BaseRoute]:
    return (Route("/", _Home(state)), *inbox.routes(state))


class _Home:
    """Sends browsers to the inbox; programs are told that there is nothing here."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "text/html" in _headers(scope).get("accept", ""):
            await RedirectResponse(_INBOX, status_code=303)(scope, receive, send)
        else:
            await _respond(self._state.emulator.refuse(not_found("Route")), send)


class _Guard:
    """Refuses requests under foreign names, and changes that pages of other sites ask for."""

    def __init__(self, app: ASGIApp, state: AppState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _respond(self._state.emulator.refuse(refusal), send, close=True)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        headers = _headers(scope)
        host = headers.get("host")
        if not host_allowed(host, self._state.allowed_hosts):
            return RefusalError(
                403,
                f"The emulator does not answer to {host!r}. Start it with --allow-host to allow that name.",
            )
        path: str = scope["path"]
        # The API proper needs a header that no foreign page can send without asking first, but for signup forms, which
        # are there to be sent from elsewhere.
        own = path == "/" or path.startswith((control.PREFIX, _INBOX))
        if own and cross_site(scope["method"], headers):
            return RefusalError(403, "The request comes from a page of another site.")
        return None


class _ClientGoneError(Exception):
    """The client hung up in the middle of its request."""


class _Api:
    """Turns ASGI into `Emulator.answer` and back."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._emulator = state.emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Only HTTP is spoken here; a websocket handshake is turned down.
            await send({"type": "websocket.close", "code": 1000})
            return
        try:
            body = await _read(receive, _length(scope), self._emulator.settings.max_body)
        except _ClientGoneError:
            return
        if body is None:
            await _respond(self._emulator.refuse(self._emulator.too_large()), send, close=True)
            return
        request = HttpRequest(scope["method"], _url(scope), _headers(scope), body)
        answer = self._emulator.answer(request, self._state.now())
        if answer.advance:
            self._state.advance(answer.advance)
        response = await self._awaited(request, scope, answer.response)
        if answer.pending is not None:
            response = await self._outcome(answer)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if response is None:
            await _drop(scope, receive, send)
        else:
            await _respond(response, send)

    async def _awaited(self, request: HttpRequest, scope: Scope, response: HttpResponse | None) -> HttpResponse | None:
        """Ask again after every change while `?wait=` seconds last and the newest e-mail is not there yet."""
        if scope["path"] != f"{control.PREFIX}/emails/latest" or scope["method"] != "GET":
            return response
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _wait_seconds(scope)
        while response is not None and response.status == 404:
            if loop.time() >= deadline or self._state.stopping:
                break
            await self._state.wait_for_word(deadline - loop.time())
            response = self._emulator.answer(request, self._state.now()).response
        return response

    async def _outcome(self, answer: Answer) -> HttpResponse | None:
        """Wait for the delivery that the answer is about, which ends by itself, but for a shell that does not post."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._emulator.settings.webhook_timeout + _PATIENCE
        while (response := self._emulator.outcome(answer)) is None:
            if loop.time() >= deadline or self._state.stopping:
                return answer.response
            await self._state.wait_for_word(deadline - loop.time())
        return response


def _wait_seconds(scope: Scope) -> float:
    text = parse_qs(scope["query_string"].decode("latin-1")).get("wait", ["0"])[-1]
    try:
        return max(0.0, min(_LONGEST_WAIT, float(text)))
    except ValueError:
        return 0.0


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _url(scope: Scope) -> str:
    # The raw path, because a decoded one no longer says whether a slash was part of a name.
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return f"http://emulator{path.decode('latin-1')}" + (f"?{query.decode('latin-1')}" if query else "")


def _length(scope: Scope) -> int:
    text = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    return int(text) if text.isdigit() and len(text) <= 18 else 0


async def _read(receive: Receive, length: int, limit: int) -> bytes | None:
    """Return the body, or `None` when it is above the limit; no more than the limit is ever kept."""
    chunks: list[bytes] = []
    size, too_large = 0, length > limit
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        too_large = too_large or size > limit
        if too_large:
            chunks.clear()
        else:
            chunks.append(chunk)
        if not message.get("more_body", False) or size > limit * _DISCARD_FACTOR:
            return None if too_large else b"".join(chunks)


async def _respond(response: HttpResponse, send: Send, *, close: bool = False) -> None:
    guards = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
    named = {**guards, **response.headers, "content-length": str(len(response.body))}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    if close:
        headers.append((b"connection", b"close"))
    empty = response.status in {204, 304}
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if empty else response.body})


async def _drop(scope: Scope, receive: Receive, send: Send) -> None:
    """Drop the connection, so that the client sees no answer at all."""
    drop: Callable[[], None] | None = scope.get("extensions", {}).get(DROP_EXTENSION)
    if drop is None:
        # Another server than ours: an answer cut short is the nearest thing ASGI can say.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        return
    drop()
    while (await receive())["type"] != "http.disconnect":
        pass
