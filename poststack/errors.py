"""Everything a call can raise.

    Exception
    ├── PostStackError                    a call failed; APIError is another name for it
    │   ├── PostStackConnectionError      no answer at all: status_code is 0, the cause is kept
    │   │   └── PostStackTimeoutError     no answer in time, or the deadline of the call has passed
    │   ├── PostStackResponseError        an answer, but not one that the API promises
    │   ├── HeldBackError                 a limit of calls a second would hold it back beyond its deadline; not called
    │   └── OutcomeUnknownError           another provider's: it may have been sent, and repeating it could double it
    ├── EmailWaitError                    emails.wait_until: no call failed, but the e-mail has no status it waits for
    │   ├── EmailStatusError              and never will: it has one after which none of them comes
    │   └── EmailWaitTimeoutError         nor had it before the deadline; a TimeoutError, too
    └── ValueError                        wrong arguments, raised before anything is sent
        └── WebhookSignatureError         a webhook call whose signature does not match; never trust its body

An e-mail may have been accepted although the call failed with a `PostStackConnectionError` or a
`PostStackResponseError`: `may_have_taken_effect` says so. Send it again with the same `idempotency_key` and it is not
doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "APIError",
    "EmailStatusError",
    "EmailWaitError",
    "EmailWaitTimeoutError",
    "HeldBackError",
    "OutcomeUnknownError",
    "PostStackConnectionError",
    "PostStackError",
    "PostStackResponseError",
    "PostStackTimeoutError",
    "WebhookSignatureError",
]


# Sent by the API, or known to other clients of it (poststack-api §7).
QUOTA_CODES = frozenset(
    {
        "quota_exceeded",
        "monthly_limit_exceeded",
        "daily_limit_exceeded",
        "daily_cap_exceeded",
        "send_limit_exceeded",
    }
)

EARLIER_ATTEMPT: Final = (
    "An earlier attempt had no clear answer and may have taken effect; look there before you make the call again."
)
"""What is said of a refusal that may be of what an attempt before it has done, such as 'already exists'."""


class PostStackError(Exception):
    """A call failed. `error` is the API's own text, `code` its stable code, `request_id` what support asks for.

    `str()` is that text, too; after a refusal that follows an attempt in doubt it also says so.
    """

    def __init__(
        self,
        status_code: int,
        error: str,
        code: str | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        may_have_taken_effect: bool | None = None,
    ) -> None:
        # All of them are `args`, in order: result backends of queues rebuild an exception from its type and its args.
        super().__init__(status_code, error, code, request_id, dict(headers or {}), retry_after, may_have_taken_effect)
        self.status_code: int = status_code
        self.error: str = error
        self.code: str | None = code
        self.request_id: str | None = request_id
        self.headers: dict[str, str] = dict(headers or {})
        self.retry_after: float | None = retry_after
        self.may_have_taken_effect: bool = (
            self._leaves_doubt() if may_have_taken_effect is None else may_have_taken_effect
        )
        """Whether the API may have done what it was asked, in the last attempt of the call or in an earlier one.

        True after no answer, a broken one, or a 5xx. Without a connection nothing was sent. A 503 that is the API's own
        is a refusal, and so is every 4xx. All that holds unless an attempt before it was left in doubt. Then repeat an
        e-mail only with the same `idempotency_key`.
        """

    # What was set since counts too, such as doubt about an earlier attempt.
    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.status_code, self.error, self.code, self.request_id, self.headers, self.retry_after)
        return type(self), (*arguments, self.may_have_taken_effect)

    def __str__(self) -> str:
        if not self.may_have_taken_effect or self._leaves_doubt():
            return self.error
        end = "" if self.error.endswith((".", "!", "?")) else "."
        return f"{self.error}{end} {EARLIER_ATTEMPT}"

    def __repr__(self) -> str:
        parts = [f"status_code={self.status_code}", f"error={self.error!r}"]
        parts += [f"{name}={value!r}" for name in ("code", "request_id") if (value := getattr(self, name))]
        return f"{type(self).__name__}({', '.join(parts)})"

    @property
    def transient(self) -> bool:
        """Whether sending the same call again later can succeed.

        True for no answer, 408, 425, 429 (a used-up quota too: it comes back), 5xx, and for a broken answer. All
        other refusals stay refusals. A 409 is transient only while an earlier call with the same key is in progress.
        """
        if self.status_code == 409:
            return self.code is not None and "progress" in self.code
        return self.status_code in {0, 408, 425, 429} or self.status_code >= 500

    @property
    def quota_exceeded(self) -> bool:
        """Whether a sending quota is used up, so that only days or a bigger plan help.

        Throttling comes with a `Retry-After`. Older servers sent its code for quotas too, then without that header.
        """
        if self.status_code != 429:
            return False
        return self.code in QUOTA_CODES or (self.code is not None and self.retry_after is None)

    def _leaves_doubt(self) -> bool:
        if self.status_code == 503:
            # What stands in between says this, too, also of a request that it has passed on; but not in these terms.
            return not self.code and not self.request_id and self.retry_after is None
        return self.status_code == 0 or self.status_code >= 500


class PostStackConnectionError(PostStackError):
    """No answer came; `__cause__` is the transport's exception.

    Whether the API took the request is unknown, unless no attempt had a connection: `may_have_taken_effect` tells.
    """


class PostStackTimeoutError(PostStackConnectionError):
    """No answer, or no connection, came in time."""


class PostStackResponseError(PostStackError):
    """An answer came that the API does not promise, such as a success without valid JSON."""

    @property
    def transient(self) -> bool:
        """True: something between you and the API garbled the answer, and asking again can help."""
        return True

    def _leaves_doubt(self) -> bool:
        return True


class HeldBackError(PostStackError):
    """A limit of calls a second would hold the call back beyond its deadline, so this attempt was not made.

    `status_code` is 429, and `retry_after` says in how many seconds there is room.
    """


class OutcomeUnknownError(PostStackError):
    """A provider other than PostStack did not answer, and knows no idempotency keys: the e-mail may have been sent.

    Raised by `emails.send` of a `MailBridge`. Look into the provider's log before sending it again.
    """

    @property
    def transient(self) -> bool:
        """False: sending it again could double it."""
        return False

    def _leaves_doubt(self) -> bool:
        return True


class EmailWaitError(Exception):
    """`emails.wait_until` ended without a status that it waits for.

    No `PostStackError`: every call succeeded, so there is nothing about one to read here, and nothing to repeat.
    `email_id` is the e-mail's, `status` the last one that was seen of it, `None` when no answer came in time.
    """

    def __init__(self, text: str, email_id: str, status: str | None) -> None:
        # All of them are `args`, as those of `PostStackError` are.
        super().__init__(text, email_id, status)
        self.email_id: str = email_id
        self.status: str | None = status

    def __str__(self) -> str:
        return str(self.args[0])


class EmailStatusError(EmailWaitError):
    """The e-mail has a status after which none of those waited for comes. Waiting longer does not help."""


class EmailWaitTimeoutError(EmailWaitError, TimeoutError):
    """The e-mail had none of the statuses before the deadline. Nothing is wrong with it: wait again, or ask later."""


class WebhookSignatureError(ValueError):
    """The signature of a webhook call does not match any of the secrets."""


APIError = PostStackError
