"""Events, also those whose e-mail was not sent from here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from django.contrib import admin, messages
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from poststack_django.admin.common import STYLES, ReadOnly, badge, has_permission, short
from poststack_django.admin.question import Row, is_confirmed, question
from poststack_django.choices import EventState
from poststack_django.models import EmailEvent
from poststack_django.telling import GRACE, event_of, taken_over
from poststack_django.timeline import failure_text
from poststack_django.webhooks import WebhookView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import Media
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    EventAdminBase = admin.ModelAdmin[EmailEvent]
else:  # Generic in the type stubs only.
    EventAdminBase = admin.ModelAdmin

__all__ = ["EmailEventAdmin"]


MOST_AT_ONCE: Final = 50
"""Events whose receivers one action calls: the browser waits for all."""


@admin.register(EmailEvent)
class EmailEventAdmin(ReadOnly, EventAdminBase):
    """Events as they came, newest first, with what became of this project's receivers."""

    actions = ("retry_receivers",)
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

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether receivers may be called again; events themselves are changed by nobody."""
        return has_permission(request, "change_emailevent")

    @admin.action(permissions=["retry"], description=_("Call failed receivers again"))
    def retry_receivers(self, request: HttpRequest, queryset: QuerySet[EmailEvent]) -> HttpResponse | None:
        """Call the receivers that have not dealt with what is selected, after a question."""
        left = Q(state=EventState.NEW, received_at__lt=timezone.now() - GRACE)
        events = list(queryset.filter(Q(state=EventState.FAILED) | left)[: MOST_AT_ONCE + 1])
        if not events:
            self.message_user(request, _("The receivers of all these have dealt with them."), messages.INFO)
            return None
        if len(events) > MOST_AT_ONCE:
            most = _("Select at most %(most)d at a time. For more, there is manage.py poststack_retry_receivers.")
            self.message_user(request, most % {"most": MOST_AT_ONCE}, messages.ERROR)
            return None
        if not is_confirmed(request):
            rows = [Row(event.pk, event.type, self.state_badge(event), self.about(event)) for event in events]
            return question(
                self,
                request,
                rows,
                title=_("Call failed receivers again?"),
                explanation=_("Only receivers that failed, or were never called, are told of these events."),
                button=_("Call them"),
                back=request.get_full_path(),
                action="retry_receivers",
            )
        self._call_again(request, events)
        return None

    def _call_again(self, request: HttpRequest, events: list[EmailEvent]) -> None:
        turns = [turn for turn in map(taken_over, events) if turn is not None]
        told = [turn.tell(event_of(turn.stored), turn.stored.sent_email, WebhookView) for turn in turns]
        done, failing = told.count(True), told.count(False)
        if done:
            text = ngettext("%(count)d event is dealt with.", "%(count)d events are dealt with.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)
        if failing:
            text = ngettext(
                "Receivers of %(count)d event still fail; the log says why.",
                "Receivers of %(count)d events still fail; the log says why.",
                failing,
            )
            self.message_user(request, text % {"count": failing}, messages.ERROR)

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
        return format_html_join(mark_safe("<br>"), "{}", ((failure_text(one),) for one in event.failures))

    @admin.display(description=_("data"))
    def data_text(self, event: EmailEvent) -> SafeString:
        """Return the data as they came."""
        text = json.dumps(event.data, indent=2, ensure_ascii=False, default=str)
        return format_html('<pre class="poststack-data">{}</pre>', text)
