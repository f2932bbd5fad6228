"""PostStack for FastAPI and Starlette: one asynchronous client per application."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.background import send_in_background
from poststack_fastapi.dependencies import PostStackDep, get_poststack
from poststack_fastapi.errors import ERROR_RESPONSES, add_exception_handlers, poststack_exception_handler
from poststack_fastapi.lifespan import lifespan, make_lifespan
from poststack_fastapi.uploads import attachment_from_upload, attachments_from_uploads

if TYPE_CHECKING:
    from poststack_fastapi.addresses import Address
    from poststack_fastapi.bodies import AttachmentBody, EmailBody, TrackingBody

__all__ = [
    "ERROR_RESPONSES",
    "Address",
    "AttachmentBody",
    "EmailBody",
    "PostStackDep",
    "TrackingBody",
    "add_exception_handlers",
    "attachment_from_upload",
    "attachments_from_uploads",
    "get_poststack",
    "lifespan",
    "make_lifespan",
    "poststack_exception_handler",
    "send_in_background",
]

# Starlette alone is enough for the others.
_NEED_PYDANTIC = {
    "Address": "poststack_fastapi.addresses",
    "AttachmentBody": "poststack_fastapi.bodies",
    "EmailBody": "poststack_fastapi.bodies",
    "TrackingBody": "poststack_fastapi.bodies",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name at its first use. Raises `ImportError` where pydantic is missing."""
        if name not in _NEED_PYDANTIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            import_module("pydantic")
        except ModuleNotFoundError as error:
            raise ImportError(f'{name} needs FastAPI. Install it with: pip install "poststack[fastapi]"') from error
        return getattr(import_module(_NEED_PYDANTIC[name]), name)
