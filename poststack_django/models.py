"""What was sent and what became of it. Ids and envelopes only: bodies and attachments are not stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from poststack_django.status import Status, status_choices

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models.fields.related_descriptors import RelatedManager

__all__ = ["EmailEvent", "SentEmail"]


class SentEmail(models.Model):
    """One e-mail handed to PostStack. The row is there before the call, its `email_id` after it."""

    idempotency_key: models.CharField[str, str] = models.CharField(
        _("idempotency key"),
        max_length=255,
        unique=True,
        help_text=_("Sent with the call: repeating it with this key cannot send the e-mail twice."),
    )
    email_id: models.CharField[str | None, str | None] = models.CharField(
        _("e-mail id"),
        max_length=255,
        unique=True,
        null=True,  # Unique when there is one: several rows may wait for theirs.
        blank=True,
        default=None,
        help_text=_("The em_… id that PostStack answered with."),
    )
    mailer: models.CharField[str, str] = models.CharField(
        _("mailer"), max_length=255, blank=True, default="", help_text=_("The alias in MAILERS, if there is one.")
    )
    from_email: models.CharField[str, str] = models.CharField(_("from"), max_length=998)
    to: models.JSONField[list[str], list[str]] = models.JSONField(_("to"), default=list)
    cc: models.JSONField[list[str], list[str]] = models.JSONField(_("cc"), default=list, blank=True)
    bcc: models.JSONField[list[str], list[str]] = models.JSONField(_("bcc"), default=list, blank=True)
    subject: models.CharField[str, str] = models.CharField(_("subject"), max_length=998, blank=True)
    tags: models.JSONField[list[str], list[str]] = models.JSONField(_("tags"), default=list, blank=True)
    status: models.CharField[str, str] = models.CharField(
        _("status"), max_length=20, choices=status_choices, default=Status.PENDING
    )
    status_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("status since"), default=timezone.now)
    error: models.TextField[str, str] = models.TextField(_("error"), blank=True, default="")
    error_code: models.CharField[str, str] = models.CharField(_("error code"), max_length=255, blank=True, default="")
    test_mode: models.BooleanField[bool, bool] = models.BooleanField(_("test mode"), default=False)
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(
        _("created"), default=timezone.now, editable=False
    )
    sent_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("accepted"), null=True, blank=True, default=None
    )

    objects: ClassVar[models.Manager[SentEmail]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        events: RelatedManager[EmailEvent]

        def get_status_display(self) -> str:
            """Return the status in words."""
            ...

    class Meta:
        """Newest first."""

        verbose_name = _("sent e-mail")
        verbose_name_plural = _("sent e-mails")
        ordering = ("-created_at", "-id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "created_at"], name="poststack_email_status"),
            models.Index(fields=["created_at"], name="poststack_email_created"),
        ]

    def __str__(self) -> str:
        return self.subject or self.email_id or self.idempotency_key

    @property
    def recipients(self) -> list[str]:
        """Return everybody it went to: to, cc, bcc."""
        return [*self.to, *self.cc, *self.bcc]


class EmailEvent(models.Model):
    """One webhook event, once however often it is delivered."""

    event_id: models.CharField[str, str] = models.CharField(_("event id"), max_length=255, unique=True)
    sent_email: models.ForeignKey[SentEmail | None, SentEmail | None] = models.ForeignKey(
        SentEmail,
        verbose_name=_("sent e-mail"),
        related_name="events",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        help_text=_("Empty while the e-mail's own row does not have its id yet."),
    )
    email_id: models.CharField[str, str] = models.CharField(
        _("e-mail id"), max_length=255, blank=True, default="", db_index=True
    )
    type: models.CharField[str, str] = models.CharField(_("type"), max_length=255)
    occurred_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("occurred"), null=True, blank=True
    )
    received_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("received"), default=timezone.now)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(_("data"), default=dict, blank=True)

    objects: ClassVar[models.Manager[EmailEvent]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        sent_email_id: int | None

    class Meta:
        """In the order in which things happened."""

        verbose_name = _("e-mail event")
        verbose_name_plural = _("e-mail events")
        ordering = ("occurred_at", "id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["received_at"], name="poststack_event_received"),
        ]

    def __str__(self) -> str:
        return self.type
