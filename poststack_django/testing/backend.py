"""The test mailer: everything that the real one does, with the API in memory, and the messages in `mail.outbox`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.core import mail
from django.core.mail import EmailMessage

from poststack_django.backends.email import EmailBackend as SendingBackend
from poststack_django.testing.api import api, client

if TYPE_CHECKING:
    from poststack_django.clients import EmailClient
    from poststack_django.delivery import Call, Outcome
    from poststack_django.settings import ClientSettings

__all__ = ["EmailBackend"]


class EmailBackend(SendingBackend):
    """Put accepted messages into `mail.outbox`, as Django's locmem backend does. No key is needed, and no network.

        MAILERS = {"default": {"BACKEND": "poststack_django.testing.EmailBackend"}}

    What the real backend refuses is refused, rows are stored, signals are sent, and `message.poststack_status` has an
    `em_test_…` id of its own: on your message and on its copy in the outbox. The copy also has `sent_using`, the
    mailer's alias, and `poststack_payload`, what the API would have got.
    """

    # Asynchronous code gets here by `send_messages`, too: there is nothing to wait for.
    sends_by_calls = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._copies: list[tuple[EmailMessage, EmailMessage]] = []
        if not hasattr(mail, "outbox"):
            mail.outbox = []

    def client_for(self, configuration: ClientSettings) -> EmailClient:
        """Return the client of the API in memory."""
        return client()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send as the real backend does."""
        with self._lock:
            try:
                return super().send_messages(email_messages)
            finally:
                for message, sent in self._copies:
                    vars(sent)["poststack_status"] = getattr(message, "poststack_status", None)
                self._copies.clear()

    # Django 5.2 and 6.0 keep the backend on a sent message, and so on its copies.
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_copies": []}

    def _perform(self, call: Call) -> list[Outcome]:
        outcomes = super()._perform(call)
        for one in call.messages:
            # Also when the answer was lost: the recipients get what was accepted, whoever knows of it.
            accepted = api.take(one.key)
            if accepted is not None:
                sent = copy.deepcopy(one.message)
                vars(sent).update(
                    sent_using=self.alias, poststack_payload=accepted.payload, _poststack_accepted=accepted
                )
                mail.outbox.append(sent)
                self._copies.append((one.message, sent))
        return outcomes
