"""For any WSGI server: `example_projects.django_shop.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_projects.django_shop.settings")

application = get_wsgi_application()
