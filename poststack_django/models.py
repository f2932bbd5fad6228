"""What was sent and what became of it. Bodies are stored only while the outbox needs them, or as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from poststack_django.choices import (
    EventState,
    RecipientKind,
    SuppressionReason,
    event_state_choices,
    recipient_kind_choices,
    suppression_reason_choices,
)
from poststack_django.fields import ExactCharField
from poststack_django.querysets import SentEmailManager
from poststack_django.status import Status, status_choices

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models.fields.related_descriptors import RelatedManager

__all__ = [
    "EmailContent",
    "EmailEvent",
    "EmailRecipient",
    "EmailRelation",
    "ProviderKey",
    "SentEmail",
    "Suppression",
]

LONGEST_ADDRESS = 254
"""RFC 5321 §4.5.3.1.3 allows 256 with angle brackets."""


class SentEmail(models.Model):
    """One e-mail handed to PostStack. The row is there before the call, its `email_id` after it."""

    idempotency_key: models.CharField[str, str] = ExactCharField(
        _("idempotency key"),
        max_length=255,
        unique=True,
        help_text=_("Sent with the call: repeating it with this key cannot send the e-mail twice."),
    )
    email_id: models.CharField[str | None, str | None] = ExactCharField(
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
    subject: models.CharField[str, str] = models.CharField(_("subject"), max_length=998, blank=True)
    tags: models.JSONField[list[str], list[str]] = models.JSONField(_("tags"), default=list, blank=True)
    metadata: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(
        _("metadata"), default=dict, blank=True, help_text=_("Your own notes about the e-mail. They are never sent.")
    )
    status: models.CharField[str, str] = models.CharField(
        _("status"), max_length=20, choices=status_choices, default=Status.PENDING
    )
    status_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("status since"), default=timezone.now)
    error: models.TextField[str, str] = models.TextField(_("error"), blank=True, default="")
    error_code: models.CharField[str, str] = models.CharField(_("error code"), max_length=255, blank=True, default="")
    test_mode: models.BooleanField[bool, bool] = models.BooleanField(_("test mode"), default=False)
    provider: models.CharField[str, str] = models.CharField(
        _("provider"), max_length=255, blank=True, default="", help_text=_("Who took it, if that was not PostStack.")
    )
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(
        _("created"), default=timezone.now, editable=False
    )
    sent_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("accepted"), null=True, blank=True, default=None
    )
    scheduled_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("scheduled for"), null=True, blank=True, default=None
    )
    sensitive: models.BooleanField[bool, bool] = models.BooleanField(
        _("sensitive"), default=False, help_text=_("Its content is kept only while the outbox needs it, and not shown.")
    )
    # A row waits in the outbox as long as `next_attempt_at` is set, and belongs to one sender until `claimed_until`.
    queued_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("put into the outbox"), null=True, blank=True, default=None
    )
    expires_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("expires"), null=True, blank=True, default=None, help_text=_("The outbox does not send it later than this.")
    )
    attempts: models.PositiveIntegerField[int, int] = models.PositiveIntegerField(_("attempts"), default=0)
    first_attempt_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("first attempt"), null=True, blank=True, default=None
    )
    next_attempt_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("next attempt"), null=True, blank=True, default=None
    )
    claimed_until: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, blank=True, default=None, editable=False
    )
    claim: models.CharField[str, str] = models.CharField(max_length=36, blank=True, default="", editable=False)

    objects: ClassVar[SentEmailManager] = SentEmailManager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        events: RelatedManager[EmailEvent]
        recipients: RelatedManager[EmailRecipient]
        relations: RelatedManager[EmailRelation]
        content: EmailContent

        def get_status_display(self) -> str:
            """Return the status in words."""
            ...

    class Meta:
        """Newest first."""

        verbose_name = _("sent e-mail")
        verbose_name_plural = _("sent e-mails")
        ordering = ("-created_at", "-id")
        permissions = (
            ("refresh_sentemail", _("Can ask PostStack what became of an e-mail")),
            ("cancel_sentemail", _("Can cancel a scheduled or waiting e-mail")),
            ("resend_sentemail", _("Can send an e-mail again")),
            ("view_content_sentemail", _("Can read the stored content of an e-mail")),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "created_at"], name="poststack_email_status"),
            models.Index(fields=["created_at"], name="poststack_email_created"),
            models.Index(fields=["next_attempt_at"], name="poststack_email_next"),
        ]

    def __str__(self) -> str:
        return self.subject or self.email_id or self.idempotency_key

    @property
    def to(self) -> list[str]:
        """Return the visible recipients as they were written, names included."""
        return self._recipients(RecipientKind.TO)

    @property
    def cc(self) -> list[str]:
        """Return the copied recipients."""
        return self._recipients(RecipientKind.CC)

    @property
    def bcc(self) -> list[str]:
        """Return the hidden recipients."""
        return self._recipients(RecipientKind.BCC)

    def _recipients(self, kind: RecipientKind) -> list[str]:
        # Filtered here, so that rows fetched with `prefetch_related("recipients")` cost no query each.
        return [recipient.display for recipient in self.recipients.all() if recipient.kind == kind.value]


class EmailRecipient(models.Model):
    """One address that an e-mail goes to, or would have gone to, with what became of it there."""

    sent_email: models.ForeignKey[SentEmail, SentEmail] = models.ForeignKey(
        SentEmail, verbose_name=_("sent e-mail"), related_name="recipients", on_delete=models.CASCADE
    )
    kind: models.CharField[str, str] = models.CharField(_("kind"), max_length=3, choices=recipient_kind_choices)
    address: models.CharField[str, str] = ExactCharField(
        _("address"),
        max_length=LONGEST_ADDRESS,
        db_index=True,
        help_text=_("In lower case, without the name. A fingerprint of it, if the settings want it hashed."),
    )
    display: models.CharField[str, str] = models.CharField(_("as written"), max_length=998, blank=True)
    status: models.CharField[str, str] = models.CharField(
        _("status"), max_length=20, choices=status_choices, default=Status.PENDING
    )
    status_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("status since"), default=timezone.now)

    objects: ClassVar[models.Manager[EmailRecipient]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        sent_email_id: int

        def get_status_display(self) -> str:
            """Return the status in words."""
            ...

        def get_kind_display(self) -> str:
            """Return the kind in words."""
            ...

    class Meta:
        """In the order of the message."""

        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sent_email", "kind", "address"], name="poststack_recipient_once")
        ]

    def __str__(self) -> str:
        return self.display or self.address


class EmailContent(models.Model):
    """The call itself: what the outbox still has to send, or what the settings say is to be kept."""

    sent_email: models.OneToOneField[SentEmail, SentEmail] = models.OneToOneField(
        SentEmail, verbose_name=_("sent e-mail"), related_name="content", on_delete=models.CASCADE, primary_key=True
    )
    # Text, not JSON: the very same call must be repeated, and PostgreSQL's JSON cannot hold every text.
    payload: models.TextField[str, str] = models.TextField(_("payload"))

    objects: ClassVar[models.Manager[EmailContent]] = models.Manager()

    class Meta:
        """Contents go with their e-mails."""

        verbose_name = _("stored content")
        verbose_name_plural = _("stored contents")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


class EmailEvent(models.Model):
    """One webhook event, once however often it is delivered."""

    event_id: models.CharField[str, str] = ExactCharField(_("event id"), max_length=255, unique=True)
    sent_email: models.ForeignKey[SentEmail | None, SentEmail | None] = models.ForeignKey(
        SentEmail,
        verbose_name=_("sent e-mail"),
        related_name="events",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        help_text=_("Empty while the e-mail's own row does not have its id yet."),
    )
    email_id: models.CharField[str, str] = ExactCharField(
        _("e-mail id"), max_length=255, blank=True, default="", db_index=True
    )
    type: models.CharField[str, str] = models.CharField(_("type"), max_length=255)
    recipient: models.CharField[str, str] = ExactCharField(
        _("recipient"), max_length=LONGEST_ADDRESS, blank=True, default="", help_text=_("Empty: all of them.")
    )
    occurred_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        _("occurred"), null=True, blank=True
    )
    received_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("received"), default=timezone.now)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(_("data"), default=dict, blank=True)
    state: models.CharField[str, str] = models.CharField(
        _("receivers"),
        max_length=10,
        choices=event_state_choices,
        default=EventState.NEW,
        help_text=_("Whether this project's receivers have dealt with it."),
    )
    failures: models.JSONField[list[dict[str, str]], list[dict[str, str]]] = models.JSONField(
        _("failed receivers"), default=list, blank=True
    )

    objects: ClassVar[models.Manager[EmailEvent]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        sent_email_id: int | None

        def get_state_display(self) -> str:
            """Return the state of the receivers in words."""
            ...

    class Meta:
        """In the order in which things happened."""

        verbose_name = _("e-mail event")
        verbose_name_plural = _("e-mail events")
        ordering = ("occurred_at", "id")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["received_at"], name="poststack_event_received"),
            models.Index(fields=["state", "received_at"], name="poststack_event_state"),
        ]

    def __str__(self) -> str:
        return self.type


class EmailRelation(models.Model):
    """What an e-mail is about: one object of the project's own, whatever its model and database.

    By name, not by key: the history outlives the object, and nothing else need be installed.
    """

    sent_email: models.ForeignKey[SentEmail, SentEmail] = models.ForeignKey(
        SentEmail, verbose_name=_("sent e-mail"), related_name="relations", on_delete=models.CASCADE
    )
    model: models.CharField[str, str] = ExactCharField(_("model"), max_length=100, help_text=_("Such as `shop.order`."))
    object_id: models.CharField[str, str] = ExactCharField(_("object id"), max_length=255)

    objects: ClassVar[models.Manager[EmailRelation]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]
        sent_email_id: int

    class Meta:
        """Each object once for an e-mail."""

        verbose_name = _("related object")
        verbose_name_plural = _("related objects")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["model", "object_id"], name="poststack_relation_object")
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sent_email", "model", "object_id"], name="poststack_relation_once")
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.object_id}"


class Suppression(models.Model):
    """An address that nothing is sent to any more. Delete it to send there again."""

    address: models.CharField[str, str] = ExactCharField(
        _("address"),
        max_length=LONGEST_ADDRESS,
        unique=True,
        help_text=_("In lower case. A fingerprint of it, if the settings want recipients hashed or not stored."),
    )
    reason: models.CharField[str, str] = models.CharField(
        _("reason"), max_length=20, choices=suppression_reason_choices, default=SuppressionReason.MANUAL
    )
    event_id: models.CharField[str, str] = ExactCharField(_("event id"), max_length=255, blank=True, default="")
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(_("since"), default=timezone.now)

    objects: ClassVar[models.Manager[Suppression]] = models.Manager()
    if TYPE_CHECKING:
        id: models.BigAutoField[int, int]

        def get_reason_display(self) -> str:
            """Return the reason in words."""
            ...

    class Meta:
        """Newest first."""

        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.address


class ProviderKey(models.Model):
    """An idempotency key under which an e-mail was begun to be sent, for providers that know no keys themselves."""

    key: models.CharField[str, str] = ExactCharField(_("key"), max_length=255, unique=True)
    provider: models.CharField[str, str] = models.CharField(_("provider"), max_length=255)
    done: models.BooleanField[bool, bool] = models.BooleanField(
        _("accepted"), default=False, help_text=_("If not, it may have been sent, and is not sent again.")
    )
    message_id: models.CharField[str, str] = models.CharField(
        _("id at the provider"), max_length=998, blank=True, default=""
    )
    begun_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(
        _("begun"), default=timezone.now, db_index=True
    )

    objects: ClassVar[models.Manager[ProviderKey]] = models.Manager()

    class Meta:
        """Nobody adds or changes them by hand."""

        verbose_name = _("key of a provider")
        verbose_name_plural = _("keys of providers")
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
