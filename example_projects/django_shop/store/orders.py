"""Placing orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from example_projects.django_shop.store.mail import send_receipt

if TYPE_CHECKING:
    from example_projects.django_shop.store.models import Order


@transaction.atomic
def place_order(order: Order) -> bool:
    """Store an order and its receipt: both, or neither. Returns whether we may write to the customer's address."""
    order.save()
    return send_receipt(order)
