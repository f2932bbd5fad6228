"""Django messages with PostStack's own features as typed attributes.

Every Django message may carry the same attributes; these classes only declare them. They are listed in
`poststack_django.extras`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from django.core.mail import EmailMessage, EmailMultiAlternatives

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from django.db.models import Model

    from poststack.types import Tracking
    from poststack_django.result import SendStatus

    MixinBase = EmailMessage
else:
    MixinBase = object

__all__ = ["PostStackEmail", "PostStackMixin"]


class PostStackMixin(MixinBase):
    """The attributes, for message classes of your own: `class Letter(PostStackMixin, EmailMessage)`."""

    tags: Sequence[str] | None = None
    """Labels to filter by, here and at PostStack."""
    template_id: str | None = None
    """A published template (`tpl_…`). It supplies subject and bodies where the message leaves them empty."""
    variables: Mapping[str, object] | None = None
    """What the template's placeholders stand for; sent as texts."""
    scheduled_at: datetime | str | None = None
    """When PostStack sends it. A naive datetime is in the current time zone."""
    idempotency_key: str | None = None
    """At most 255 characters. Sending again with the same key and the same content sends nothing twice."""
    unsubscribe: bool | None = None
    """Whether PostStack adds a one-click `List-Unsubscribe` header."""
    tracking: Tracking | bool | None = None
    """Whether opens and clicks are tracked; one bool is for both. `None`: as the domain has it."""
    signature: Literal["auto", "none"] | None = None
    """`"none"` leaves out the sending mailbox's stored signature."""
    metadata: Mapping[str, Any] | None = None
    """Your own notes, as JSON. They are stored with the row and never sent."""
    related_to: Model | Sequence[Model] | None = None
    """Saved objects that the e-mail is about: `SentEmail.objects.related_to(order)` finds it again."""
    poststack_status: SendStatus | None = None
    """What became of the last `send()`."""

    async def asend(self, *, using: str | None = None) -> int:
        """Send without holding up the event loop; otherwise as `send()`. See `poststack_django.aio.asend`."""
        from poststack_django.aio import asend

        return await asend(self, using=using)


class PostStackEmail(PostStackMixin, EmailMultiAlternatives):
    """A message with everything that can be said in one call.

    PostStackEmail(
        "Your order", "Thank you!", to=[customer.email], html="<p>Thank you!</p>", tags=["receipt"],
        related_to=order, idempotency_key=f"receipt-{order.pk}",
    ).send()
    """

    def __init__(
        self,
        subject: Any = "",
        body: Any = "",
        from_email: str | None = None,
        to: Sequence[str] | None = None,
        *,
        html: str | None = None,
        cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None,
        reply_to: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        attachments: Sequence[Any] | None = None,
        alternatives: Sequence[tuple[str, str]] | None = None,
        connection: Any = None,
        tags: Sequence[str] | None = None,
        template_id: str | None = None,
        variables: Mapping[str, object] | None = None,
        scheduled_at: datetime | str | None = None,
        idempotency_key: str | None = None,
        unsubscribe: bool | None = None,
        tracking: Tracking | bool | None = None,
        signature: Literal["auto", "none"] | None = None,
        metadata: Mapping[str, Any] | None = None,
        related_to: Model | Sequence[Model] | None = None,
    ) -> None:
        """Take what `EmailMultiAlternatives` takes, from the fifth argument on by name, and what is new here."""
        fields: dict[str, Any] = {
            "cc": cc,
            "bcc": bcc,
            "reply_to": reply_to,
            "headers": headers,
            "attachments": attachments,
            "alternatives": alternatives,
            # Django 6.1 warns of it, whatever it is.
            **({} if connection is None else {"connection": connection}),
        }
        super().__init__(subject, body, from_email, to, **fields)
        if html is not None:
            self.attach_alternative(html, "text/html")
        extras = {
            "tags": tags,
            "template_id": template_id,
            "variables": variables,
            "scheduled_at": scheduled_at,
            "idempotency_key": idempotency_key,
            "unsubscribe": unsubscribe,
            "tracking": tracking,
            "signature": signature,
            "metadata": metadata,
            "related_to": related_to,
        }
        # What is not given stays as a subclass may have it: `class Receipt(PostStackEmail): tags = ["receipt"]`.
        vars(self).update({name: value for name, value in extras.items() if value is not None})
