"""The backend: one API call for each message, at once.

The shape of its constructor is what works on Django 5.2, 6.0 and 6.1, with `EMAIL_BACKEND` and with `MAILERS`, without
a warning: own options are taken out, everything else goes to the base class, and `fail_silently` is set after it.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.views.decorators.debug import sensitive_variables

from poststack import PostStackError
from poststack_django.clients import EmailClient, get_client, overlaid
from poststack_django.database import is_recording, with_orm
from poststack_django.outgoing import Outgoing
from poststack_django.payload import payload_from
from poststack_django.result import SendStatus
from poststack_django.signals import post_send, send_failed

if TYPE_CHECKING:
    from poststack.types import SentEmail as Accepted
    from poststack_django.models import SentEmail
    from poststack_django.settings import ClientSettings

__all__ = ["EmailBackend"]

Result = TypeVar("Result")

# `None` is a deadline, too: no limit.
_AS_IN_THE_SETTINGS: Final[Any] = object()

logger = logging.getLogger("poststack.django")


class EmailBackend(BaseEmailBackend):
    """Send through PostStack. Options not given here are those of the setting `POSTSTACK`.

        MAILERS = {"default": {"BACKEND": "poststack_django.backends.EmailBackend"}}

    `fail_silently` silences failures of delivery: they are still logged, signalled and stored. Wrong settings and
    messages that cannot be sent as they are always raise (`ImproperlyConfigured`, `ValueError`).
    """

    # Django 5.2 and 6.0 do not set it.
    alias: str | None = None

    # Django's error reports show no variables of what this decorates, nor of what that calls.
    @sensitive_variables()
    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float | None = None,
        deadline: float | None = _AS_IN_THE_SETTINGS,
        max_retries: int | None = None,
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
        options = {"api_key": api_key, "base_url": base_url, "timeout": timeout, "max_retries": max_retries}
        self._options: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if deadline is not _AS_IN_THE_SETTINGS:
            self._options["deadline"] = deadline
        self._client: EmailClient | None = None
        self._lock = threading.RLock()

    @property
    def configuration(self) -> ClientSettings:
        """What this mailer's client is made from: the settings, and its own options on top."""
        return overlaid(self._options)

    @sensitive_variables()
    def open(self) -> bool:
        """Take the shared client. Returns whether this call did it. Raises `ImproperlyConfigured`, never silenced."""
        with self._lock:
            if self._client is not None:
                return False
            try:
                self._client = get_client(self.configuration)
            except ImproperlyConfigured as error:
                named = _with_alias(error, self.alias)
                if named is error:
                    raise
                raise named from error
            return True

    def close(self) -> None:
        """Let go of the shared client, which stays open for others. Calling it again is harmless."""
        with self._lock:
            self._client = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send each message that has recipients; return how many the API accepted.

        The first failure ends it and raises, unless failures are silenced; `message.poststack_status` tells which
        messages were sent before.
        """
        with self._lock:
            messages = [message for message in email_messages if message.recipients()]
            if not messages:
                return 0
            opened = self.open()
            try:
                return sum(self._send(message) for message in messages)
            finally:
                if opened:
                    self.close()

    @sensitive_variables()
    def _send(self, message: EmailMessage) -> bool:
        client = self._client
        if client is None:  # Somebody's own `open` did nothing, or failed silently.
            return False
        payload = payload_from(message)
        key = payload.setdefault("idempotency_key", str(uuid.uuid4()))
        row = self._record_attempt(Outgoing(message, payload, self.alias or ""))
        try:
            answer = client.emails.send(payload)
        except PostStackError as error:
            status = SendStatus("unknown" if error.transient else "refused", key, error=error.error, code=error.code)
            self._failed(message, row, status, error)
            if self.fail_silently:
                return False
            raise
        except ValueError as error:  # The client found the payload wrong, and nothing was sent.
            self._failed(message, row, SendStatus("refused", key, error=str(error)), error)
            raise
        except Exception as error:
            self._failed(message, row, SendStatus("unknown", key, error=type(error).__name__), error)
            raise
        self._accepted(message, row, key, answer)
        return True

    def _record_attempt(self, outgoing: Outgoing) -> SentEmail | None:
        if not is_recording():
            return None
        from poststack_django.records import record_attempts

        # Reports of a broken database are e-mails too: they must get out although nothing can be stored.
        _logged_not_raised("storing an e-mail before sending it", lambda: record_attempts([outgoing]))
        return outgoing.row

    def _accepted(self, message: EmailMessage, row: SentEmail | None, key: str, answer: Accepted) -> None:
        status = SendStatus(
            "queued",
            key,
            id=answer["id"],
            replayed=bool(answer.get("replayed", False)),
            test_mode=bool(answer.get("test_mode", False)),
        )
        _set_status(message, status)
        logger.info("E-mail %s was accepted.", status.id)
        if row is not None:
            from poststack_django.records import record_accepted

            _logged_not_raised(f"storing the id {status.id}", lambda: record_accepted([(row, answer)]))
        post_send.send_robust(sender=type(self), message=message, status=status, email=row)

    def _failed(self, message: EmailMessage, row: SentEmail | None, status: SendStatus, error: Exception) -> None:
        _set_status(message, status)
        # A warning, not an error: errors may be sent by e-mail, and this is the failure of an e-mail.
        logger.warning(
            "An e-mail was not sent: %s, status %s, request %s.",
            type(error).__name__,
            getattr(error, "status_code", "-"),
            getattr(error, "request_id", "-"),
        )
        if row is not None:
            from poststack_django.records import record_failure

            _logged_not_raised("storing a failure", lambda: record_failure(row, status))
        send_failed.send_robust(sender=type(self), message=message, status=status, error=error, email=row)

    # Django 5.2 and 6.0 keep the backend on a sent message, which must still pickle and deep-copy.
    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_lock", "_client"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock(), _client=None)


def _set_status(message: Any, status: SendStatus) -> None:
    message.poststack_status = status


def _logged_not_raised(doing: str, function: Callable[[], Result]) -> Result | None:
    try:
        return with_orm(function)
    except Exception as error:  # whatever a database, router or receiver raises, the e-mail comes first
        logger.warning("%s failed with %s.", doing.capitalize(), type(error).__name__, exc_info=error)
        return None


def _with_alias(error: ImproperlyConfigured, alias: str | None) -> ImproperlyConfigured:
    if alias is None:
        return error
    try:
        from django.core.mail import InvalidMailer
    except ImportError:  # Django 6.0 and older have no mailers.
        return error
    return InvalidMailer(str(error), alias=alias)
