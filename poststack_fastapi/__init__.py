"""PostStack for FastAPI and Starlette: one asynchronous client per application."""

from __future__ import annotations

from importlib import import_module

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.dependencies import PostStackDep, get_poststack
from poststack_fastapi.errors import ERROR_RESPONSES, add_exception_handlers, poststack_exception_handler
from poststack_fastapi.lifespan import lifespan, make_lifespan

__all__ = [
    "ERROR_RESPONSES",
    "PostStackDep",
    "add_exception_handlers",
    "get_poststack",
    "lifespan",
    "make_lifespan",
    "poststack_exception_handler",
]
