"""The backends to name in `EMAIL_BACKEND` or `MAILERS`."""

from poststack_django.backends.email import EmailBackend

__all__ = ["EmailBackend"]
