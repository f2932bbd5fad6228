"""The shop's only app."""

from __future__ import annotations

from django.apps import AppConfig


class StoreConfig(AppConfig):
    name = "example_projects.django_shop.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to what becomes of the mail."""
        from example_projects.django_shop.store.customers import follow_mail
        from poststack_django.signals import bounced, delivered, post_send

        for signal in (bounced, delivered, post_send):
            signal.connect(follow_mail)
