"""The admin, with groups as the objects that e-mails are about, and the webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import include, path

from poststack_django.admin import RelatedEmailsMixin

if TYPE_CHECKING:
    GroupAdminBase = admin.ModelAdmin[Group]
else:  # Generic in the type stubs only.
    GroupAdminBase = admin.ModelAdmin

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(RelatedEmailsMixin, GroupAdminBase):
    """An admin as projects have it."""

    fields = ("name",)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("webhooks/poststack/", include("poststack_django.urls")),
]
