"""The shop's mail. Nothing here knows how it travels: the settings do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string

from poststack_django.errors import SuppressedRecipientsError
from poststack_django.message import PostStackEmail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import User
    from django.db.models import Model

    from example_projects.django_shop.store.models import Order


class ShopEmail(PostStackEmail):
    """An e-mail with a text and an HTML part from templates, tagged with the name of those."""

    def __init__(self, template: str, customer: User, *, about: Sequence[Model] = (), **context: Any) -> None:
        context = {"customer": customer, **context}
        super().__init__(
            render_to_string(f"store/email/{template}.subject.txt", context).strip(),
            render_to_string(f"store/email/{template}.txt", context),
            to=[customer.email],
            html=render_to_string(f"store/email/{template}.html", context),
            tags=[template],
            related_to=about,
        )


def send_welcome(customer: User) -> bool:
    """Greet somebody who has signed up. Returns whether we may write to this address."""
    return _send(ShopEmail("welcome", customer, about=[customer]))


def send_receipt(order: Order) -> bool:
    """Confirm an order, with the invoice as a file. Returns whether we may write to the customer's address."""
    message = ShopEmail("receipt", order.customer, about=[order, order.customer], order=order)
    message.attach(f"invoice-{order.number}.txt", invoice(order), "text/plain")
    return _send(message)


def send_new_address(customer: User) -> bool:
    """Say to a corrected address that it is used from now on. Returns whether we may write to it."""
    return _send(ShopEmail("new-address", customer, about=[customer]))


def send_password_reset(customer: User, address: str) -> None:
    """Send the address of the page on which a new password is chosen.

    It is about nobody, so that the customer's page does not list it, and nobody else's server sees the link clicked.
    """
    message = ShopEmail("password-reset", customer, address=address)
    message.tracking = False
    _send(message)


def invoice(order: Order) -> str:
    """Return the invoice, for people and printers alike."""
    line = "-" * 56
    return "\n".join(
        [
            "KETTLE & LEAF · 4 Harbour Lane, Portmere",
            "",
            f"Invoice {order.number}",
            f"Date    {order.created_at:%d %B %Y}",
            f"For     {order.customer.first_name} <{order.customer.email}>",
            "",
            line,
            f"{'Item':<30}{'Qty':>5}{'Price':>10}{'Sum':>11}",
            line,
            f"{order.product.name:<30}{order.quantity:>5}{order.unit_price:>9} €{order.total:>9} €",
            line,
            f"{'Total':<45}{order.total:>9} €",
            "",
            "Paid. Thank you for buying your tea from us.",
            "",
        ]
    )


def _send(message: ShopEmail) -> bool:
    try:
        message.send()
    except SuppressedRecipientsError:  # Mail to this address has bounced. It is stored as such, and not sent.
        return False
    return True
