"""How a route gets the client."""

from __future__ import annotations

from typing import cast

# At run time too: FastAPI reads the annotations.
from starlette.requests import HTTPConnection

from poststack import AsyncPostStack, PostStack
from poststack_fastapi.state import CLIENT, SYNC_CLIENT, find

__all__ = ["get_poststack", "get_sync_poststack"]


def get_poststack(connection: HTTPConnection) -> AsyncPostStack:
    """Return the application's client, also from mounted applications and in WebSocket routes.

    Raises `RuntimeError` when the application was started without the lifespan. Tests replace it by
    `app.dependency_overrides[get_poststack]`.
    """
    client = find(connection, CLIENT)
    if client is None:
        raise RuntimeError(_ADD_THE_LIFESPAN)
    return cast("AsyncPostStack", client)


def get_sync_poststack(connection: HTTPConnection) -> PostStack:
    """Return the application's synchronous client, for `def` endpoints, which run in threads.

    It has the settings of the other, connections of its own, and opens the first when it is used. Raises `RuntimeError`
    when there is none.
    """
    client = find(connection, SYNC_CLIENT)
    if client is not None:
        return cast("PostStack", client)
    if find(connection, CLIENT) is None:
        raise RuntimeError(_ADD_THE_LIFESPAN)
    raise RuntimeError(
        "The application's client was given to it, and there is no synchronous one beside it. Give one too: "
        "make_lifespan(client=…, sync_client=PostStack(…)), or app.state.poststack_sync = PostStack(…)."
    )


_ADD_THE_LIFESPAN = (
    "The application has no PostStack client. Start it with FastAPI(lifespan=poststack_fastapi.lifespan), or compose "
    "yours: make_lifespan(inner=your_lifespan). A TestClient runs the lifespan in `with TestClient(app)` only. "
    "In a mounted application, let the outer one's lifespan yield the state that PostStack's yields."
)
