"""Forms are taken from this site's own pages only.

FastAPI has no protection against forged requests. Browsers say where a request comes from, in `Sec-Fetch-Site` and
`Origin`, and no page of another site can change that. What has neither header is no browser, so nobody's cookies or
network position can be abused by it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.requests import Request

__all__ = ["same_origin"]


async def same_origin(request: Request) -> None:
    """Refuse what another site's page has a browser send. Raises `HTTPException` with status 403."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        # The host, without the scheme: TLS may end at a proxy.
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise HTTPException(403, "This form was sent from another site. Please open it here and try again.")
