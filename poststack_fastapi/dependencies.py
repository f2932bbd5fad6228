"""How a route gets the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

# At run time too: FastAPI reads the annotations.
from starlette.requests import HTTPConnection

from poststack import AsyncPostStack, PostStack
from poststack.mailbridge.configured import is_mailer
from poststack_fastapi.state import CLIENT, SYNC_CLIENT, find

if TYPE_CHECKING:
    from poststack.mailbridge import AsyncMailer, Mailer

__all__ = ["get_mailer", "get_poststack", "get_sync_mailer", "get_sync_poststack"]


def get_poststack(connection: HTTPConnection) -> AsyncPostStack:
    """Return the application's client, also from mounted applications and in WebSocket routes.

    Where the application sends through another provider it is that provider's mailer, which has `emails.send` and
    `emails.batch` and no other group; `get_mailer` says so to type checkers.

    Raises `RuntimeError` when the application was started without the lifespan. Tests replace it by
    `app.dependency_overrides[get_poststack]`.
    """
    client = find(connection, CLIENT)
    if client is None:
        raise RuntimeError(_ADD_THE_LIFESPAN)
    return cast("AsyncPostStack", client)


def get_sync_poststack(connection: HTTPConnection) -> PostStack:
    """Return the application's synchronous client, for `def` endpoints, which run in threads.

    It has the settings of the other, connections of its own, and opens the first when it is used. With another provider
    it is a mailer, as that of `get_poststack` is. Raises `RuntimeError` when there is none.
    """
    client = find(connection, SYNC_CLIENT)
    if client is not None:
        return cast("PostStack", client)
    if (other := find(connection, CLIENT)) is None:
        raise RuntimeError(_ADD_THE_LIFESPAN)
    if is_mailer(other):
        raise RuntimeError(
            "The application's mailer can be awaited only, and there is no synchronous one beside it. Give one too: "
            "make_lifespan(…, sync_client=MailBridge(…))."
        )
    raise RuntimeError(
        "The application's client was given to it, and there is no synchronous one beside it. Give one too: "
        "make_lifespan(client=…, sync_client=PostStack(…)), or app.state.poststack_sync = PostStack(…)."
    )


def get_mailer(connection: HTTPConnection) -> AsyncMailer:
    """Return the mailer of an application that sends through another provider: a MailBridge or a Failover.

    Raises `RuntimeError` when the application has none, and when it sends through PostStack.
    """
    client: object = get_poststack(connection)
    if not is_mailer(client):
        raise RuntimeError(_NO_MAILER)
    return cast("AsyncMailer", client)


def get_sync_mailer(connection: HTTPConnection) -> Mailer:
    """Return the synchronous mailer, for `def` endpoints, which run in threads. Raises `RuntimeError` as the other."""
    client: object = get_sync_poststack(connection)
    if not is_mailer(client):
        raise RuntimeError(_NO_MAILER)
    return cast("Mailer", client)


_NO_MAILER = (
    "This application sends through PostStack, for which there is PostStackDep. For another provider, set "
    "POSTSTACK_PROVIDER, or use make_lifespan(provider=…) or make_lifespan(client=AsyncMailBridge(…))."
)


_ADD_THE_LIFESPAN = (
    "The application has no PostStack client. Start it with FastAPI(lifespan=poststack_fastapi.lifespan), or compose "
    "yours: make_lifespan(inner=your_lifespan). A TestClient runs the lifespan in `with TestClient(app)` only. "
    "In a mounted application, let the outer one's lifespan yield the state that PostStack's yields."
)
