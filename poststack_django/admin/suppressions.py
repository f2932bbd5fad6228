"""Suppressed addresses: added by hand, or by events; deleted to send there again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminEmailInputWidget
from django.utils.translation import gettext_lazy as _

from poststack_django.admin.common import short
from poststack_django.models import Suppression
from poststack_django.privacy import LONGEST_ADDRESS, searchable_address
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    SuppressionAdminBase = admin.ModelAdmin[Suppression]
    SuppressionFormBase = forms.ModelForm[Suppression]
else:  # Generic in the type stubs only.
    SuppressionAdminBase = admin.ModelAdmin
    SuppressionFormBase = forms.ModelForm

__all__ = ["SuppressionAdmin"]


class SuppressionForm(SuppressionFormBase):
    """Takes an address as people write it, and stores it as the settings say."""

    address = forms.EmailField(
        label=_("Address"),
        max_length=LONGEST_ADDRESS,
        widget=AdminEmailInputWidget,
        help_text=_(
            "Nothing is sent there any more from this project, until the entry is deleted. PostStack has a list of its "
            "own, which this does not change."
        ),
    )

    class Meta:
        """By hand, an address is all there is to say."""

        model = Suppression
        fields = ("address",)

    def clean_address(self) -> str:
        """Return the address as it is stored."""
        return searchable_address(self.cleaned_data["address"])


@admin.register(Suppression)
class SuppressionAdmin(SuppressionAdminBase):
    """Addresses that nothing is sent to, newest first."""

    form = SuppressionForm
    list_display = ("address", "reason", "since")
    list_filter = ("reason", "created_at")
    search_fields = ("address",)
    search_help_text = _("Address")
    date_hierarchy = "created_at"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return `False`: delete an entry and add another one."""
        return False

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        """Return the address to fill in, or everything there is to read."""
        return ("address",) if obj is None else ("address", "reason", "event_id", "created_at")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Search; where addresses are stored as fingerprints, by the fingerprint of a whole address."""
        if get_settings().store_recipients != "plain" and "@" in search_term:
            search_term = searchable_address(search_term)
        return super().get_search_results(request, queryset, search_term)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, and say so when nobody looks at it."""
        if request.method == "GET" and not get_settings().suppressions:
            text = _("Sending does not look at this list: POSTSTACK['SUPPRESSIONS'] is off.")
            messages.warning(request, text)
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("since"), ordering="created_at")
    def since(self, suppression: Suppression) -> str:
        """Return the moment in the short form."""
        return short(suppression.created_at)
