"""The admin: read what was sent and what became of it, and do something about it where that is permitted."""

from __future__ import annotations

from poststack_django.admin.emails import SentEmailAdmin
from poststack_django.admin.events import EmailEventAdmin
from poststack_django.admin.related import RelatedEmailsMixin
from poststack_django.admin.suppressions import SuppressionAdmin

__all__ = ["EmailEventAdmin", "RelatedEmailsMixin", "SentEmailAdmin", "SuppressionAdmin"]
