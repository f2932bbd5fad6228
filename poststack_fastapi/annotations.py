"""The dependencies of FastAPI routes as annotations."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends

from poststack import AsyncPostStack, PostStack
from poststack_fastapi.dependencies import get_poststack, get_sync_poststack

__all__ = ["PostStackDep", "SyncPostStackDep"]

PostStackDep: TypeAlias = Annotated[AsyncPostStack, Depends(get_poststack)]
"""The application's client, for `async def` endpoints."""
SyncPostStackDep: TypeAlias = Annotated[PostStack, Depends(get_sync_poststack)]
"""The application's synchronous client, for `def` endpoints."""
