"""PostStack for FastAPI and Starlette: one asynchronous client per application, bodies, errors, and webhooks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.background import send_in_background
from poststack_fastapi.dependencies import get_mailer, get_poststack, get_sync_mailer, get_sync_poststack
from poststack_fastapi.errors import ERROR_RESPONSES, add_exception_handlers, poststack_exception_handler
from poststack_fastapi.lifespan import lifespan, make_lifespan
from poststack_fastapi.openapi import WEBHOOK_OPENAPI, WEBHOOK_RESPONSES
from poststack_fastapi.uploads import attachment_from_upload, attachments_from_uploads
from poststack_fastapi.webhooks import WebhookRoute, webhook_route

if TYPE_CHECKING:
    from poststack_fastapi.addresses import Address
    from poststack_fastapi.annotations import MailerDep, PostStackDep, SyncMailerDep, SyncPostStackDep
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
    "MailerDep",
    "PostStackDep",
    "SyncMailerDep",
    "SyncPostStackDep",
    "TrackingBody",
    "VerifiedEvent",
    "WebhookRoute",
    "WebhookRouter",
    "add_exception_handlers",
    "attachment_from_upload",
    "attachments_from_uploads",
    "get_mailer",
    "get_poststack",
    "get_sync_mailer",
    "get_sync_poststack",
    "lifespan",
    "make_lifespan",
    "poststack_exception_handler",
    "send_in_background",
    "verified_event",
    "webhook_route",
    "webhook_router",
]

# Starlette alone is enough for the others. What each of these needs, and where it is.
_NEEDING_MORE = {
    "Address": ("pydantic", "poststack_fastapi.addresses"),
    "AttachmentBody": ("pydantic", "poststack_fastapi.bodies"),
    "EmailBody": ("pydantic", "poststack_fastapi.bodies"),
    "MailerDep": ("fastapi", "poststack_fastapi.annotations"),
    "PostStackDep": ("fastapi", "poststack_fastapi.annotations"),
    "SyncMailerDep": ("fastapi", "poststack_fastapi.annotations"),
    "SyncPostStackDep": ("fastapi", "poststack_fastapi.annotations"),
    "TrackingBody": ("pydantic", "poststack_fastapi.bodies"),
    "VerifiedEvent": ("fastapi", "poststack_fastapi.verified"),
    "WebhookRouter": ("fastapi", "poststack_fastapi.routers"),
    "verified_event": ("fastapi", "poststack_fastapi.verified"),
    "webhook_router": ("fastapi", "poststack_fastapi.routers"),
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name at its first use. Raises `ImportError` where what it needs is missing."""
        if name not in _NEEDING_MORE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        package, home = _NEEDING_MORE[name]
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise ImportError(f'{name} needs FastAPI. Install it with: pip install "poststack[fastapi]"') from error
        return getattr(import_module(home), name)
