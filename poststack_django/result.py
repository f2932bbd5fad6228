"""What became of one `send()`, as plain data on the message: it survives `pickle` and `deepcopy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["SendStatus", "status_of"]


@dataclass(frozen=True)
class SendStatus:
    """Set as `message.poststack_status` by the backend, also when the failure is silenced.

        message.send()
        message.poststack_status.id  # 'em_…'

    To repeat a send whose `status` is `"unknown"` without doubling it, set `message.idempotency_key` to the
    `idempotency_key` of this.
    """

    status: Literal["queued", "unknown", "refused"]
    """Accepted; not confirmed, so perhaps accepted; or not accepted."""
    idempotency_key: str
    id: str | None = None
    """The `em_…` id of the e-mail, `None` unless it was accepted."""
    replayed: bool = False
    """Whether the key had been used before, so that nothing was sent again."""
    test_mode: bool = False
    error: str = ""
    code: str | None = None


def status_of(message: EmailMessage) -> SendStatus | None:
    """Return `message.poststack_status` with its type; `None` when another backend, such as a test's, has sent it."""
    status: object = getattr(message, "poststack_status", None)
    return status if isinstance(status, SendStatus) else None
