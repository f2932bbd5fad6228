"""The app, called `poststack` in tables, permissions and addresses of the admin."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["PostStackConfig"]


class PostStackConfig(AppConfig):
    """Add `"poststack_django"` to `INSTALLED_APPS` to store what is sent and what becomes of it."""

    name = "poststack_django"
    label = "poststack"
    verbose_name = "PostStack"
    # Django 5.2 and 6.0 have different defaults; without this line one of them would want a migration.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and let jobs of queues be stored like all other e-mails."""
        from poststack_django import checks, jobs

        checks.register_all()
        jobs.register()
