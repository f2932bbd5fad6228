"""PostStack for FastAPI and Starlette: one asynchronous client per application, bodies, errors, and webhooks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.dependencies import get_poststack, get_sync_poststack
from poststack_fastapi.errors import ERROR_RESPONSES, add_exception_handlers, poststack_exception_handler
from poststack_fastapi.lifespan import lifespan, make_lifespan
from poststack_fastapi.openapi import WEBHOOK_OPENAPI, WEBHOOK_RESPONSES
from poststack_fastapi.uploads import attachment_from_upload, attachments_from_uploads
from poststack_fastapi.webhooks import WebhookRoute, webhook_route

if TYPE_CHECKING:
    from poststack_fastapi.addresses import Address
    from poststack_fastapi.annotations import PostStackDep, SyncPostStackDep
    from poststack_fastapi.bodies import AttachmentBody, EmailBody, TrackingBody
    from poststack_fastapi.routers import WebhookRouter, webhook_router
    from poststack_fastapi.verified import VerifiedEvent, verified_event

__all__ = [
    "ERROR_RESPONSES",
    "WEBHOOK_OPENAPI",
    "WEBHOOK_RESPONSES",
    "Address",
    "AttachmentBody",
    "EmailBody",
    "PostStackDep",
    "SyncPostStackDep",
    "TrackingBody",
    "VerifiedEvent",
    "WebhookRoute",
    "WebhookRouter",
    "add_exception_handlers",
    "attachment_from_upload",
    "attachments_from_uploads",
    "get_poststack",
    "get_sync_poststack",
    "lifespan",
    "make_lifespan",
    "poststack_exception_handler",
    "verified_event",
    "webhook_route",
    "webhook_router",
]

# Starlette alone is enough for the others. Each has its module, and the package that it needs.
_NEED_MORE = {
    "Address": ("poststack_fastapi.addresses", "pydantic"),
    "AttachmentBody": ("poststack_fastapi.bodies", "pydantic"),
    "EmailBody": ("poststack_fastapi.bodies", "pydantic"),
    "PostStackDep": ("poststack_fastapi.annotations", "fastapi"),
    "SyncPostStackDep": ("poststack_fastapi.annotations", "fastapi"),
    "TrackingBody": ("poststack_fastapi.bodies", "pydantic"),
    "VerifiedEvent": ("poststack_fastapi.verified", "fastapi"),
    "WebhookRouter": ("poststack_fastapi.routers", "fastapi"),
    "verified_event": ("poststack_fastapi.verified", "fastapi"),
    "webhook_router": ("poststack_fastapi.routers", "fastapi"),
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name at its first use. Raises `ImportError` where the package that it needs is missing."""
        if name not in _NEED_MORE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, package = _NEED_MORE[name]
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            needed = {"fastapi": "FastAPI"}.get(package, package)
            raise ImportError(f'{name} needs {needed}. Install it with: pip install "poststack[fastapi]"') from error
        return getattr(import_module(module), name)
