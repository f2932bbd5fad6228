"""The transactional outbox: an e-mail is a row of the caller's transaction, and is sent once that has committed.

`poststack_django.backends.OutboxEmailBackend` writes the rows. `manage.py poststack_outbox` sends them; so does
`drain`, from whatever runs things periodically.

No crash loses an e-mail: a row stays until the API has accepted it. No crash doubles one: every attempt carries the
row's idempotency key. Whoever sends takes rows for the length of a lease, in a transaction of its own, and holds no
lock while the API is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poststack_django.outbox.delivering import Drained

__all__ = ["drain"]


def drain(limit: int | None = None) -> Drained:
    """Send what is due now, at most so many e-mails; return how many were sent, put off and given up.

    For periodic jobs of a queue such as Celery or RQ. Several may run at once. E-mails whose time has not come stay.
    """
    import django
    from django.apps import apps

    if not apps.ready:  # RQ's own command knows nothing of Django.
        django.setup()
    from poststack_django.borrowing import borrowed_connection
    from poststack_django.outbox.delivering import drain

    with borrowed_connection():
        return drain(limit)
