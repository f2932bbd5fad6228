"""Keys of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request, segment
from poststack.types.api_keys import ApiKey, ApiKeyList, NewApiKey
from poststack.types.common import Success

if TYPE_CHECKING:
    from poststack._async.session import AsyncSession
    from poststack.types.api_keys import CreateApiKey
    from poststack.types.common import PageQuery

__all__ = ["AsyncApiKeys"]


class AsyncApiKeys:
    """Make, replace and withdraw keys. Ids are integers; answers are the keys themselves.

    Only sends honour idempotency keys, and a key is shown once, in the answer that makes it. So `create` and `rotate`
    are not retried once an attempt may have taken effect: the error says so in `may_have_taken_effect`. A `create` that
    failed so may have made a key that nobody has seen: look with `list`, and `revoke` it. A `rotate` that failed so may
    have ended the old key: with another one that may do it, `rotate` it again.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateApiKey, *, timeout: float | None = None) -> NewApiKey:
        """Make a key. Keep its `key`: it is shown this once.

        To make one with `full_access` by means of a key, say `allow_full_access` too; it is refused otherwise.
        """
        return await self._session.call(Request("POST", "/api-keys", NewApiKey, body=input, repeatable=False), timeout)

    async def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> ApiKeyList:
        """Return all keys, without their secrets. The API ignores `params`."""
        return await self._session.call(Request("GET", "/api-keys", ApiKeyList, query=params), timeout)

    async def get(self, id: int, *, timeout: float | None = None) -> ApiKey:
        """Return one key, without its secret."""
        return await self._session.call(Request("GET", f"/api-keys/{segment(id)}", ApiKey), timeout)

    async def revoke(self, id: int, *, timeout: float | None = None) -> Success:
        """Withdraw a key: calls with it are refused with 401 from now on."""
        return await self._session.call(Request("DELETE", f"/api-keys/{segment(id)}", Success), timeout)

    async def rotate(self, id: int, *, timeout: float | None = None) -> NewApiKey:
        """Replace a key and return the new one, which is shown this once. The old one ends at once, without grace."""
        return await self._session.call(
            Request("POST", f"/api-keys/{segment(id)}/rotate", NewApiKey, repeatable=False), timeout
        )
