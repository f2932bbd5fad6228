from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("webhooks/poststack/", include("poststack_django.urls"))]
