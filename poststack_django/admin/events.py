"""Events, also those whose e-mail was not sent from here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from poststack_django.admin.common import STYLES, ReadOnly, badge, short
from poststack_django.models import EmailEvent

if TYPE_CHECKING:
    from django.forms import Media
    from django.utils.safestring import SafeString

    EventAdminBase = admin.ModelAdmin[EmailEvent]
else:  # Generic in the type stubs only.
    EventAdminBase = admin.ModelAdmin

__all__ = ["EmailEventAdmin"]


@admin.register(EmailEvent)
class EmailEventAdmin(ReadOnly, EventAdminBase):
    """Events as they came, newest first, with what became of this project's receivers."""

    list_display = ("type", "about", "recipient", "state_badge", "occurred")
    list_filter = ("state", "type", "received_at")
    list_select_related = ("sent_email",)
    search_fields = ("=email_id", "=event_id")
    search_help_text = _("Id of an e-mail or of an event")
    date_hierarchy = "received_at"
    ordering = ("-received_at", "-id")
    fieldsets = (
        (None, {"fields": ("type", "about_link", "recipient", "occurred_at", "received_at")}),
        (_("Receivers"), {"fields": ("state_badge", "failure_list")}),
        (_("Technical details"), {"fields": ("event_id", "email_id", "data_text"), "classes": ("collapse",)}),
    )
    readonly_fields = ("about_link", "state_badge", "failure_list", "data_text")

    @property
    def media(self) -> Media:
        """Return the colours beside what the admin needs itself."""
        return super().media + STYLES

    @admin.display(description=_("about"), ordering="email_id")
    def about(self, event: EmailEvent) -> str:
        """Return the e-mail's subject, its id when it was not sent from here."""
        return str(event.sent_email or event.email_id or "-")

    @admin.display(description=_("about"))
    def about_link(self, event: EmailEvent) -> SafeString | str:
        """Return the same as a link to the e-mail."""
        if event.sent_email_id is None:
            return self.about(event)
        site = self.admin_site.name
        address = reverse("admin:poststack_sentemail_change", args=[event.sent_email_id], current_app=site)
        return format_html('<a href="{}">{}</a>', address, self.about(event))

    @admin.display(description=_("receivers"), ordering="state")
    def state_badge(self, event: EmailEvent) -> SafeString:
        """Return how far the receivers have come, coloured."""
        return badge(f"receivers-{event.state}", event.get_state_display())

    @admin.display(description=_("occurred"), ordering="occurred_at")
    def occurred(self, event: EmailEvent) -> str:
        """Return the moment in the short form."""
        return short(event.occurred_at)

    @admin.display(description=_("failed receivers"))
    def failure_list(self, event: EmailEvent) -> SafeString | str:
        """Return which receivers failed, and how."""
        if not event.failures:
            return "-"
        rows = ((" · ".join(str(value) for value in failure.values()),) for failure in event.failures)
        return format_html_join(mark_safe("<br>"), "{}", rows)

    @admin.display(description=_("data"))
    def data_text(self, event: EmailEvent) -> SafeString:
        """Return the data as they came."""
        text = json.dumps(event.data, indent=2, ensure_ascii=False, default=str)
        return format_html('<pre class="poststack-data">{}</pre>', text)
