"""The backend that writes messages into the outbox instead of sending them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from poststack_django.backends.email import EmailBackend
from poststack_django.database import is_recording, with_orm
from poststack_django.preparing import prepared
from poststack_django.result import SendStatus, set_status
from poststack_django.sending import tell_not_sent

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from poststack_django.errors import SuppressedRecipientsError
    from poststack_django.models import SentEmail
    from poststack_django.outgoing import Outgoing

__all__ = ["OutboxEmailBackend"]

logger = logging.getLogger("poststack.django")


class OutboxEmailBackend(EmailBackend):
    """Store messages in the caller's transaction; `manage.py poststack_outbox` sends them once it has committed.

        MAILERS = {"default": {"BACKEND": "poststack_django.backends.OutboxEmailBackend"}}

    A rollback sends nothing, and a crash after the commit loses nothing. What is wrong with a message raises at once,
    as with `EmailBackend`; what the API says of it is on its row, and told by the signals `post_send` and
    `send_failed` in the process that sends. The count that is returned is of messages accepted for sending. A database
    that fails raises. Needs the app `poststack_django`; options are those of `EmailBackend`.
    """

    sends_by_calls = False
    repeats = True

    def refuse_in_event_loop(self) -> None:
        """Allow it: storing a row takes no call to the API, and happens in a thread."""

    @sensitive_variables()
    def _send(self, messages: Sequence[EmailMessage]) -> int:
        if not is_recording():
            raise ImproperlyConfigured(
                "The outbox is a table of the app: add 'poststack_django' to INSTALLED_APPS, run migrate, and do not "
                "set POSTSTACK['RECORD'] to False."
            )
        outgoing = prepared(messages, self.rules, type(self))
        ready = [one for one in outgoing if one is not None and one.payload["to"]]
        refused: SuppressedRecipientsError | None = None
        for one in outgoing:
            if one is not None and not one.payload["to"]:
                refused = tell_not_sent(one, type(self)) or refused
        if ready:
            from poststack_django.outbox.queueing import put_into_outbox

            rows = with_orm(lambda: put_into_outbox(ready))
            for one, row in zip(ready, rows, strict=True):
                set_status(one.message, _status_of(one, row))
            logger.info("E-mails put into the outbox: %d.", len(rows))
        if refused is not None and not self.fail_silently:
            raise refused
        return len(ready)


def _status_of(one: Outgoing, row: SentEmail) -> SendStatus:
    if row.email_id is not None:  # Sent before, under the same key: nothing is sent again.
        return SendStatus("queued", one.key, id=row.email_id, replayed=True, test_mode=row.test_mode)
    return SendStatus("waiting", one.key, left_out=len(one.left_out))
