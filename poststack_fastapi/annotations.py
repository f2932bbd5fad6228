"""The dependencies of FastAPI routes as annotations."""

# No postponed annotations here: FastAPI cannot resolve those of an object's `__call__`.

from collections.abc import Callable
from typing import Annotated, Generic, TypeAlias, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from poststack import AsyncPostStack, PostStack
from poststack.mailbridge import AsyncMailer, Mailer
from poststack.transports.turnstile import Turnstile
from poststack_fastapi.dependencies import get_mailer, get_poststack, get_sync_mailer, get_sync_poststack

__all__ = ["MailerDep", "PostStackDep", "SyncMailerDep", "SyncPostStackDep"]

Client = TypeVar("Client")


class _OnTheLoop(Generic[Client]):
    """Calls a function without a thread. FastAPI runs `def` dependencies in its pool, for most of a request's time.

    A burst of requests goes on over several turns of the event loop, so that other routes are served meanwhile.
    It equals its function, so `app.dependency_overrides` finds what replaces that, and both count as one dependency.
    """

    def __init__(self, function: Callable[[HTTPConnection], Client]) -> None:
        self._function = function
        self._turnstile = Turnstile()

    def __eq__(self, other: object) -> bool:
        return other is self._function or (isinstance(other, _OnTheLoop) and other._function is self._function)

    def __hash__(self) -> int:
        return hash(self._function)

    async def __call__(self, connection: HTTPConnection) -> Client:
        # Here rather than when they send: FastAPI has yet to check the bodies of these requests, which takes longer.
        await self._turnstile.enter()
        return self._function(connection)


PostStackDep: TypeAlias = Annotated[AsyncPostStack, Depends(_OnTheLoop(get_poststack))]
"""The application's client, for `async def` endpoints."""
SyncPostStackDep: TypeAlias = Annotated[PostStack, Depends(_OnTheLoop(get_sync_poststack))]
"""The application's synchronous client, for `def` endpoints."""
MailerDep: TypeAlias = Annotated[AsyncMailer, Depends(_OnTheLoop(get_mailer))]
"""The mailer of an application that sends through another provider, for `async def` endpoints."""
SyncMailerDep: TypeAlias = Annotated[Mailer, Depends(_OnTheLoop(get_sync_mailer))]
"""The synchronous mailer, for `def` endpoints."""
