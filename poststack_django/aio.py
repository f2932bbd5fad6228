"""Sending from asynchronous code: what Django's functions do, to be awaited.

    from poststack_django.aio import asend_mail

    await asend_mail("Welcome", "…", None, [user.email])

The calls to PostStack are asynchronous. What needs the database, and receivers of signals, run where `sync_to_async`
puts them. Mailers of other packages, such as the one of Django's test runner, are called there as well.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from poststack import AsyncPostStack
from poststack.mailbridge.configured import is_mailer
from poststack.transports.httpcore import AsyncHttpcoreTransport
from poststack_django.backends.email import EmailBackend
from poststack_django.clients import configured, default_keys
from poststack_django.delivery import Call, Outcome, aperform, perform
from poststack_django.muted import muted_deprecations
from poststack_django.sending import sending

if TYPE_CHECKING:
    from typing import TypeGuard

    from poststack.mailbridge import AsyncMailer
    from poststack_django.settings import ClientSettings

__all__ = ["asend", "asend_mail", "asend_messages"]


async def asend_mail(
    subject: Any,
    message: Any,
    from_email: str | None,
    recipient_list: Sequence[str],
    *,
    html_message: str | None = None,
    using: str | None = None,
) -> int:
    """Send one e-mail as `send_mail` does; return 1 when it was accepted. `using` names a mailer, on Django 6.1."""
    letter = EmailMultiAlternatives(subject, message, from_email, list(recipient_list))
    if html_message:
        letter.attach_alternative(html_message, "text/html")
    return await asend(letter, using=using)


async def asend(message: EmailMessage, *, using: str | None = None) -> int:
    """Send one message; return 1 when it was accepted. Raises what `message.send()` raises.

    Like that, it uses the backend that the message was given as `connection`, if it was given one.
    """
    backend = None if using is not None else _connection_of(message)
    return await _asend([message], backend or await sync_to_async(_backend)(using))


@sensitive_variables()
async def asend_messages(messages: Iterable[EmailMessage], *, using: str | None = None) -> int:
    """Send messages as `send_messages` of the mailer does, without holding up the event loop.

    Returns how many were accepted. Raises what the mailer raises.
    """
    return await _asend(list(messages), await sync_to_async(_backend)(using))


@sensitive_variables()
async def _asend(messages: Sequence[EmailMessage], backend: Any) -> int:
    if not _makes_calls(backend):
        count: int | None = await sync_to_async(backend.send_messages)(messages)
        return count or 0
    if not any(message.recipients() for message in messages):
        return 0
    opened = await sync_to_async(backend.open)()
    try:
        steps = sending(messages, backend.rules, type(backend), fail_silently=backend.fail_silently)
        step: Call | int = await sync_to_async(_advance)(steps, None)
        while isinstance(step, Call):
            outcomes = await _perform(backend, step)
            step = await sync_to_async(_advance)(steps, outcomes)
        return step
    finally:
        if opened:
            backend.close()


def _makes_calls(backend: object) -> TypeGuard[EmailBackend]:
    # A subclass that sends in its own way must not be passed over.
    return (
        isinstance(backend, EmailBackend)
        and backend.sends_by_calls
        and type(backend).send_messages is EmailBackend.send_messages
    )


def _connection_of(message: EmailMessage) -> Any:
    # Not the attribute: Django 6.1 warns whoever reads it.
    fields = vars(message)
    return fields.get("_connection", fields.get("connection"))


def _advance(steps: Any, outcomes: list[Outcome] | None) -> Call | int:
    """Return the next call, or the final count: `StopIteration` cannot pass through a coroutine."""
    try:
        call: Call = steps.send(outcomes)
    except StopIteration as done:
        count: int = done.value
        return count
    return call


async def _perform(backend: EmailBackend, call: Call) -> list[Outcome]:
    provider = call.client.provider
    is_own = call.client.factory is not None or (provider is not None and provider.is_function)
    if is_own or type(backend).client_for is not EmailBackend.client_for:
        # A client of the project's own is synchronous, and need not be tied to one thread.
        own = backend.client_for(call.client)
        return await sync_to_async(perform, thread_sensitive=False)(own, call)
    await _let_go_when_the_loop_ends()
    return await aperform(_client(call.client), call)


def _backend(using: str | None) -> Any:
    mailers: Any = getattr(mail, "mailers", None)
    if mailers is not None:
        return mailers[using] if using is not None else mailers.default
    if using is not None:
        raise ValueError("`using` names a mailer of MAILERS, which came with Django 6.1.")
    with muted_deprecations():
        return import_string(settings.EMAIL_BACKEND)()


MOST_CLIENTS: Final = 1_000

_clients: OrderedDict[ClientSettings, AsyncPostStack | AsyncMailer] = OrderedDict()
_of_the_parent: list[AsyncPostStack | AsyncMailer] = []
_transport: AsyncHttpcoreTransport | None = None
_lock = threading.Lock()


@sensitive_variables()
def _client(configuration: ClientSettings) -> AsyncPostStack | AsyncMailer:
    global _transport  # noqa: PLW0603  # one for the process: its connections belong to event loops, each has its own
    with _lock:
        if _transport is None:
            _transport = AsyncHttpcoreTransport()
        client = _clients.get(configuration)
        if client is None:
            client = _clients[configuration] = _made(configuration, _transport)
            if len(_clients) > MOST_CLIENTS:
                _clients.popitem(last=False)
        _clients.move_to_end(configuration)
        return client


def _made(configuration: ClientSettings, transport: AsyncHttpcoreTransport) -> AsyncPostStack | AsyncMailer:
    if (provider := configuration.provider) is not None:
        with configured():
            return provider.async_mailer(
                timeout=configuration.timeout,
                deadline=configuration.deadline,
                max_retries=configuration.max_retries,
                keys=default_keys(),
            )
    key = configuration.api_key if isinstance(configuration.api_key, str) else None
    limit = configuration.rate_limit
    return AsyncPostStack(
        key,
        configuration.base_url,
        configuration.timeout,
        configuration.max_retries,
        deadline=configuration.deadline,
        transport=transport,
        rate_limit=None if limit is None else limit.async_limiter(key),
    )


_ends: dict[asyncio.AbstractEventLoop, AsyncGenerator[None]] = {}


async def _let_go_when_the_loop_ends() -> None:
    # Under WSGI every request has a loop of its own, whose connections nobody would close.
    loop = asyncio.get_running_loop()
    if loop not in _ends:
        for ended in [one for one in list(_ends) if one.is_closed()]:
            _ends.pop(ended, None)
        _ends[loop] = end = _at_the_end(loop)
        await anext(end)


async def _at_the_end(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
    """Wait: before a loop is closed, asyncio ends the generators that have begun in it."""
    try:
        yield
    finally:
        _ends.pop(loop, None)
        if _transport is not None:
            await _transport.aclose()
        # Each has a transport of its own, which lets go of the connections of this loop.
        for client in list(_clients.values()):
            if is_mailer(client):
                await client.aclose()


def _start_anew() -> None:
    global _lock  # noqa: PLW0603  # a thread that held it when the process was forked does not exist in the child
    _lock = threading.Lock()
    _ends.clear()
    for configuration in [one for one in _clients if one.provider is not None]:
        _of_the_parent.append(_clients.pop(configuration))


if hasattr(os, "register_at_fork"):  # Not on Windows, where nothing forks.
    os.register_at_fork(after_in_child=_start_anew)


def _forget_clients(*, setting: str, **_: Any) -> None:
    if setting == "POSTSTACK":
        with _lock:
            _clients.clear()


setting_changed.connect(_forget_clients, dispatch_uid="poststack_django.aio")
