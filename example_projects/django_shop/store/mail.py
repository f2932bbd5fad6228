"""The shop's mail, sent with Django's own mail API. Nothing here knows how it travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from example_projects.django_shop.store.models import Letter
from poststack import PostStackError
from poststack_django.result import status_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from example_projects.django_shop.store.models import Order


class ShopEmail(EmailMultiAlternatives):
    """An e-mail with a text and an HTML part from templates, tagged with the name of those."""

    def __init__(self, template: str, customer: User, **context: Any) -> None:
        context = {"customer": customer, **context}
        subject = render_to_string(f"store/email/{template}.subject.txt", context).strip()
        text = render_to_string(f"store/email/{template}.txt", context)
        super().__init__(subject, text, to=[customer.email])
        self.attach_alternative(render_to_string(f"store/email/{template}.html", context), "text/html")
        self.tags = [template]


def send_welcome(customer: User) -> bool:
    """Greet somebody who has signed up. Returns whether the e-mail was accepted."""
    return _send(ShopEmail("welcome", customer), customer)


def send_receipt(order: Order) -> bool:
    """Confirm an order, with the invoice as a file. Returns whether the e-mail was accepted."""
    message = ShopEmail("receipt", order.customer, order=order)
    message.attach(f"invoice-{order.number}.txt", invoice(order), "text/plain")
    return _send(message, order.customer, order)


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


def _send(message: ShopEmail, customer: User, order: Order | None = None) -> bool:
    try:
        message.send()
    except PostStackError:
        # The order stands, with or without its e-mail. The backend has logged and stored what went wrong.
        return False
    if status := status_of(message):
        Letter.objects.get_or_create(email_id=status.id, defaults={"customer": customer, "order": order})
    return True
