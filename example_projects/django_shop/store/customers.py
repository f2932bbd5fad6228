"""Whom the shop can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User

from example_projects.django_shop.store.models import CustomerProfile
from poststack_django.models import SentEmail

if TYPE_CHECKING:
    from poststack import WebhookEvent


def follow_bounces(sender: type, event: WebhookEvent, email: SentEmail | None, **kwargs: Any) -> None:
    """Flag the customer whose mail has bounced, and unflag the one whose later mail has arrived."""
    if email is not None and event.type in {"email.bounced", "email.delivered"}:
        for recipient in email.recipients.all():
            update_reachability(recipient.address)


def update_reachability(address: str) -> None:
    """Store whether the last e-mail to an address has arrived or bounced.

    Asks what is stored, not what an event says: events may come twice and in any order.
    """
    ended = SentEmail.objects.sent_to(address).filter(status__in=["bounced", "delivered"])
    last = ended.order_by("status_at").last()
    since = last.status_at if last is not None and last.status == "bounced" else None
    for customer in User.objects.filter(email__iexact=address):
        CustomerProfile.objects.update_or_create(user=customer, defaults={"unreachable_since": since})
