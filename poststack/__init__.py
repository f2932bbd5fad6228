"""Typed client for the PostStack e-mail API.

    from poststack import PostStack

    client = PostStack()  # reads POSTSTACK_API_KEY
    sent = client.emails.send({"from": "…", "to": ["…"], "subject": "…", "html": "…"})
    print(sent["id"])

`AsyncPostStack` has the same methods, awaited.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from poststack._version import __version__

if TYPE_CHECKING:
    from poststack import attachments, errors, events, types
    from poststack._async.client import AsyncPostStack
    from poststack._checks import checked_email
    from poststack._sync.client import PostStack
    from poststack.bulk import BulkProgress, BulkResult
    from poststack.errors import (
        APIError,
        EmailStatusError,
        EmailWaitError,
        EmailWaitTimeoutError,
        HeldBackError,
        OutcomeUnknownError,
        PostStackConnectionError,
        PostStackError,
        PostStackResponseError,
        PostStackTimeoutError,
        WebhookSignatureError,
    )
    from poststack.events import WebhookEvent
    from poststack.response import RateLimit, Response

__all__ = [
    "APIError",
    "AsyncPostStack",
    "BulkProgress",
    "BulkResult",
    "EmailStatusError",
    "EmailWaitError",
    "EmailWaitTimeoutError",
    "HeldBackError",
    "OutcomeUnknownError",
    "PostStack",
    "PostStackConnectionError",
    "PostStackError",
    "PostStackResponseError",
    "PostStackTimeoutError",
    "RateLimit",
    "Response",
    "WebhookEvent",
    "WebhookSignatureError",
    "__version__",
    "attachments",
    "checked_email",
    "errors",
    "events",
    "types",
]

# Names are loaded when they are first used (PEP 562): a program that imports the package pays for the client it uses,
# synchronous or asynchronous, and a command that sends nothing pays next to nothing.
_HOMES = {
    "APIError": "poststack.errors",
    "AsyncPostStack": "poststack._async.client",
    "BulkProgress": "poststack.bulk",
    "BulkResult": "poststack.bulk",
    "EmailStatusError": "poststack.errors",
    "EmailWaitError": "poststack.errors",
    "EmailWaitTimeoutError": "poststack.errors",
    "HeldBackError": "poststack.errors",
    "OutcomeUnknownError": "poststack.errors",
    "PostStack": "poststack._sync.client",
    "PostStackConnectionError": "poststack.errors",
    "PostStackError": "poststack.errors",
    "PostStackResponseError": "poststack.errors",
    "PostStackTimeoutError": "poststack.errors",
    "RateLimit": "poststack.response",
    "Response": "poststack.response",
    "WebhookEvent": "poststack.events",
    "WebhookSignatureError": "poststack.errors",
    "checked_email": "poststack._checks",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _HOMES:
            value: object = getattr(import_module(_HOMES[name]), name)
        elif name in __all__:
            value = import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
