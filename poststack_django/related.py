"""The e-mails about an object of the project, and the objects that an e-mail is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model

    from poststack_django.querysets import SentEmailQuerySet

__all__ = ["emails_about"]


def emails_about(*instances: Model) -> SentEmailQuerySet:
    """Return the e-mails about any of these objects, newest first, with their recipients: for pages of your own.

    Two queries, however many there are; slice it where there may be many. Who may see them is for you to decide.

        for email in emails_about(order)[:20]:
            print(email.created_at, email.subject, email.get_status_display(), email.to)
    """
    from poststack_django.models import SentEmail

    return SentEmail.objects.related_to(*instances).prefetch_related("recipients")
