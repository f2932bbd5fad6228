"""The backends to name in `EMAIL_BACKEND` or `MAILERS`."""

from poststack_django.backends.email import EmailBackend
from poststack_django.backends.outbox import OutboxEmailBackend

__all__ = ["EmailBackend", "OutboxEmailBackend"]
