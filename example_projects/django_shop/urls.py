"""The shop, its admin, and the address that PostStack calls."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("example_projects.django_shop.store.urls")),
    path("admin/", admin.site.urls),
    path("webhooks/poststack/", include("poststack_django.urls")),
]
