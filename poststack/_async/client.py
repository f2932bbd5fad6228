"""The client: settings, and one attribute for each group of the API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from poststack._async.emails import AsyncEmails
from poststack._async.session import AsyncSession
from poststack._config import Config, check_transport, split_rate_limit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from poststack._async.api_keys import AsyncApiKeys
    from poststack._async.broadcasts import AsyncBroadcasts
    from poststack._async.contact_properties import AsyncContactProperties
    from poststack._async.contacts import AsyncContacts
    from poststack._async.domains import AsyncDomains
    from poststack._async.email_validations import AsyncEmailValidations
    from poststack._async.inbound_emails import AsyncInboundEmails
    from poststack._async.mailboxes import AsyncMailboxes
    from poststack._async.notification_channels import AsyncNotificationChannels
    from poststack._async.segments import AsyncSegments
    from poststack._async.signup_forms import AsyncSignupForms
    from poststack._async.subscription_topics import AsyncSubscriptionTopics
    from poststack._async.suppressions import AsyncSuppressions
    from poststack._async.templates import AsyncTemplates
    from poststack._async.webhooks import AsyncWebhooks
    from poststack._async.workflows import AsyncWorkflows
    from poststack.response import Response
    from poststack.throttling import AsyncRateLimiter
    from poststack.transports.base import AsyncTransport

__all__ = ["AsyncPostStack"]

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class AsyncPostStack:
    """The PostStack API for asyncio and trio. Make one, share it, close it at the end.

        async with AsyncPostStack() as client:
            sent = await client.emails.send({"from": "…", "to": ["…"], "subject": "…", "html": "…"})

    `api_key` falls back to the environment variable `POSTSTACK_API_KEY`, `base_url` to `POSTSTACK_BASE_URL` and then to
    the service; a missing key raises `ValueError`. `timeout` bounds each step of one attempt, `deadline` the whole
    call with its waits, both in seconds. A failed attempt is repeated up to `max_retries` times where that is safe.
    `transport` replaces the HTTP library: see `poststack.transports`; of the other kind it is a `ValueError`.
    Calls wait for their turn when the API says that they come too fast; `rate_limit` keeps them under so many a second
    from the start, by a number for this client or by a limiter of `poststack.throttling` for several processes.
    """

    __module__ = "poststack"

    emails: AsyncEmails
    """Send e-mails and follow them."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        *,
        deadline: float | None = None,
        transport: AsyncTransport | None = None,
        rate_limit: float | AsyncRateLimiter | None = None,
    ) -> None:
        own_limit, limiter = split_rate_limit(rate_limit, "areserve")
        config = Config.resolve(api_key, base_url, timeout, max_retries, deadline, own_limit)
        if transport is None:
            from poststack.transports.httpcore import AsyncHttpcoreTransport

            transport = AsyncHttpcoreTransport()
        else:
            check_transport(transport, "asend", "aclose")
        self._base_url = config.base_url
        self._session: AsyncSession = AsyncSession(config, transport, limiter)
        self.emails = AsyncEmails(self._session)

    # Most programs send. The other groups are imported when they are first used: all of them take as long as the rest.

    @cached_property
    def api_keys(self) -> AsyncApiKeys:
        """Make, replace and withdraw keys."""
        from poststack._async.api_keys import AsyncApiKeys

        return AsyncApiKeys(self._session)

    @cached_property
    def broadcasts(self) -> AsyncBroadcasts:
        """Write to all contacts of a segment."""
        from poststack._async.broadcasts import AsyncBroadcasts

        return AsyncBroadcasts(self._session)

    @cached_property
    def contact_properties(self) -> AsyncContactProperties:
        """Define which properties contacts have."""
        from poststack._async.contact_properties import AsyncContactProperties

        return AsyncContactProperties(self._session)

    @cached_property
    def contacts(self) -> AsyncContacts:
        """Keep the people that broadcasts and workflows write to."""
        from poststack._async.contacts import AsyncContacts

        return AsyncContacts(self._session)

    @cached_property
    def domains(self) -> AsyncDomains:
        """Set up the domains that e-mails are sent from."""
        from poststack._async.domains import AsyncDomains

        return AsyncDomains(self._session)

    @cached_property
    def email_validations(self) -> AsyncEmailValidations:
        """Look at addresses before writing to them."""
        from poststack._async.email_validations import AsyncEmailValidations

        return AsyncEmailValidations(self._session)

    @cached_property
    def inbound_emails(self) -> AsyncInboundEmails:
        """Read received e-mails, answer and forward them."""
        from poststack._async.inbound_emails import AsyncInboundEmails

        return AsyncInboundEmails(self._session)

    @cached_property
    def mailboxes(self) -> AsyncMailboxes:
        """Manage mailboxes on your domains."""
        from poststack._async.mailboxes import AsyncMailboxes

        return AsyncMailboxes(self._session)

    @cached_property
    def notification_channels(self) -> AsyncNotificationChannels:
        """Have events told in a chat."""
        from poststack._async.notification_channels import AsyncNotificationChannels

        return AsyncNotificationChannels(self._session)

    @cached_property
    def segments(self) -> AsyncSegments:
        """Group contacts for broadcasts."""
        from poststack._async.segments import AsyncSegments

        return AsyncSegments(self._session)

    @cached_property
    def signup_forms(self) -> AsyncSignupForms:
        """Make forms and take what people fill in."""
        from poststack._async.signup_forms import AsyncSignupForms

        return AsyncSignupForms(self._session)

    @cached_property
    def subscription_topics(self) -> AsyncSubscriptionTopics:
        """Let contacts decline some mail and get the rest."""
        from poststack._async.subscription_topics import AsyncSubscriptionTopics

        return AsyncSubscriptionTopics(self._session)

    @cached_property
    def suppressions(self) -> AsyncSuppressions:
        """Read and edit the suppression list."""
        from poststack._async.suppressions import AsyncSuppressions

        return AsyncSuppressions(self._session)

    @cached_property
    def templates(self) -> AsyncTemplates:
        """Keep templates at the API."""
        from poststack._async.templates import AsyncTemplates

        return AsyncTemplates(self._session)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Manage webhook endpoints."""
        from poststack._async.webhooks import AsyncWebhooks

        return AsyncWebhooks(self._session)

    @cached_property
    def workflows(self) -> AsyncWorkflows:
        """Build workflows and send contacts through them."""
        from poststack._async.workflows import AsyncWorkflows

        return AsyncWorkflows(self._session)

    async def with_response(
        self, method: Callable[Parameters, Awaitable[Answer]], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Response[Answer]:
        """Make one call, and return its answer with status, headers, request id, rate limit and number of attempts.

        `method` is one of this client's, and what it takes comes after it; type checkers see that it fits.

            answer = await client.with_response(client.emails.send, {"from": "…", "to": ["…"], "text": "…"}, timeout=5)
            print(answer.data["id"], answer.request_id, answer.rate_limit)

        Raises what the method does; a `PostStackError` has status, headers and request id itself. Raises `TypeError`
        before anything is sent for what is not one call of this client: `send_many`, `wait_until`, whatever iterates.
        """
        from poststack._async.recording import AsyncRecorder

        recorder = AsyncRecorder(self._session)
        data = await recorder.bound(method, self)(*args, **kwargs)
        return recorder.response(data)

    async def aclose(self) -> None:
        """Release connections. Calling it again is harmless, and a later call opens new ones."""
        await self._session.aclose()

    async def __aenter__(self) -> AsyncPostStack:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncPostStack(base_url={self._base_url!r})"
