"""Whom the shop can reach."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from example_projects.django_shop.store.models import CustomerProfile
from poststack_django.models import SentEmail


def follow_mail(email: SentEmail | None, **kwargs: Any) -> None:
    """Receive signals: flag customers whose mail has bounced, unflag those whose later mail arrives.

    A bounce may be quicker than the answer of the call that sent the e-mail. Then nobody can tell yet which one it is
    about, `email` is `None`, and it is `post_send` that comes with the e-mail and its status.
    """
    if email is not None:
        for recipient in email.recipients.all():
            update_reachability(recipient.address)


@transaction.atomic
def update_reachability(address: str) -> None:
    """Store whether the last e-mail to an address has arrived or bounced.

    Asks what is stored, not what one event says: events may come twice and in any order.
    """
    # Locked before asking: of two processes that ask at once, the one that writes last would not know the latest.
    for customer in User.objects.select_for_update().filter(email__iexact=address):
        ended = SentEmail.objects.sent_to(customer.email).filter(status__in=["bounced", "delivered"])
        last = ended.order_by("status_at").last()
        since = last.status_at if last is not None and last.status == "bounced" else None
        CustomerProfile.objects.update_or_create(user=customer, defaults={"unreachable_since": since})
