"""Where the requests of an application's clients go: to PostStack, or, while sending is suppressed, to an emulator.

Which of the two is decided for every request, so that `TESTING` counts however late it is set. Nothing here refers to
the application strongly, so it can be collected with its connections.
"""

from __future__ import annotations

import logging
import weakref
from datetime import datetime, timezone
from inspect import isawaitable
from typing import TYPE_CHECKING, Final, cast

from poststack.transports.base import Clock, HttpRequest, SystemClock
from poststack_flask.calling import call_and_wait
from poststack_flask.sent import accepted_messages
from poststack_flask.settings import PREFIX, flag
from poststack_flask.signals import email_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from flask import Flask

    from poststack.testing import EmulatorSession
    from poststack.transports.base import AsyncTransport, HttpResponse, Transport
    from poststack_flask.sent import SentMessage
    from poststack_flask.settings import Settings

__all__ = ["STAND_IN_KEY", "SUPPRESS_SEND", "AppTransport", "AsyncAppTransport", "Outlet"]

STAND_IN_KEY: Final = "sk_test_emulator"
"""What a client is made with where no key is configured. It never leaves the process."""
SUPPRESS_SEND: Final = PREFIX + "SUPPRESS_SEND"

logger = logging.getLogger("poststack.flask")


class Outlet:
    """Decides for one application, and keeps its emulator."""

    def __init__(self, app: Flask, settings: Settings, *, has_own_transport: bool) -> None:
        self._app = weakref.ref(app)
        self._last_config = cast("Mapping[str, object]", app.config)
        self._suppress_send = settings.suppress_send
        self._has_key = settings.api_key is not None
        self._base_url = (settings.base_url or "").strip().rstrip("/")
        self._sessions: dict[str, EmulatorSession] = {}
        self.accepted_keys: dict[str, str] = {}
        """Of e-mails that another provider did not get, while sending is suppressed: the ids that were made up."""
        self.has_own_transport = has_own_transport

    @property
    def app(self) -> Flask | None:
        """The application, as long as there is one."""
        return self._app()

    @property
    def suppressed(self) -> bool:
        """Whether nothing may leave the process now."""
        chosen = self._chosen
        return bool(self._config.get("TESTING")) and not self.has_own_transport if chosen is None else chosen

    @property
    def suppressible(self) -> bool:
        """Whether nobody has said where e-mails go."""
        return self._chosen is None and not self.has_own_transport

    @property
    def _chosen(self) -> bool | None:
        value = self._config.get(SUPPRESS_SEND)
        return self._suppress_send if value is None or value == "" else flag(SUPPRESS_SEND, value)

    @property
    def _config(self) -> Mapping[str, object]:
        # Looked up again and again: `app.config` may be another object by now, as `app.testing` sees it.
        if (app := self.app) is not None:
            self._last_config = cast("Mapping[str, object]", app.config)
        return self._last_config

    @property
    def session(self) -> EmulatorSession:
        """The application's emulator, made when it is first needed. Its time begins now, and stands still."""
        session = self._sessions.get("")
        # Not under a lock, which a fork could leave locked for ever: of several made at once, all take the first.
        return session or self._sessions.setdefault("", _new_session())

    def forget_session(self) -> None:
        """Let the next request find an empty emulator, and no idempotency key that has been used."""
        self.accepted_keys.clear()
        session = self._sessions.pop("", None)
        if session is not None:
            session.emulator.close()

    @property
    def has_receivers(self) -> bool:
        """Whether somebody may want to hear of an e-mail."""
        return bool(email_sent.receivers)

    def tell(self, messages: Iterable[SentMessage]) -> None:
        """Tell the receivers of `email_sent`."""
        if (app := self.app) is None:
            return
        for message in messages:
            for receiver in email_sent.receivers_for(app):
                try:
                    call_and_wait(app, receiver, app, message=message, id=message.id)
                except Exception as error:  # noqa: BLE001  # the e-mail has left, whatever a receiver raises
                    _log(receiver, error)

    async def atell(self, messages: Iterable[SentMessage]) -> None:
        """Tell the receivers of `email_sent`."""
        if (app := self.app) is None:
            return
        for message in messages:
            for receiver in email_sent.receivers_for(app):
                try:
                    answer = receiver(app, message=message, id=message.id)
                    if isawaitable(answer):
                        await answer
                except Exception as error:  # noqa: BLE001  # the e-mail has left, whatever a receiver raises
                    _log(receiver, error)

    def for_emulator(self, request: HttpRequest) -> HttpRequest:
        """Return a request as the emulator takes it: without the real key, and with nothing before the API's path."""
        headers = {**request.headers, "Authorization": f"Bearer {STAND_IN_KEY}"}
        url = request.url
        if self._base_url and url.startswith(self._base_url):
            url = "https://api.poststack.test" + url[len(self._base_url) :]
        return request._replace(url=url, headers=headers)

    def check_key(self) -> None:
        """Raise `ValueError` if there is no key to send with."""
        if not self._has_key:
            raise ValueError(
                "No PostStack API key. Set POSTSTACK_API_KEY in the application's configuration or in the environment, "
                "or pass FlaskPostStack(api_key='sk_…')."
            )


class AppTransport:
    """The transport of an application's synchronous client."""

    def __init__(self, outlet: Outlet, transport: Transport) -> None:
        self._outlet = outlet
        self._transport = transport
        self.clock: Clock = _ClockAtWork(outlet, transport)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer of PostStack or of the emulator, and tell the receivers of `email_sent`."""
        outlet = self._outlet
        if outlet.suppressed:
            response = outlet.session.transport.send(outlet.for_emulator(request))
        else:
            outlet.check_key()
            response = self._transport.send(request)
        if outlet.has_receivers:
            outlet.tell(accepted_messages(request, response))
        return response

    def close(self) -> None:
        """Release connections."""
        self._transport.close()


class AsyncAppTransport:
    """The transport of one asynchronous client of an application. A shared one outlives the client."""

    def __init__(self, outlet: Outlet, transport: AsyncTransport, *, is_shared: bool) -> None:
        self._outlet = outlet
        self._transport = transport
        self._is_shared = is_shared
        self.clock: Clock = _ClockAtWork(outlet, transport)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Return the answer of PostStack or of the emulator, and tell the receivers of `email_sent`."""
        outlet = self._outlet
        if outlet.suppressed:
            response = await outlet.session.transport.asend(outlet.for_emulator(request))
        else:
            outlet.check_key()
            response = await self._transport.asend(request)
        if outlet.has_receivers:
            await outlet.atell(accepted_messages(request, response))
        return response

    async def aclose(self) -> None:
        """Release connections, unless somebody else uses them."""
        if not self._is_shared:
            await self._transport.aclose()


class _ClockAtWork:
    """The emulator's clock while sending is suppressed, otherwise that of the transport."""

    def __init__(self, outlet: Outlet, transport: object) -> None:
        own = getattr(transport, "clock", None)
        self._own: Clock = own if isinstance(own, Clock) else SystemClock()
        self._outlet = outlet

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.current.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return self.current.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.current.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await self.current.asleep(seconds)

    @property
    def current(self) -> Clock:
        """The clock of this moment: clients forget what they have learned by another one."""
        return self._outlet.session.clock if self._outlet.suppressed else self._own


def _new_session() -> EmulatorSession:
    try:
        from poststack.testing import EmulatorSession
    except ImportError as error:
        raise ImportError(
            "While TESTING or POSTSTACK_SUPPRESS_SEND is set, e-mails go to the emulator in memory, which is not "
            'installed. Install it with: pip install "poststack[emulator]"'
        ) from error
    return EmulatorSession(start=datetime.now(timezone.utc))


def _log(receiver: Callable[..., Any], error: Exception) -> None:
    name = getattr(receiver, "__qualname__", type(receiver).__qualname__)
    logger.warning("The receiver %s of email_sent failed with %s.", name, type(error).__name__, exc_info=error)
