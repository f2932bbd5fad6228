# Written by tools/unasync.py from poststack/_async/client.py. Do not edit.
"""The client: settings, and one attribute for each group of the API."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from poststack._config import Config, check_transport, split_rate_limit
from poststack._sync.emails import Emails
from poststack._sync.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from poststack._sync.api_keys import ApiKeys
    from poststack._sync.broadcasts import Broadcasts
    from poststack._sync.contact_properties import ContactProperties
    from poststack._sync.contacts import Contacts
    from poststack._sync.domains import Domains
    from poststack._sync.email_validations import EmailValidations
    from poststack._sync.inbound_emails import InboundEmails
    from poststack._sync.mailboxes import Mailboxes
    from poststack._sync.notification_channels import NotificationChannels
    from poststack._sync.segments import Segments
    from poststack._sync.signup_forms import SignupForms
    from poststack._sync.subscription_topics import SubscriptionTopics
    from poststack._sync.suppressions import Suppressions
    from poststack._sync.templates import Templates
    from poststack._sync.webhooks import Webhooks
    from poststack._sync.workflows import Workflows
    from poststack.response import Response
    from poststack.throttling import RateLimiter
    from poststack.transports.base import Transport

__all__ = ["PostStack"]

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class PostStack:
    """The PostStack API for threads and plain scripts. Make one, share it, close it at the end.

        with PostStack() as client:
            sent = client.emails.send({"from": "…", "to": ["…"], "subject": "…", "html": "…"})

    `api_key` falls back to the environment variable `POSTSTACK_API_KEY`, `base_url` to `POSTSTACK_BASE_URL` and then to
    the service; a missing key raises `ValueError`. `timeout` bounds each step of one attempt, `deadline` the whole
    call with its waits, both in seconds. A failed attempt is repeated up to `max_retries` times where that is safe.
    `transport` replaces the HTTP library: see `poststack.transports`; of the other kind it is a `ValueError`.
    Calls wait for their turn when the API says that they come too fast; `rate_limit` keeps them under so many a second
    from the start, by a number for this client or by a limiter of `poststack.throttling` for several processes.
    """

    __module__ = "poststack"

    emails: Emails
    """Send e-mails and follow them."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        *,
        deadline: float | None = None,
        transport: Transport | None = None,
        rate_limit: float | RateLimiter | None = None,
    ) -> None:
        own_limit, limiter = split_rate_limit(rate_limit, "reserve")
        config = Config.resolve(api_key, base_url, timeout, max_retries, deadline, own_limit)
        if transport is None:
            from poststack.transports.httpcore import HttpcoreTransport

            transport = HttpcoreTransport()
        else:
            check_transport(transport, "send", "close")
        self._base_url = config.base_url
        self._session: Session = Session(config, transport, limiter)
        self.emails = Emails(self._session)

    # Most programs send. The other groups are imported when they are first used: all of them take as long as the rest.

    @cached_property
    def api_keys(self) -> ApiKeys:
        """Make, replace and withdraw keys."""
        from poststack._sync.api_keys import ApiKeys

        return ApiKeys(self._session)

    @cached_property
    def broadcasts(self) -> Broadcasts:
        """Write to all contacts of a segment."""
        from poststack._sync.broadcasts import Broadcasts

        return Broadcasts(self._session)

    @cached_property
    def contact_properties(self) -> ContactProperties:
        """Define which properties contacts have."""
        from poststack._sync.contact_properties import ContactProperties

        return ContactProperties(self._session)

    @cached_property
    def contacts(self) -> Contacts:
        """Keep the people that broadcasts and workflows write to."""
        from poststack._sync.contacts import Contacts

        return Contacts(self._session)

    @cached_property
    def domains(self) -> Domains:
        """Set up the domains that e-mails are sent from."""
        from poststack._sync.domains import Domains

        return Domains(self._session)

    @cached_property
    def email_validations(self) -> EmailValidations:
        """Look at addresses before writing to them."""
        from poststack._sync.email_validations import EmailValidations

        return EmailValidations(self._session)

    @cached_property
    def inbound_emails(self) -> InboundEmails:
        """Read received e-mails, answer and forward them."""
        from poststack._sync.inbound_emails import InboundEmails

        return InboundEmails(self._session)

    @cached_property
    def mailboxes(self) -> Mailboxes:
        """Manage mailboxes on your domains."""
        from poststack._sync.mailboxes import Mailboxes

        return Mailboxes(self._session)

    @cached_property
    def notification_channels(self) -> NotificationChannels:
        """Have events told in a chat."""
        from poststack._sync.notification_channels import NotificationChannels

        return NotificationChannels(self._session)

    @cached_property
    def segments(self) -> Segments:
        """Group contacts for broadcasts."""
        from poststack._sync.segments import Segments

        return Segments(self._session)

    @cached_property
    def signup_forms(self) -> SignupForms:
        """Make forms and take what people fill in."""
        from poststack._sync.signup_forms import SignupForms

        return SignupForms(self._session)

    @cached_property
    def subscription_topics(self) -> SubscriptionTopics:
        """Let contacts decline some mail and get the rest."""
        from poststack._sync.subscription_topics import SubscriptionTopics

        return SubscriptionTopics(self._session)

    @cached_property
    def suppressions(self) -> Suppressions:
        """Read and edit the suppression list."""
        from poststack._sync.suppressions import Suppressions

        return Suppressions(self._session)

    @cached_property
    def templates(self) -> Templates:
        """Keep templates at the API."""
        from poststack._sync.templates import Templates

        return Templates(self._session)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Manage webhook endpoints."""
        from poststack._sync.webhooks import Webhooks

        return Webhooks(self._session)

    @cached_property
    def workflows(self) -> Workflows:
        """Build workflows and send contacts through them."""
        from poststack._sync.workflows import Workflows

        return Workflows(self._session)

    def with_response(
        self, method: Callable[Parameters, Answer], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Response[Answer]:
        """Make one call, and return its answer with status, headers, request id, rate limit and number of attempts.

        `method` is one of this client's, and what it takes comes after it; type checkers see that it fits.

            answer = client.with_response(client.emails.send, {"from": "…", "to": ["…"], "text": "…"}, timeout=5)
            print(answer.data["id"], answer.request_id, answer.rate_limit)

        Raises what the method does; a `PostStackError` has status, headers and request id itself. Raises `TypeError`
        before anything is sent for what is not one call of this client: `send_many`, `wait_until`, whatever iterates.
        """
        from poststack._sync.recording import Recorder

        recorder = Recorder(self._session)
        data = recorder.bound(method, self)(*args, **kwargs)
        return recorder.response(data)

    def close(self) -> None:
        """Release connections. Calling it again is harmless, and a later call opens new ones."""
        self._session.close()

    def __enter__(self) -> PostStack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PostStack(base_url={self._base_url!r})"
