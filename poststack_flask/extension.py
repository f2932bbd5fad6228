"""The extension: reads the application's configuration and leaves a client behind."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

from poststack import AsyncPostStack, PostStack
from poststack.mailbridge.configured import is_mailer
from poststack.receiving import LARGEST_BODY, MAX_AGE, EventHandlers, MemoryEventStore
from poststack.receiving import webhook_secrets as texts_of
from poststack.transports.httpcore import AsyncHttpcoreTransport, HttpcoreTransport
from poststack_flask.cli import commands
from poststack_flask.mail import MailMethods
from poststack_flask.outlet import STAND_IN_KEY, AppTransport, AsyncAppTransport, Outlet
from poststack_flask.recording import record_messages
from poststack_flask.settings import DEADLINE, MAX_RETRIES, TIMEOUT, WEBHOOK_PATH, Settings, read_settings
from poststack_flask.state import CLIENT, STATE, AppState, app_at_work, client_of, current_poststack, state_of
from poststack_flask.webhooks import BLUEPRINT, webhook_blueprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from flask import Blueprint, Flask
    from typing_extensions import Unpack

    from poststack.events import EventType
    from poststack.mailbridge import AsyncMailer, Mailer
    from poststack.providers.events import EventSource
    from poststack.receiving import EventStore, Secrets
    from poststack.throttling import AsyncRateLimiter, RateLimiter
    from poststack.transports.base import AsyncTransport, Transport
    from poststack_flask.sent import SentMessage
    from poststack_flask.settings import Sender

__all__ = ["AsyncClientArguments", "ClientArguments", "FlaskPostStack", "current_poststack"]

Handler = TypeVar("Handler", bound="Callable[..., Any]")

logger = logging.getLogger("poststack.flask")


class _Patience(TypedDict):
    timeout: float
    max_retries: int
    deadline: float | None


class _Arguments(_Patience):
    api_key: str
    base_url: str | None


class _RateLimit(TypedDict, total=False):
    """Given where the application has one."""

    rate_limit: float | RateLimiter


class _AsyncRateLimit(TypedDict, total=False):
    rate_limit: float | AsyncRateLimiter


class ClientArguments(_Arguments, _RateLimit):
    """What `FlaskPostStack.make_client` is called with. The transport is what suppresses sending in tests."""

    transport: Transport


class AsyncClientArguments(_Arguments, _AsyncRateLimit):
    """What `FlaskPostStack.make_async_client` is called with. The transport is what suppresses sending in tests."""

    transport: AsyncTransport


class FlaskPostStack(MailMethods):
    """Give each application a client of its own.

        poststack = FlaskPostStack()

        def create_app():
            app = Flask(__name__)
            poststack.init_app(app)
            return app

    Views use `app.extensions["poststack"]`, which is the `PostStack` client itself, or `current_poststack`.

    Settings are read once, by `init_app`: `POSTSTACK_API_KEY` and so on from `app.config`, else from the environment,
    else the arguments here. Times are in seconds. `transport` replaces the HTTP library, also while the application is
    testing; `event_store` is what several processes need to call handlers once for each event. Nothing about an
    application is kept on this object.

    `rate_limit` is in calls a second: of each application's client, or of all processes that use the same key and the
    Redis whose URL is `rate_limit_redis`.

    `provider` sends through another provider, with the arguments of its `MailBridge` as `provider_options`; `client` is
    a MailBridge or a Failover that is there already, goes before every setting, and stays open. Then views find that.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        provider: str | Callable[[], Any] | None = None,
        provider_options: Mapping[str, Any] | None = None,
        client: Mailer | None = None,
        timeout: float = TIMEOUT,
        max_retries: int = MAX_RETRIES,
        deadline: float | None = DEADLINE,
        rate_limit: float | None = None,
        rate_limit_redis: str | None = None,
        transport: Transport | None = None,
        suppress_send: bool | None = None,
        default_sender: Sender | None = None,
        webhook_secrets: Secrets = None,
        webhook_path: str | None = WEBHOOK_PATH,
        webhook_max_age: float | None = MAX_AGE,
        event_store: EventStore | None = None,
    ) -> None:
        self._defaults = Settings(
            api_key=api_key,
            base_url=base_url,
            provider=provider,
            provider_options=provider_options or {},
            timeout=timeout,
            max_retries=max_retries,
            deadline=deadline,
            rate_limit=rate_limit,
            rate_limit_redis=rate_limit_redis,
            suppress_send=suppress_send,
            default_sender=default_sender,
            webhook_secrets=texts_of(webhook_secrets),
            webhook_path=webhook_path,
            webhook_max_age=webhook_max_age,
            event_store=event_store,
        )
        if client is not None:
            _check_own_client(client, beside=(api_key, base_url, provider, provider_options, transport, rate_limit))
        self._client = client
        self._transport = transport
        self._handlers = EventHandlers()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Create the application's client, its webhook if it has a secret, and the commands `flask poststack`.

        Raises `RuntimeError` when the application has a client, `ValueError` for settings that cannot work. A missing
        key is logged, and raised when something is to be sent: tests and commands of a build have none.
        """
        if CLIENT in app.extensions or STATE in app.extensions:
            raise RuntimeError(
                "This application has a PostStack client already. Call init_app once for each application."
            )
        settings = read_settings(cast("Mapping[str, object]", app.config), self._defaults)
        outlet = Outlet(app, settings, has_own_transport=self._transport is not None)
        transport = HttpcoreTransport() if self._transport is None else self._transport
        at_work = AppTransport(outlet, transport)
        mailer = self._mailer(app, settings)
        limit = settings.limit
        client: PostStack | Mailer
        if mailer is None:
            # What sends nothing need not wait.
            limits: _RateLimit = {}
            if limit is not None and not outlet.suppressed:
                limits = {"rate_limit": limit.limiter(settings.api_key)}
            client = self.make_client(app, **_arguments(settings), **limits, transport=at_work)
        else:
            if limit is not None:
                limit.refuse_beside("another provider")
            from poststack_flask.mailers import at_work as mailer_at_work

            client = mailer_at_work(mailer, outlet)
        if settings.webhook_secrets and settings.webhook_path is not None:
            app.register_blueprint(self.webhook_blueprint(path=settings.webhook_path))
        app.cli.add_command(commands)
        app.extensions[CLIENT] = client
        app.extensions[STATE] = AppState(
            settings=settings,
            outlet=outlet,
            clock=at_work.clock,
            event_store=MemoryEventStore() if settings.event_store is None else settings.event_store,
        )
        if self._transport is None:
            weakref.finalize(app, transport.close)
        if mailer is None and settings.api_key is None and not outlet.suppressed:
            logger.warning(
                "No PostStack API key: nothing can be sent. Set POSTSTACK_API_KEY in the application's configuration "
                "or in the environment."
            )

    def close(self, app: Flask) -> None:
        """Close the connections of an application, and forget what its tests have sent.

        Needed by nobody: connections are closed when the application goes, or the program ends.
        """
        state = state_of(app)
        if self._client is None:
            client_of(app).close()
        state.outlet.forget_session()

    def make_client(self, app: Flask, **arguments: Unpack[ClientArguments]) -> PostStack:
        """Return the application's client. Overridden, it must hand on the transport, or tests send e-mails."""
        return PostStack(**arguments)

    def make_async_client(self, app: Flask, **arguments: Unpack[AsyncClientArguments]) -> AsyncPostStack:
        """Return an asynchronous client. Overridden, it must hand on the transport, or tests send e-mails."""
        return AsyncPostStack(**arguments)

    def async_client(self, *, transport: AsyncTransport | None = None) -> AsyncPostStack:
        """Return a new asynchronous client with the settings of the current application.

            async with poststack.async_client() as client:
                await asyncio.gather(*(client.emails.send(email) for email in emails))

        Make one in each view, and leave it there: Flask runs every async view in an event loop of its own, and
        connections belong to the loop that opened them. Raises `TypeError` where the extension was given a transport
        that cannot send asynchronously; give one that can. With another provider it is an `AsyncMailBridge`, which has
        `emails.send` and `emails.batch`; where the extension was given a MailBridge, `TypeError` says to make one.
        """
        app = app_at_work()
        state = state_of(app)
        if is_mailer(client_of(app)):
            return cast("AsyncPostStack", self._async_mailer(state, transport))
        is_shared = transport is None and self._transport is not None
        if is_shared:
            if not hasattr(self._transport, "asend"):
                raise TypeError(
                    f"The extension's transport, {type(self._transport).__name__}, has no `asend`. Give one that has: "
                    "async_client(transport=…)."
                )
            transport = cast("AsyncTransport", self._transport)
        elif transport is None:
            transport = AsyncHttpcoreTransport()
        at_work = AsyncAppTransport(state.outlet, transport, is_shared=is_shared)
        limits: _AsyncRateLimit = {}
        if (limit := state.settings.limit) is not None and not state.outlet.suppressed:
            limits = {"rate_limit": limit.async_limiter(state.settings.api_key)}
        return self.make_async_client(app, **_arguments(state.settings), **limits, transport=at_work)

    def _mailer(self, app: Flask, settings: Settings) -> Mailer | None:
        """Return what sends instead of PostStack, if anything does."""
        if self._client is not None:
            return self._client
        choice = settings.other_provider
        if choice is None:
            return None
        mailer = choice.mailer(**_patience(settings), transport=self._transport)
        if self._transport is None:
            weakref.finalize(app, mailer.close)
        return mailer

    def _async_mailer(self, state: AppState, transport: AsyncTransport | None) -> AsyncMailer:
        choice = state.settings.other_provider
        if self._client is not None or choice is None or choice.is_function:
            raise TypeError(
                "The application sends through a mailer of its own, which is synchronous. Make an AsyncMailBridge of "
                "poststack.mailbridge in the view, or name the provider: FlaskPostStack(provider='…')."
            )
        from poststack_flask.mailers import KeptOpen, at_work

        carrier = KeptOpen(self._transport) if transport is None and self._transport is not None else transport
        return at_work(choice.async_mailer(**_patience(state.settings), transport=carrier), state.outlet)

    def on(self, *types: EventType | str) -> Callable[[Handler], Handler]:
        """Decorate a handler of webhook events of these types; `"*"` means all, those that come in future too.

            @poststack.on("email.bounced", "email.complained")
            def stop_writing_to(event):
                ...

        It is called in the application and request context of the webhook, once for each event, and again when it
        raised. It may be `async def`. Raises `ValueError` for a name that no event has.
        """
        return self._handlers.on(*types)

    def webhook_blueprint(
        self,
        *,
        path: str = WEBHOOK_PATH,
        name: str = BLUEPRINT,
        secrets: Secrets = None,
        source: EventSource | None = None,
        store: EventStore | None = None,
        max_age: float | None = None,
        max_bytes: int = LARGEST_BODY,
    ) -> Blueprint:
        """Return a blueprint with the webhook, for mounting it by hand, or several under names of their own.

            app.register_blueprint(poststack.webhook_blueprint(path="/webhooks/shop", name="shop", secrets=["…"]))

        What is left out is the application's: `secrets`, `store`, and `max_age` in seconds, where `float("inf")` takes
        every age. A body that is longer than `max_bytes` is refused. With a `source`, such as
        `poststack.providers.events.PostmarkEvents(…)`, the route takes the events of that provider in place of
        PostStack's; it has a `max_age` of its own. Raises `ValueError` for secrets that are empty or beside a source.
        """
        return webhook_blueprint(
            self._handlers, path=path, name=name, secrets=secrets, source=source, store=store, max_age=max_age,
            max_bytes=max_bytes,
        )  # fmt: skip

    def record_messages(self, app: Flask | None = None) -> AbstractContextManager[list[SentMessage]]:
        """Yield a list that fills with what is sent inside the block; see `poststack_flask.testing.record_messages`."""
        return record_messages(app)


def _check_own_client(client: object, beside: tuple[object, ...]) -> None:
    if not is_mailer(client, asynchronous=False):
        raise TypeError(
            f"`client` is a MailBridge or a Failover of poststack.mailbridge, not {type(client).__name__}. That of "
            "PostStack is made from settings."
        )
    if any(beside):
        raise ValueError("Give FlaskPostStack either a client or the settings of one, not both.")


def _patience(settings: Settings) -> _Patience:
    return {"timeout": settings.timeout, "max_retries": settings.max_retries, "deadline": settings.deadline}


def _arguments(settings: Settings) -> _Arguments:
    return {
        "api_key": STAND_IN_KEY if settings.api_key is None else settings.api_key,
        "base_url": settings.base_url,
        "timeout": settings.timeout,
        "max_retries": settings.max_retries,
        "deadline": settings.deadline,
    }
