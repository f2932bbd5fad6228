"""What the routes need while the application runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from example_projects.fastapi_signup.news import News
    from example_projects.fastapi_signup.post_office import PostOffice
    from example_projects.fastapi_signup.settings import Settings
    from example_projects.fastapi_signup.storage import Storage

__all__ = ["Parts", "PartsDep", "parts_of"]


@dataclass(frozen=True)
class Parts:
    """Put into the lifespan state by `app.py`."""

    settings: Settings
    storage: Storage
    news: News
    post_office: PostOffice


def parts_of(connection: HTTPConnection) -> Parts:
    """Return them for a request."""
    return cast("Parts", connection.state.parts)


async def _parts(connection: HTTPConnection) -> Parts:  # A plain function would cost a thread for each request.
    return parts_of(connection)


PartsDep: TypeAlias = Annotated[Parts, Depends(_parts)]
