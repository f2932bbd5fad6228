"""PostStack for Flask: one client per application, at `app.extensions["poststack"]`."""

from __future__ import annotations

from importlib import import_module

try:
    import_module("flask")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_flask needs Flask. Install it with: pip install "poststack[flask]"') from _error

from poststack_flask.extension import FlaskPostStack, current_poststack
from poststack_flask.message import Attachment, Message

__all__ = ["Attachment", "FlaskPostStack", "Message", "current_poststack"]
