"""What the pages of the admin have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import django
from django.forms import Media
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

__all__ = ["LISTED_BREADCRUMBS", "STYLES", "ReadOnly", "badge", "has_permission", "short"]

STYLES: Final = Media(css={"all": ("poststack_django/admin.css",)})
"""The colours of the badges and the layout of the pages, for light and dark."""

LISTED_BREADCRUMBS: Final = django.VERSION >= (6, 1)
"""Whether this Django writes breadcrumbs as a list."""


class ReadOnly:
    """Takes away adding and changing, whatever the permissions; viewing and deleting are left to them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return `False`."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return `False`."""
        return False


def has_permission(request: HttpRequest, codename: str) -> bool:
    """Return whether somebody has a permission of this app."""
    # The admin lets only users in; the base class of foreign ones need not know permissions.
    user: Any = request.user
    return bool(user.has_perm(f"poststack.{codename}"))


def short(moment: datetime | None) -> str:
    """Return a moment in the short form: lists have much to show in little space."""
    if moment is None:
        return "-"
    return date_format(timezone.localtime(moment) if timezone.is_aware(moment) else moment, "SHORT_DATETIME_FORMAT")


def badge(status: str, text: str) -> SafeString:
    """Return a status or state, coloured."""
    return format_html('<span class="poststack-badge poststack-{}">{}</span>', status, text)
