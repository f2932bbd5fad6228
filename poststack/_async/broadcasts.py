"""One e-mail to all contacts of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import NO_BODY, Listing, Request, segment
from poststack.types.broadcasts import (
    Broadcast,
    BroadcastAnswer,
    BroadcastPerformance,
    BroadcastPerformanceList,
    BroadcastVariants,
    BroadcastVariantStats,
    NonResponders,
    ResentBroadcast,
)
from poststack.types.common import Page, Success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.broadcasts import (
        BroadcastPerformanceQuery,
        BroadcastQuery,
        BroadcastTest,
        CreateBroadcast,
        ResendBroadcast,
        UpdateBroadcast,
    )

__all__ = ["AsyncBroadcasts"]


class AsyncBroadcasts:
    """Write to all contacts of a segment. Every `id` is the `publicId` of a broadcast.

    Only sends of `emails` honour idempotency keys. A `create` or `resend` that failed without an answer may have taken
    effect, and its retries can make a second draft, which sends nothing by itself. `send`, `send_test` and
    `end_ab_test` are not retried once an attempt may have taken effect; the error says so in `may_have_taken_effect`.
    Look at the broadcast's `status` with `get` before you repeat a `send` whose outcome is unknown.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def create(self, input: CreateBroadcast, *, timeout: float | None = None) -> BroadcastAnswer:
        """Store a broadcast as a draft."""
        return await self._session.call(Request("POST", "/broadcasts", BroadcastAnswer, body=input), timeout)

    async def list(self, params: BroadcastQuery | None = None, *, timeout: float | None = None) -> Page[Broadcast]:
        """Return one page of broadcasts."""
        return await self._session.call(Request("GET", "/broadcasts", Page[Broadcast], query=params), timeout)

    def iterate(
        self, params: BroadcastQuery | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[Broadcast]:
        """Yield the broadcasts of all pages."""
        return self._session.iterate(Listing("/broadcasts", Broadcast, query=params), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> BroadcastAnswer:
        """Return one broadcast with its counts."""
        return await self._session.call(Request("GET", f"/broadcasts/{segment(id)}", BroadcastAnswer), timeout)

    async def update(self, id: str, input: UpdateBroadcast, *, timeout: float | None = None) -> BroadcastAnswer:
        """Change the given fields of a draft. Refused for all others."""
        return await self._session.call(
            Request("PATCH", f"/broadcasts/{segment(id)}", BroadcastAnswer, body=input), timeout
        )

    async def send(self, id: str, *, timeout: float | None = None) -> Success:
        """Send a draft to the contacts of its segment."""
        return await self._session.call(
            Request("POST", f"/broadcasts/{segment(id)}/send", Success, repeatable=False), timeout
        )

    async def cancel(self, id: str, *, timeout: float | None = None) -> Success:
        """Stop a broadcast. What is sent already stays sent."""
        return await self._session.call(Request("POST", f"/broadcasts/{segment(id)}/cancel", Success), timeout)

    async def resend(
        self, id: str, input: ResendBroadcast | None = None, *, timeout: float | None = None
    ) -> ResentBroadcast:
        """Make a new draft of a sent broadcast, for those who did not open it or click in it. `send` that draft."""
        body = NO_BODY if input is None else input
        return await self._session.call(
            Request("POST", f"/broadcasts/{segment(id)}/resend", ResentBroadcast, body=body), timeout
        )

    async def send_test(self, id: str, input: BroadcastTest, *, timeout: float | None = None) -> Success:
        """Send a broadcast to one address, to look at it."""
        return await self._session.call(
            Request("POST", f"/broadcasts/{segment(id)}/test", Success, body=input, repeatable=False), timeout
        )

    async def get_variants(self, id: str, *, timeout: float | None = None) -> BroadcastVariants:
        """Return the variants of an A/B test with their counts."""
        return await self._session.call(
            Request("GET", f"/broadcasts/{segment(id)}/variants", BroadcastVariants), timeout
        )

    async def get_variant_stats(self, id: str, *, timeout: float | None = None) -> BroadcastVariantStats:
        """Return the variants of an A/B test with counts and rates, and the winner. Refused with 422 without a test."""
        return await self._session.call(
            Request("GET", f"/broadcasts/{segment(id)}/variant-stats", BroadcastVariantStats), timeout
        )

    async def list_performance(
        self, params: BroadcastPerformanceQuery | None = None, *, timeout: float | None = None
    ) -> BroadcastPerformanceList:
        """Return the sent broadcasts that did best, up to 100. It does not come in pages."""
        return await self._session.call(
            Request("GET", "/broadcasts/performance", BroadcastPerformanceList, query=params), timeout
        )

    async def performance(self, id: str, *, timeout: float | None = None) -> BroadcastPerformance:
        """Return the deliveries, opens, clicks and bounces of one broadcast."""
        return await self._session.call(
            Request("GET", f"/broadcasts/{segment(id)}/performance", BroadcastPerformance), timeout
        )

    async def non_openers(self, id: str, *, limit: int | None = None, timeout: float | None = None) -> NonResponders:
        """Return who did not open a sent broadcast: up to `limit`, 500 unless given, at most 5,000."""
        return await self._session.call(
            Request("GET", f"/broadcasts/{segment(id)}/non-openers", NonResponders, query={"limit": limit}), timeout
        )

    async def non_clickers(self, id: str, *, limit: int | None = None, timeout: float | None = None) -> NonResponders:
        """Return who did not click in a sent broadcast: up to `limit`, 500 unless given, at most 5,000."""
        return await self._session.call(
            Request("GET", f"/broadcasts/{segment(id)}/non-clickers", NonResponders, query={"limit": limit}), timeout
        )

    async def end_ab_test(self, id: str, *, timeout: float | None = None) -> Success:
        """End an A/B test early: the variant that leads now goes to all other contacts."""
        return await self._session.call(
            Request("POST", f"/broadcasts/{segment(id)}/end-ab-test", Success, repeatable=False), timeout
        )
