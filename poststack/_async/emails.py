"""Sending e-mails, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._checks import checked_batch, checked_email
from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.emails import (
    BatchAnswer,
    Email,
    EmailAnswer,
    EmailEvents,
    EmailInsights,
    EmailPreview,
    SentEmail,
    SpamReport,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Collection, Iterable

    from poststack._async.session import AsyncSession
    from poststack.bulk import BulkProgress, BulkResult
    from poststack.types.emails import BatchEmails, EmailQuery, EmailStatus, PreviewEmail, SendEmail

__all__ = ["AsyncEmails"]


class AsyncEmails:
    """Send e-mails and follow them. Every `id` is the `em_…` id that `send` returns."""

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def send(self, input: SendEmail, *, timeout: float | None = None) -> SentEmail:
        """Hand one e-mail to the API and return its id.

        Retries are safe: all attempts carry one idempotency key. Put your own `idempotency_key` into the payload when
        the call itself may be repeated, by a queue or after a crash; the answer is then `replayed` and nothing is
        sent again. Raises `ValueError` before sending anything, `PostStackError` when the API refuses or is not
        reached.

            sent = await client.emails.send(
                {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Thank you", "text": "…"}
            )
        """
        return await self._session.call(Request("POST", "/emails", SentEmail, body=checked_email(input)), timeout)

    async def batch(self, input: BatchEmails, *, timeout: float | None = None) -> BatchAnswer:
        """Hand 1 to 100 e-mails to the API in one request.

        Each succeeds or fails alone: look for `id` or `error` in each element of `data`, which are in order. Raises
        as `send` does; then none was accepted, or it is unknown whether any was.
        """
        return await self._session.call(
            Request("POST", "/emails/batch", BatchAnswer, body=checked_batch(input)), timeout
        )

    def send_many(
        self,
        emails: Iterable[SendEmail] | AsyncIterable[SendEmail],
        *,
        concurrency: int = 4,
        key_prefix: str | None = None,
        on_progress: Callable[[BulkProgress], object] | None = None,
        retry_for: float = 60.0,
        timeout: float | None = None,
    ) -> AsyncGenerator[BulkResult, None]:
        """Hand any number of e-mails to the API, and yield one `BulkResult` for each, in the order of the input.

        `emails` is taken as results are, so a generator of millions needs little memory. Up to 100 e-mails, or 8 MB, go
        into one call, and `concurrency` calls (1 to 100) are in flight. What fails costs no other: wrong e-mails and
        refusals are results with an `error`, and what failed transiently is tried again for `retry_for` seconds.

        E-mails without an `idempotency_key` get `<key_prefix>-<index>`. Repeat the same input with the same
        `key_prefix`, after a crash say, and nothing is sent twice; without one it is made up, and in the results. It is
        up to 200 characters of printable ASCII.

        `on_progress`, a plain function, gets a `BulkProgress` after each call. Whoever stops before the end closes the
        generator, by `contextlib.aclosing` or by letting go of it: calls under way are cancelled and no others begun. A
        generator given as `emails` is closed too. What `emails` itself raises is raised here when everything taken
        before has its result. Raises `ValueError` at once for options that cannot work, and for what holds no e-mails.

            async for result in client.emails.send_many(newsletter(), key_prefix="news-2026-12"):
                if result.error is not None:
                    print(result.index, result.error)
        """
        # Loaded by those who use it: it brings threads and their queues.
        from poststack._async.bulk import AsyncBulk

        return AsyncBulk(self._session, concurrency, key_prefix, on_progress, retry_for, timeout).results(emails)

    async def get(self, id: str, *, timeout: float | None = None) -> EmailAnswer:
        """Return one e-mail with its bodies and events."""
        return await self._session.call(Request("GET", f"/emails/{segment(id)}", EmailAnswer), timeout)

    async def wait_until(
        self,
        id: str,
        statuses: EmailStatus | Collection[EmailStatus],
        deadline: float,
        *,
        timeout: float | None = None,
    ) -> Email:
        """Ask for an e-mail until it has one of the statuses, and return it. For tests, scripts and the like.

        Asks at once, then after 0.5 seconds and after twice as long each time, up to 8, and once more before `deadline`
        seconds are over. The e-mails of an application are better followed by webhooks, which tell of every status.

        `bounced`, `failed` and `complained` are final. `delivered` is not quite: a complaint or a late bounce can
        follow, and nothing else. The API has one status for all recipients of an e-mail. One that lasts for moments,
        such as `sending`, can be missed.

        Raises `EmailStatusError` at once when none of the statuses can come any more, `EmailWaitTimeoutError` when none
        came, `ValueError` for statuses that there are not, and `PostStackError` when asking fails, as `get` does.

            email = await client.emails.wait_until(sent["id"], "delivered", deadline=30)
        """
        from poststack._async.waiting import wait_until

        return await wait_until(self._session, id, statuses, deadline, timeout)

    async def list(self, params: EmailQuery | None = None, *, timeout: float | None = None) -> Page[Email]:
        """Return one page of e-mails, without bodies and events."""
        return await self._session.call(Request("GET", "/emails", Page[Email], query=params), timeout)

    def iterate(self, params: EmailQuery | None = None, *, timeout: float | None = None) -> AsyncIterator[Email]:
        """Yield the e-mails of all pages.

        Pages are counted, not anchored: while new mail arrives an e-mail can come twice. Add `date_to` to hold still.
        """
        return self._session.iterate(Listing("/emails", Email, query=params), timeout)

    async def reschedule(self, id: str, scheduled_at: str, *, timeout: float | None = None) -> Success:
        """Move a scheduled e-mail to another time, ISO 8601 in UTC. Raises `PostStackError` once it is being sent."""
        return await self._session.call(
            Request("PATCH", f"/emails/{segment(id)}", Success, body={"scheduled_at": scheduled_at}), timeout
        )

    async def cancel(self, id: str, *, timeout: float | None = None) -> Success:
        """Stop a scheduled e-mail. Raises `PostStackError` once it is being sent."""
        return await self._session.call(Request("POST", f"/emails/{segment(id)}/cancel", Success), timeout)

    async def get_events(self, id: str, *, timeout: float | None = None) -> EmailEvents:
        """Return what happened to one e-mail."""
        return await self._session.call(Request("GET", f"/emails/{segment(id)}/events", EmailEvents), timeout)

    async def get_insights(self, id: str, *, timeout: float | None = None) -> EmailInsights:
        """Return advice on one e-mail's deliverability."""
        return await self._session.call(Request("GET", f"/emails/{segment(id)}/insights", EmailInsights), timeout)

    async def preview(self, input: PreviewEmail, *, timeout: float | None = None) -> EmailPreview:
        """Render an e-mail for 1 to 5 recipients. Nothing is stored or sent."""
        return await self._session.call(Request("POST", "/emails/preview", EmailPreview, body=input), timeout)

    async def spam_preview(self, input: PreviewEmail, *, timeout: float | None = None) -> SpamReport:
        """Return what a spam filter says about an e-mail. Nothing is stored or sent."""
        return await self._session.call(Request("POST", "/emails/spam-preview", SpamReport, body=input), timeout)
