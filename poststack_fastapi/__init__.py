"""PostStack for FastAPI and Starlette: one asynchronous client per application, and webhooks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.dependencies import get_poststack, get_sync_poststack
from poststack_fastapi.lifespan import lifespan, make_lifespan

if TYPE_CHECKING:
    from poststack_fastapi.annotations import PostStackDep, SyncPostStackDep

__all__ = [
    "PostStackDep",
    "SyncPostStackDep",
    "get_poststack",
    "get_sync_poststack",
    "lifespan",
    "make_lifespan",
]

# Starlette alone is enough for the others.
_NEED_FASTAPI = {
    "PostStackDep": "poststack_fastapi.annotations",
    "SyncPostStackDep": "poststack_fastapi.annotations",
}


# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name at its first use. Raises `ImportError` where FastAPI is missing."""
        if name not in _NEED_FASTAPI:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            import_module("fastapi")
        except ModuleNotFoundError as error:
            raise ImportError(f'{name} needs FastAPI. Install it with: pip install "poststack[fastapi]"') from error
        return getattr(import_module(_NEED_FASTAPI[name]), name)
