"""The Django project that an RQ worker belongs to: RQ's own command knows nothing of it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["set_up_django"]


def set_up_django() -> None:
    """Set up the project that `DJANGO_SETTINGS_MODULE` names, if it has `poststack_django`, as Celery's worker does.

    Otherwise its jobs would leave no rows, and pass its staging guard and its suppressions. Calling it again costs
    nothing. Raises whatever is wrong with the project, also that there is no such module: what guards it has is not
    known then.
    """
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return
    apps: Any = getattr(sys.modules.get("django.apps"), "apps", None)
    if (apps is not None and apps.ready) or find_spec("django") is None:
        return
    settings: Any = import_module("django.conf").settings
    installed: Any = settings.INSTALLED_APPS
    if hasattr(settings, "POSTSTACK") or any(str(one).partition(".")[0] == "poststack_django" for one in installed):
        import_module("django").setup()
