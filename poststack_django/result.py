"""What became of one `send()`, as plain data on the message: it survives `pickle` and `deepcopy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["SendState", "SendStatus", "set_status", "status_of"]

SendState = Literal["queued", "waiting", "unknown", "refused", "withheld", "canceled", "unsent"]


@dataclass(frozen=True)
class SendStatus:
    """Set as `message.poststack_status` by the backend, also when the failure is silenced.

        message.send()
        message.poststack_status.id  # 'em_…'

    To repeat a send whose `status` is `"unknown"` without doubling it, set `message.idempotency_key` to the
    `idempotency_key` of this.
    """

    status: SendState
    """`queued`: accepted by the API. `waiting`: stored in the outbox. `unknown`: not confirmed, so perhaps accepted.
    `refused`: not accepted; `code` tells a used-up quota, which comes back, from what stays refused. `withheld`: kept
    back by the staging guard. `canceled`: by a receiver of `pre_send`. `unsent`: not tried, since the failure of
    another message, or the end of the process, came first."""
    idempotency_key: str
    id: str | None = None
    """The `em_…` id of the e-mail, `None` unless it was accepted."""
    replayed: bool = False
    """Whether the key had been used before, so that nothing was sent again."""
    test_mode: bool = False
    error: str = ""
    code: str | None = None
    left_out: int = 0
    """How many recipients were kept back by the staging guard or the suppression list; the row names them."""


def status_of(message: EmailMessage) -> SendStatus | None:
    """Return `message.poststack_status` with its type; `None` when another backend, such as a test's, has sent it."""
    status: object = getattr(message, "poststack_status", None)
    return status if isinstance(status, SendStatus) else None


def set_status(message: Any, status: SendStatus) -> None:
    """Say on the message what became of it."""
    message.poststack_status = status
