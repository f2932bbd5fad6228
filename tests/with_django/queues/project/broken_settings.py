"""Settings of the same project with something wrong that is found when it is set up."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from tests.with_django.queues.project.settings import *  # noqa: F403

raise ImproperlyConfigured("The key is sk_live_in_an_error.")
