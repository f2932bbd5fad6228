"""Sending from asynchronous code: what Django's functions do, to be awaited.

    from poststack_django.aio import asend_mail

    await asend_mail("Welcome", "…", None, [user.email])

The calls to PostStack are asynchronous. What needs the database, and receivers of signals, run where `sync_to_async`
puts them. Mailers of other packages, such as the one of Django's test runner, are called there as well.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from poststack import AsyncPostStack
from poststack_django.backends.email import EmailBackend
from poststack_django.delivery import Call, Outcome, aperform, perform
from poststack_django.muted import muted_deprecations
from poststack_django.sending import sending

if TYPE_CHECKING:
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
    """Send one message; return 1 when it was accepted. Raises what `message.send()` raises."""
    return await asend_messages([message], using=using)


@sensitive_variables()
async def asend_messages(messages: Sequence[EmailMessage], *, using: str | None = None) -> int:
    """Send messages as `send_messages` of the mailer does, without holding up the event loop.

    Returns how many were accepted. Raises what the mailer raises.
    """
    backend = await sync_to_async(_backend)(using)
    if not isinstance(backend, EmailBackend) or not backend.sends_by_calls:
        count: int | None = await sync_to_async(backend.send_messages)(list(messages))
        return count or 0
    wanted = [message for message in messages if message.recipients()]
    if not wanted:
        return 0
    await sync_to_async(backend.open)()
    try:
        steps = sending(wanted, backend.rules, type(backend), fail_silently=backend.fail_silently)
        step: Call | int = await sync_to_async(_advance)(steps, None)
        while isinstance(step, Call):
            outcomes = await _perform(backend, step)
            step = await sync_to_async(_advance)(steps, outcomes)
        return step
    finally:
        backend.close()


def _advance(steps: Any, outcomes: list[Outcome] | None) -> Call | int:
    """Return the next call, or the final count: `StopIteration` cannot pass through a coroutine."""
    try:
        call: Call = steps.send(outcomes)
    except StopIteration as done:
        count: int = done.value
        return count
    return call


async def _perform(backend: EmailBackend, call: Call) -> list[Outcome]:
    if call.client.factory is not None or type(backend).client_for is not EmailBackend.client_for:
        # A client of the project's own is synchronous, and need not be tied to one thread.
        client = backend.client_for(call.client)
        return await sync_to_async(perform, thread_sensitive=False)(client, call)
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

_clients: OrderedDict[ClientSettings, AsyncPostStack] = OrderedDict()
_lock = threading.Lock()


@sensitive_variables()
def _client(configuration: ClientSettings) -> AsyncPostStack:
    # One for the process: its connections belong to event loops, each of which has its own.
    with _lock:
        client = _clients.get(configuration)
        if client is None:
            key = configuration.api_key
            client = _clients[configuration] = AsyncPostStack(
                key if isinstance(key, str) else None,
                configuration.base_url,
                configuration.timeout,
                configuration.max_retries,
                deadline=configuration.deadline,
            )
            if len(_clients) > MOST_CLIENTS:
                _clients.popitem(last=False)
        _clients.move_to_end(configuration)
        return client


def _forget_clients(*, setting: str, **_: Any) -> None:
    if setting == "POSTSTACK":
        with _lock:
            _clients.clear()


setting_changed.connect(_forget_clients, dispatch_uid="poststack_django.aio")
