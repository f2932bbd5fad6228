"""All e-mails whose end is not known, asked about one after another: what `manage.py poststack_reconcile` does.

Imports models: import it late, and only when the app is installed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from poststack import PostStackError
from poststack_django.actions import NotPossibleError, refresh, resend
from poststack_django.models import SentEmail
from poststack_django.settling import database
from poststack_django.status import UNDER_WAY, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Reconciled", "reconcile"]

logger = logging.getLogger("poststack.django")

# Rows whose call has not ended, or not with a word: nothing to ask by, and a key that makes asking again safe.
_UNCONFIRMED: Final = (Status.PENDING, Status.UNKNOWN)
_AT_A_TIME: Final = 200


@dataclass
class Reconciled:
    """How many e-mails it was, and what became of them."""

    asked: int = 0
    changed: int = 0
    """Of those asked about, those whose status is another one now."""
    gone: int = 0
    """PostStack no longer has them."""
    sent_again: int = 0
    """Not confirmed before, and sent with the same key."""
    left: int = 0
    """Not confirmed, and not sent again: no content is stored, or the key is too old, or the provider minds none."""
    failed: int = 0
    retry_after: float | None = None
    """Set when PostStack asked to wait, which ended the run: for so many seconds, 0 if it did not say."""


def reconcile(*, older_than: float = 600.0, days: float = 3.0, limit: int | None = None) -> Reconciled:
    """Ask about every e-mail under way, and send unconfirmed ones again, oldest first; single failures do not end it.

    `older_than` is in seconds: younger e-mails still get their webhooks. Those older than `days` are left alone, and
    so is everything after the first `limit`.
    """
    done = Reconciled()
    for email in _unsettled(older_than, days, limit):
        try:
            if email.email_id is None:
                resend(email)
                done.sent_again += 1
            else:
                before, after = email.status, refresh(email).status
                done.asked += 1
                done.changed += before != after
        except NotPossibleError:
            done.left += 1
        except PostStackError as error:
            if error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                done.retry_after = error.retry_after or 0.0
                break
            if error.status_code == HTTPStatus.NOT_FOUND:
                done.gone += 1
            else:
                _failed(done, email, error)
        except (ImproperlyConfigured, ValueError) as error:
            _failed(done, email, error)
    return done


def _failed(done: Reconciled, email: SentEmail, error: Exception) -> None:
    done.failed += 1
    logger.warning(
        "Asking about e-mail %s (row %s) failed with %s, status %s, request %s.",
        email.email_id or "without an id",
        email.pk,
        type(error).__name__,
        getattr(error, "status_code", "-"),
        getattr(error, "request_id", "-"),
    )


def _unsettled(older_than: float, days: float, limit: int | None) -> Iterator[SentEmail]:
    now = timezone.now()
    # Other providers cannot be asked.
    under_way = Q(status__in=UNDER_WAY, email_id__isnull=False, provider="")
    unconfirmed = Q(status__in=_UNCONFIRMED, email_id=None, next_attempt_at=None)
    # A scheduled e-mail is under way from its time on.
    due = Q(scheduled_at=None) | Q(scheduled_at__lte=now - timedelta(seconds=older_than))
    rows = SentEmail.objects.using(database()).filter(
        (under_way & due) | unconfirmed,
        created_at__lte=now - timedelta(seconds=older_than),
    )
    recent = Q(created_at__gte=now - timedelta(days=days)) | Q(scheduled_at__gte=now - timedelta(days=days))
    # Numbers first: what is sent again in the meantime is not looked at twice, and no cursor stays open for minutes.
    numbers = list(rows.filter(recent).order_by("created_at", "id").values_list("pk", flat=True)[:limit])
    for start in range(0, len(numbers), _AT_A_TIME):
        found = SentEmail.objects.using(database()).in_bulk(numbers[start : start + _AT_A_TIME])
        yield from (found[number] for number in numbers[start : start + _AT_A_TIME] if number in found)
