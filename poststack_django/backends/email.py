"""The backend: messages leave at once, several of them in one call.

The shape of its constructor is what works on Django 5.2, 6.0 and 6.1, with `EMAIL_BACKEND` and with `MAILERS`, without
a warning: own options are taken out, everything else goes to the base class, and `fail_silently` is set after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.views.decorators.debug import sensitive_variables

from poststack_django.clients import EmailClient, get_client, overlaid
from poststack_django.database import refuse_in_event_loop
from poststack_django.delivery import Call, Outcome, perform
from poststack_django.extras import merged_defaults
from poststack_django.guard import checked_patterns, checked_redirect
from poststack_django.preparing import Rules
from poststack_django.sending import sending
from poststack_django.settings import ApiKey, ClientSettings, get_settings

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["EmailBackend"]

# `None` is a value, too: no deadline, no list of allowed recipients.
_AS_IN_THE_SETTINGS: Final[Any] = object()


class EmailBackend(BaseEmailBackend):
    """Send through PostStack. Options not given here are those of the setting `POSTSTACK`.

        MAILERS = {"default": {"BACKEND": "poststack_django.backends.EmailBackend"}}

    `fail_silently` silences failures of delivery: they are still logged, signalled and stored. Wrong settings and
    messages that cannot be sent as they are always raise (`ImproperlyConfigured`, `ValueError`).
    """

    # Django 5.2 and 6.0 do not set it.
    alias: str | None = None
    sends_by_calls: bool = True
    """Whether `send_messages` calls the API, so that asynchronous code can make the calls in its own way."""
    repeats: bool = False
    """Whether e-mails wait in a queue, whose workers may send one twice."""

    # Django's error reports show no variables of what this decorates, nor of what that calls.
    @sensitive_variables()
    def __init__(
        self,
        *,
        api_key: ApiKey = None,
        base_url: str | None = None,
        provider: str | Callable[[], Any] | None = None,
        provider_options: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        deadline: float | None = _AS_IN_THE_SETTINGS,
        max_retries: int | None = None,
        rate_limit: float | None = None,
        send_defaults: Mapping[str, Any] | None = None,
        allowed_recipients: Sequence[str] | None = _AS_IN_THE_SETTINGS,
        redirect_to: str | None = _AS_IN_THE_SETTINGS,
        block_event_loop: bool | None = None,
        fail_silently: bool = False,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "alias" in kwargs:
            # In MAILERS these two are a mistake, which the base class reports. Elsewhere Django's functions pass them.
            given = {"username": username, "password": password}
            kwargs.update({name: value for name, value in given.items() if value is not None})
        super().__init__(**kwargs)
        self.fail_silently = fail_silently
        options = {
            "api_key": api_key,
            "base_url": base_url,
            "provider": provider,
            "provider_options": provider_options,
            "timeout": timeout,
            "max_retries": max_retries,
            "rate_limit": rate_limit,
        }
        self._options: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if deadline is not _AS_IN_THE_SETTINGS:
            self._options["deadline"] = deadline
        guarding = {"allowed_recipients": allowed_recipients, "redirect_to": redirect_to}
        self._guard: dict[str, Any] = {
            name: value for name, value in guarding.items() if value is not _AS_IN_THE_SETTINGS
        }
        self._send_defaults = send_defaults
        self._block_event_loop = block_event_loop
        self._is_open = False
        self._lock = threading.RLock()

    @property
    def configuration(self) -> ClientSettings:
        """What this mailer's client is made from: the settings, and its own options on top."""
        return overlaid(self._options)

    @property
    def rules(self) -> Rules:
        """How this mailer sends: the settings, and its own options on top."""
        settings = get_settings()
        return Rules(
            alias=self.alias or "",
            client=self.configuration,
            defaults=merged_defaults(settings.send_defaults, self._send_defaults),
            allowed_recipients=checked_patterns(self._guard.get("allowed_recipients", settings.allowed_recipients)),
            redirect_to=checked_redirect(self._guard.get("redirect_to", settings.redirect_to)),
            client_for=self.client_for,
            repeats=self.repeats,
        )

    @sensitive_variables()
    def open(self) -> bool:
        """Take the shared client. Returns whether this call did it. Raises `ImproperlyConfigured`, never silenced."""
        with self._lock:
            if self._is_open:
                return False
            try:
                rules = self.rules
                if rules.client.key_for_message is None:
                    self.client_for(rules.client)
            except ImproperlyConfigured as error:
                named = _with_alias(error, self.alias)
                if named is error:
                    raise
                raise named from error
            self._is_open = True
            return True

    def close(self) -> None:
        """Let go of the shared client, which stays open for others. Calling it again is harmless."""
        with self._lock:
            self._is_open = False

    def client_for(self, configuration: ClientSettings) -> EmailClient:
        """Return the client that makes the calls of this configuration. Yours to override."""
        return get_client(configuration)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send each message that has recipients; return how many the API accepted.

        Several messages go in one call. When some of them are not sent, `NotAllSentError` says which, and why each;
        `message.poststack_status` says so too. Raises `SynchronousOnlyOperation` in a running event loop, unless the
        option `block_event_loop` allows it to be held up: `poststack_django.aio` has what can be awaited.
        """
        with self._lock:
            messages = list(email_messages)
            if not any(message.recipients() for message in messages):
                return 0
            self.refuse_in_event_loop()
            opened = self.open()
            try:
                # Somebody's own `open` may do nothing, or have failed silently: then nothing is sent.
                return self._send(messages) if self._is_open else 0
            finally:
                if opened:
                    self.close()

    def refuse_in_event_loop(self) -> None:
        """Raise `SynchronousOnlyOperation` where a call would hold up an event loop that nobody said it may."""
        blocks = get_settings().block_event_loop if self._block_event_loop is None else self._block_event_loop
        if not blocks:
            refuse_in_event_loop()

    @sensitive_variables()
    def _send(self, messages: Sequence[EmailMessage]) -> int:
        steps = sending(messages, self.rules, type(self), fail_silently=self.fail_silently)
        try:
            call = next(steps)
            while True:
                call = steps.send(self._perform(call))
        except StopIteration as done:
            count: int = done.value
            return count

    def _perform(self, call: Call) -> list[Outcome]:
        return perform(self.client_for(call.client), call)

    # Django 5.2 and 6.0 keep the backend on a sent message, which must still pickle and deep-copy.
    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_lock", "_is_open"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock(), _is_open=False)


def _with_alias(error: ImproperlyConfigured, alias: str | None) -> ImproperlyConfigured:
    if alias is None:
        return error
    try:
        from django.core.mail import InvalidMailer
    except ImportError:  # Django 6.0 and older have no mailers.
        return error
    return InvalidMailer(str(error), alias=alias)
