"""E-mails: the list, and the page of each with everything that is known of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from poststack_django.admin.common import STYLES, ReadOnly, badge, short
from poststack_django.admin.content_pages import ContentPages
from poststack_django.admin.doing import ActionPages
from poststack_django.admin.filters import MailerFilter, TagFilter
from poststack_django.admin.related import objects_of
from poststack_django.models import EmailContent, SentEmail
from poststack_django.privacy import stored_address
from poststack_django.settings import get_settings
from poststack_django.timeline import timeline_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import Media
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    EmailAdminBase = admin.ModelAdmin[SentEmail]
else:  # Generic in the type stubs only.
    EmailAdminBase = admin.ModelAdmin

__all__ = ["SentEmailAdmin"]

MOST_EVENTS = 200
"""Events on the page of one e-mail; links lead to the others."""
_SHOWN_RECIPIENTS = 2
_SHOWN_OF_FINGERPRINTS = 15


@admin.register(SentEmail)
class SentEmailAdmin(ActionPages, ContentPages, ReadOnly, EmailAdminBase):
    """E-mails, newest first. Nothing can be added or changed by hand."""

    list_display_links = ("subject_line",)
    list_filter = ("status", "created_at", "test_mode", ("mailer", MailerFilter), TagFilter)
    search_fields = ("=email_id", "subject", "recipients__address", "=idempotency_key")
    search_help_text = _("Id, subject, address or idempotency key")
    date_hierarchy = "created_at"
    change_form_template = "poststack_django/admin/email.html"

    @property
    def media(self) -> Media:
        """Return the colours beside what the admin needs itself."""
        return super().media + STYLES

    # The list

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns; the mailer's where there are several."""
        columns = ["subject_line", "status_badge", "recipient_line", "tag_line", "mailer", "created"]
        if len(getattr(settings, "MAILERS", None) or {}) < 2:
            columns.remove("mailer")
        return columns

    def get_queryset(self, request: HttpRequest) -> QuerySet[SentEmail]:
        """Return the e-mails with their recipients."""
        return super().get_queryset(request).prefetch_related("recipients")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SentEmail], search_term: str
    ) -> tuple[QuerySet[SentEmail], bool]:
        """Search; where addresses are stored as fingerprints, by the fingerprint of an address."""
        if get_settings().store_recipients == "hashed":
            words = search_term.split()
            search_term = " ".join(stored_address(word) if "@" in word else word for word in words)
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow the list of the e-mails about one object, beside what the filters ask."""
        if lookup in {"relations__model", "relations__object_id"}:
            return True
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # its stub knows no `None`

    @admin.display(description=_("subject"), ordering="subject")
    def subject_line(self, email: SentEmail) -> str:
        """Return something to click on, also when there is no subject."""
        return email.subject or str(_("(no subject)"))

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, email: SentEmail) -> SafeString:
        """Return the status, coloured."""
        return badge(email.status, email.get_status_display())

    @admin.display(description=_("recipients"))
    def recipient_line(self, email: SentEmail) -> SafeString | str:
        """Return the first addresses, and how many more there are."""
        everybody = [recipient.address for recipient in email.recipients.all()]
        shown = [_breakable(address) for address in everybody[:_SHOWN_RECIPIENTS]]
        more = [f"+{len(everybody) - len(shown)}"] if len(everybody) > len(shown) else []
        return format_html_join(mark_safe("<br>"), "{}", ((one,) for one in [*shown, *more])) or "-"

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, email: SentEmail) -> str:
        """Return the moment in the short form."""
        return short(email.created_at)

    @admin.display(description=_("tags"))
    def tag_line(self, email: SentEmail) -> str:
        """Return the tags in one line."""
        return ", ".join(email.tags) or "-"

    # The page of one

    def get_fieldsets(self, request: HttpRequest, obj: SentEmail | None = None) -> Any:
        """Return the fields that say something about this e-mail."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        about = ["scheduled_at"] if obj.scheduled_at else []
        about += [name for name in ("error", "error_code") if getattr(obj, name)]
        about += ["next_attempt_at"] if obj.next_attempt_at else []
        tags = ["tag_line"] if obj.tags else []
        metadata = ["metadata_text"] if obj.metadata else []
        provider = ["provider"] if obj.provider else []
        return (
            (None, {"fields": ("status_badge", "status_at", *about, "from_email", *tags)}),
            (
                _("Technical details"),
                {
                    "fields": (
                        "email_id",
                        *provider,
                        "idempotency_key",
                        "mailer",
                        "test_mode",
                        "created_at",
                        "sent_at",
                        "attempts",
                        *metadata,
                    ),
                    "classes": ("collapse",),
                },
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: SentEmail | None = None) -> Any:
        """Return what is no field of the model."""
        return ("status_badge", "tag_line", "created_at", "metadata_text")

    @admin.display(description=_("metadata"))
    def metadata_text(self, email: SentEmail) -> SafeString:
        """Return your own notes as they are stored."""
        return format_html('<pre class="poststack-data">{}</pre>', json.dumps(email.metadata, indent=2, default=str))

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: SentEmail | None = None,
    ) -> HttpResponse:
        """Show the page with the recipients, the timeline, the related objects, and what can be done."""
        if obj is not None:
            events = list(obj.events.all()[: MOST_EVENTS + 1])
            context.update(
                recipients=obj.recipients.all(),
                timeline=[
                    (moment, _as_json(moment.event.data) if moment.event else "", _kind_of(moment.status))
                    for moment in timeline_of(obj, events[:MOST_EVENTS])
                ],
                more_events=len(events) > MOST_EVENTS,
                related_objects=objects_of(obj, self.admin_site, request),
                possible_actions=self.possible_actions(request, obj),
                shows_content=self.has_view_content_permission(request)
                and not obj.sensitive
                and EmailContent.objects.filter(pk=obj.pk).exists(),
            )
        return super().render_change_form(request, context, add, change, form_url, obj)


def _breakable(address: str) -> SafeString | str:
    local, at, domain = address.partition("@")
    if not at:
        return address[:_SHOWN_OF_FINGERPRINTS] + "…"
    return format_html("{}@<wbr>{}", local, domain)


def _kind_of(status: str) -> str:
    """Return the class that colours a moment."""
    return f"poststack-{status}" if status else ""


def _as_json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) if data else ""
