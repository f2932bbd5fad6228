"""PostStack for Django: an e-mail backend, stored ids and statuses, signed webhooks, and an admin to read them in.

No part of it is imported here: settings may name `poststack_django.backends.EmailBackend` without installing the app.
"""

from __future__ import annotations

from importlib import import_module

try:
    import_module("django")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_django needs Django. Install it with: pip install "poststack[django]"') from _error
