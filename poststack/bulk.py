"""What `emails.send_many` tells of each e-mail, and of all so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from poststack.errors import PostStackError

__all__ = ["BulkProgress", "BulkResult"]


class BulkResult:
    """What became of one e-mail. It has been accepted when it has an `id`, and not when it has an `error`."""

    # Neither a named tuple, which has a method `index`, nor a dataclass, whose import costs as much as the client's.
    __slots__ = ("error", "id", "idempotency_key", "index", "replayed")

    def __init__(
        self,
        index: int,
        id: str | None,
        error: PostStackError | ValueError | None,
        replayed: bool,
        idempotency_key: str,
    ) -> None:
        self.index: int = index
        """Its place in the input, counted from 0."""
        self.id: str | None = id
        self.error: PostStackError | ValueError | None = error
        """A `ValueError` when the e-mail cannot be sent as it is, a `PostStackError` when the API did not take it.

        With `error.may_have_taken_effect` it may have been accepted all the same: repeat it under the same key only.
        """
        self.replayed: bool = replayed
        """Whether the API had accepted it before under the same key; it was not sent again."""
        self.idempotency_key: str = idempotency_key
        """Under which it was sent. Put it into the e-mail to repeat it, and it is never doubled."""

    @property
    def sent(self) -> bool:
        """Whether the API has accepted it, now or before."""
        return self.error is None

    def __repr__(self) -> str:
        parts = [f"index={self.index}", f"id={self.id!r}" if self.error is None else f"error={self.error!r}"]
        parts += ["replayed=True"] if self.replayed else []
        return f"BulkResult({', '.join(parts)}, idempotency_key={self.idempotency_key!r})"


class BulkProgress(NamedTuple):
    """How many e-mails have come to an end so far."""

    sent: int = 0
    """Accepted, the replayed ones among them."""
    failed: int = 0
    replayed: int = 0

    @property
    def done(self) -> int:
        """Both together."""
        return self.sent + self.failed
