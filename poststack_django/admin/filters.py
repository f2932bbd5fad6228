"""Filters of the list of e-mails."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db import connections
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from poststack_django.models import SentEmail

__all__ = ["MailerFilter", "TagFilter"]

LOOKED_AT = 1_000
"""E-mails whose tags are offered: the newest ones. No index helps to find all."""
MOST_TAGS = 20


class MailerFilter(admin.AllValuesFieldListFilter):
    """The mailers, where there are several."""

    def has_output(self) -> bool:
        """Return whether there is something to choose."""
        return len(self.lookup_choices) > 1


class TagFilter(admin.SimpleListFilter):
    """The tags in use of late, the frequent ones first."""

    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the tags of the newest e-mails."""
        newest = model_admin.model._default_manager.order_by("-created_at", "-id").values_list("tags", flat=True)
        count = Counter(tag for tags in newest[:LOOKED_AT] for tag in tags if isinstance(tag, str))
        chosen = self.used_parameters.get(str(self.parameter_name))
        found = [tag for tag, _ in count.most_common(MOST_TAGS)]
        if chosen and chosen not in found:
            found.insert(0, str(chosen))
        return [(tag, tag) for tag in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SentEmail]) -> QuerySet[SentEmail]:
        """Return the e-mails with this tag."""
        tag = self.value()
        if not tag:
            return queryset
        if connections[queryset.db].features.supports_json_field_contains:
            return queryset.filter(tags__contains=[tag])
        # SQLite keeps JSON as the text that Python wrote.
        return queryset.annotate(tags_text=Cast("tags", TextField())).filter(tags_text__contains=json.dumps(tag))
