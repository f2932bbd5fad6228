"""What became of one e-mail at a provider, in the same terms for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOT_TAKEN_BY_THE_ACCOUNT", "Failure", "FailureKind", "Outcome"]

FailureKind: TypeAlias = Literal[
    "invalid_request",
    "invalid_recipient",
    "suppressed",
    "auth",
    "sender_not_verified",
    "payload_too_large",
    "quota",
    "rate_limited",
    "unavailable",
    "ambiguous",
]
"""Why an e-mail was not accepted:

    invalid_request       something about the e-mail is wrong; it would be refused again
    invalid_recipient     an address was refused
    suppressed            an address is on the provider's suppression list
    auth                  key, signature, permission or IP address not allowed
    sender_not_verified   the sender's address or domain is not allowed to send
    payload_too_large     over a limit of size
    quota                 used up, or the account is paused: nothing helps soon
    rate_limited          too fast; later it works
    unavailable           certainly not taken, because nobody was there or said so; later it works
    ambiguous             no answer, or one that does not tell: it may have been sent
"""

NOT_TAKEN_BY_THE_ACCOUNT: Final[frozenset[FailureKind]] = frozenset(
    {"auth", "sender_not_verified", "quota", "rate_limited", "unavailable"}
)
"""The e-mail was certainly not taken, for reasons that lie with the account or the provider, not with the e-mail."""


@dataclass(slots=True)
class Failure:
    """Why an e-mail was not accepted, or may not have been."""

    kind: FailureKind
    message: str
    """The provider's own text, or ours."""
    status: int | None = None
    """The HTTP status, or the SMTP reply code."""
    code: str | None = None
    """The provider's own code."""
    retry_after: float | None = None
    """Seconds, when the provider said so."""
    request_id: str | None = None
    body: bytes = field(default=b"", repr=False)
    """The raw answer."""
    cause: BaseException | None = field(default=None, repr=False)

    @property
    def may_have_been_sent(self) -> bool:
        """Whether sending it again could double it."""
        return self.kind == "ambiguous"

    @property
    def transient(self) -> bool:
        """Whether the same e-mail, sent again later, may be accepted, and cannot be doubled by that."""
        return self.kind in {"rate_limited", "unavailable"}


@dataclass(slots=True)
class Outcome:
    """What became of one e-mail. Accepted when there is no `failure`, although not always for every recipient."""

    message_id: str | None = None
    """The id by which the provider's events name it, without angle brackets."""
    failure: Failure | None = None
    refused: Mapping[str, Failure] = field(default_factory=dict[str, Failure], repr=False)
    """Recipients, by address, who get nothing although the others do."""
    replayed: bool = False
    """The idempotency key had been accepted before, so nothing was sent again."""
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What else the provider said, such as `status_code`."""

    @property
    def accepted(self) -> bool:
        """Whether the provider has taken it."""
        return self.failure is None
