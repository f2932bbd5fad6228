"""Where PostStack calls: `path("webhooks/poststack/", include("poststack_django.urls"))`."""

from __future__ import annotations

from django.urls import path

from poststack_django.webhooks import WebhookView

__all__ = ["app_name", "urlpatterns"]

app_name = "poststack"

urlpatterns = [path("", WebhookView.as_view(), name="webhook")]
