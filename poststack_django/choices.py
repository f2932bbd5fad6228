"""The words that the models' fields choose from, except statuses.

Migrations refer to the functions, so a new word needs no migration.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = [
    "EventState",
    "RecipientKind",
    "SuppressionReason",
    "event_state_choices",
    "recipient_kind_choices",
    "suppression_reason_choices",
]


class RecipientKind(models.TextChoices):
    """The list that names a recipient."""

    TO = "to", _("To")
    CC = "cc", _("Cc")
    BCC = "bcc", _("Bcc")


class EventState(models.TextChoices):
    """How far the project's own receivers have come with an event."""

    NEW = "new", _("Not yet told")
    """Stored; the process may have ended before its receivers were called."""
    EARLY = "early", _("Waits for its e-mail")
    """It came before the id of an e-mail that is on its way. Receivers are told when the two are brought together."""
    HANDLED = "handled", _("Dealt with")
    FAILED = "failed", _("Failed")
    """A receiver raised. `manage.py poststack_retry_receivers` calls those that did again."""


class SuppressionReason(models.TextChoices):
    """Why an address is suppressed, in the words of the API."""

    HARD_BOUNCE = "hard_bounce", _("Bounced")
    COMPLAINT = "complaint", _("Complained")
    UNSUBSCRIBE = "unsubscribe", _("Unsubscribed")
    MANUAL = "manual", _("By hand")


def recipient_kind_choices() -> list[tuple[str, str]]:
    """Return the choices of the model field."""
    return [(one.value, str(one.label)) for one in RecipientKind]


def event_state_choices() -> list[tuple[str, str]]:
    """Return the choices of the model field."""
    return [(one.value, str(one.label)) for one in EventState]


def suppression_reason_choices() -> list[tuple[str, str]]:
    """Return the choices of the model field."""
    return [(one.value, str(one.label)) for one in SuppressionReason]
