"""PostStack for FastAPI and Starlette: one asynchronous client per application."""

from __future__ import annotations

from importlib import import_module

try:
    import_module("starlette")
except ModuleNotFoundError as _error:
    raise ImportError('poststack_fastapi needs FastAPI. Install it with: pip install "poststack[fastapi]"') from _error

from poststack_fastapi.dependencies import PostStackDep, get_poststack
from poststack_fastapi.lifespan import lifespan, make_lifespan

__all__ = ["PostStackDep", "get_poststack", "lifespan", "make_lifespan"]
