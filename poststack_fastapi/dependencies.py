"""How a route gets the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

# At run time too: FastAPI reads the annotations of `get_poststack`.
from starlette.requests import HTTPConnection

from poststack import AsyncPostStack

__all__ = ["PostStackDep", "get_poststack"]


def get_poststack(connection: HTTPConnection) -> AsyncPostStack:
    """Return the application's client, also from mounted applications and in WebSocket routes.

    Raises `RuntimeError` when the application was started without the lifespan. Tests replace it by
    `app.dependency_overrides[get_poststack]`.
    """
    state = cast("dict[str, object]", connection.scope.get("state") or {})
    client = state.get("poststack") or getattr(connection.app.state, "poststack", None)
    if client is None:
        raise RuntimeError(
            "The application has no PostStack client. Start it with FastAPI(lifespan=poststack_fastapi.lifespan), or "
            "compose yours: make_lifespan(inner=your_lifespan)."
        )
    return cast("AsyncPostStack", client)


if TYPE_CHECKING:
    PostStackDep = AsyncPostStack
else:
    try:
        from fastapi import Depends
    except ModuleNotFoundError:
        PostStackDep = AsyncPostStack  # Starlette alone has no dependencies; the name is of use as an annotation only.
    else:
        PostStackDep = Annotated[AsyncPostStack, Depends(get_poststack)]
