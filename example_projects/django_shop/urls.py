"""The shop, its admin, and the address that PostStack calls."""

from __future__ import annotations

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("example_projects.django_shop.store.urls")),
    path("favicon.ico", RedirectView.as_view(url=static("store/leaf.svg"))),
    path("admin/", admin.site.urls),
    path("webhooks/poststack/", include("poststack_django.urls")),
]
