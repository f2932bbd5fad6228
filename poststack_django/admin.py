"""The admin: read what was sent and what became of it. Nothing can be added or changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from poststack_django.models import EmailEvent, SentEmail

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.http import HttpRequest

    EmailAdminBase = admin.ModelAdmin[SentEmail]
    EventAdminBase = admin.ModelAdmin[EmailEvent]
    EventInlineBase = admin.TabularInline[EmailEvent, SentEmail]
else:  # Generic in the type stubs only.
    EmailAdminBase = EventAdminBase = admin.ModelAdmin
    EventInlineBase = admin.TabularInline

__all__ = ["EmailEventAdmin", "EmailEventInline", "SentEmailAdmin"]


def _short(moment: datetime) -> str:
    return date_format(timezone.localtime(moment) if timezone.is_aware(moment) else moment, "SHORT_DATETIME_FORMAT")


class _ReadOnly:
    """Takes away adding and changing, whatever the permissions; viewing and deleting are left to them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EmailEventInline(_ReadOnly, EventInlineBase):
    """The history of one e-mail."""

    model = EmailEvent
    fields = ("type", "occurred_at", "received_at", "event_id")
    readonly_fields = fields
    extra = 0
    can_delete = False
    verbose_name_plural = _("history")


@admin.register(SentEmail)
class SentEmailAdmin(_ReadOnly, EmailAdminBase):
    """E-mails, newest first."""

    list_display = ("subject_line", "status_badge", "to_line", "created")
    list_display_links = ("subject_line",)
    list_filter = ("status", "created_at", "test_mode", "mailer")
    search_fields = ("=email_id", "subject", "recipients__address", "=idempotency_key")
    date_hierarchy = "created_at"
    inlines = (EmailEventInline,)
    fieldsets = (
        (None, {"fields": ("subject", "status_badge", "status_at", "error", "error_code")}),
        (_("Envelope"), {"fields": ("from_email", "to_line", "cc_line", "bcc_line", "tag_line")}),
        (_("PostStack"), {"fields": ("email_id", "idempotency_key", "mailer", "test_mode", "created_at", "sent_at")}),
    )
    readonly_fields = ("status_badge", "to_line", "cc_line", "bcc_line", "tag_line", "created_at")

    class Media:
        """The colours of the badges, for light and dark."""

        css = {"all": ("poststack_django/admin.css",)}  # noqa: RUF012  # read by Django in this form only

    def get_queryset(self, request: HttpRequest) -> QuerySet[SentEmail]:
        """Return the e-mails with their recipients."""
        return super().get_queryset(request).prefetch_related("recipients")

    @admin.display(description=_("subject"), ordering="subject")
    def subject_line(self, email: SentEmail) -> str:
        """Return something to click on, also when there is no subject."""
        return email.subject or str(_("(no subject)"))

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, email: SentEmail) -> str:
        """Return the status, coloured."""
        return format_html(
            '<span class="poststack-badge poststack-{}">{}</span>', email.status, email.get_status_display()
        )

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, email: SentEmail) -> str:
        """Return the moment in the short form: the list has much to show in little space."""
        return _short(email.created_at)

    @admin.display(description=_("to"))
    def to_line(self, email: SentEmail) -> str:
        """Return the recipients in one line."""
        return ", ".join(email.to)

    @admin.display(description=_("cc"))
    def cc_line(self, email: SentEmail) -> str:
        """Return the copied recipients in one line."""
        return ", ".join(email.cc) or "-"

    @admin.display(description=_("bcc"))
    def bcc_line(self, email: SentEmail) -> str:
        """Return the hidden recipients in one line."""
        return ", ".join(email.bcc) or "-"

    @admin.display(description=_("tags"))
    def tag_line(self, email: SentEmail) -> str:
        """Return the tags in one line."""
        return ", ".join(email.tags) or "-"


@admin.register(EmailEvent)
class EmailEventAdmin(_ReadOnly, EventAdminBase):
    """Events as they came, also those whose e-mail was not sent from here."""

    list_display = ("type", "about", "occurred")
    list_filter = ("type", "received_at")
    list_select_related = ("sent_email",)
    search_fields = ("=email_id", "=event_id")
    date_hierarchy = "received_at"
    ordering = ("-received_at", "-id")

    @admin.display(description=_("about"), ordering="email_id")
    def about(self, event: EmailEvent) -> str:
        """Return the e-mail's subject, its id when it was not sent from here."""
        return str(event.sent_email or event.email_id or "-")

    @admin.display(description=_("occurred"), ordering="occurred_at")
    def occurred(self, event: EmailEvent) -> str:
        """Return the moment in the short form."""
        return _short(event.occurred_at) if event.occurred_at else "-"
