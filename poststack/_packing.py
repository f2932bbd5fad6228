"""Many e-mails into the bodies of batch calls, and the answers apart again. No I/O.

Every e-mail is encoded once, by itself: its size is known exactly, and one that cannot be encoded costs no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from poststack._checks import LARGEST_BATCH, checked_email
from poststack._wire import json_bytes
from poststack.bulk import BulkResult
from poststack.errors import QUOTA_CODES, PostStackError, PostStackResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.types import BatchAnswer, SendEmail

__all__ = ["LARGEST_CALL", "Packer", "Parcel", "Piece", "body_of", "unpack", "without_frames"]

LARGEST_CALL: Final = 8_000_000
"""Bytes of the body of one call with several e-mails; a larger one goes alone. The API names no limit for a batch."""
UNTRIED: Final = "Not sent, because the API refused those before it: "
"""What the text of an error begins with that another e-mail has met."""
RETRY_AFTER: Final = 1.0
"""Seconds, for an element that is refused because calls come too fast."""
_AROUND: Final = len(b'{"emails":[]}')
_STATUSES: Final = {
    **dict.fromkeys(QUOTA_CODES, 429),
    "invalid_request": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "conflict": 409,
    "rate_limit_exceeded": 429, "internal_error": 500, "service_unavailable": 503,
}  # fmt: skip
"""Elements of a batch have codes, and no status; those that have neither are refused for what they say (422)."""


class Piece:
    """One e-mail on its way, and what is known of it."""

    __slots__ = ("encoded", "error", "id", "in_doubt", "index", "key", "replayed")

    def __init__(self, index: int, key: str, encoded: bytes = b"", error: ValueError | None = None) -> None:
        self.index = index
        self.key = key
        self.encoded = encoded
        self.id: str | None = None
        self.error: PostStackError | ValueError | None = error
        self.replayed = False
        self.in_doubt = False
        """Whether some attempt may have been accepted."""

    def failed(self, error: PostStackError) -> None:
        """Note a failure. A refusal says nothing of the attempts before it."""
        self.in_doubt = self.in_doubt or error.may_have_taken_effect
        self.error = error

    def may_be_repeated(self, seconds_left: float) -> bool:
        """Whether trying again can help while there is time left."""
        error = self.error
        if not isinstance(error, PostStackError) or not error.transient or error.quota_exceeded:
            return False
        return error.retry_after is None or error.retry_after < seconds_left

    def result(self) -> BulkResult:
        """Return what became of it."""
        error = self.error
        if self.in_doubt and isinstance(error, PostStackError) and not error.may_have_taken_effect:
            # A copy: others may share it, of whom it is the whole truth.
            error = _doubtful(error)
        return BulkResult(self.index, self.id, error, self.replayed, self.key)


class Parcel:
    """E-mails that follow each other in the input, for one call. Those that are wrong are in it, and not sent."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    @property
    def size(self) -> int:
        """Return how many bytes it holds."""
        return sum([len(piece.encoded) for piece in self.pieces])

    def let_go(self) -> None:
        """Forget what was sent; what became of it is known, and waits for those before it."""
        for piece in self.pieces:
            piece.encoded = b""

    @property
    def unsent(self) -> list[Piece]:
        """Return what is to be sent."""
        return [piece for piece in self.pieces if piece.error is None]

    def results(self) -> list[BulkResult]:
        """Return what became of each."""
        return [piece.result() for piece in self.pieces]


class Packer:
    """Fills parcels up to what one call takes."""

    def __init__(self, key_prefix: str) -> None:
        self._key_prefix = key_prefix
        self._index = 0
        self._pieces: list[Piece] = []
        self._size = _AROUND
        self._over: Piece | None = None
        """The first e-mail that did not fit any more."""

    def add(self, email: SendEmail) -> bool:
        """Add an e-mail, and return whether the parcel is full."""
        piece = self._piece(email)
        if self._pieces and self._size + len(piece.encoded) > LARGEST_CALL:
            self._over = piece
            return True
        self._put(piece)
        return len(self._pieces) >= LARGEST_BATCH

    def take(self) -> Parcel | None:
        """Return the parcel, full or not, `None` when there is nothing in it; and begin a new one."""
        parcel = Parcel(self._pieces) if self._pieces else None
        self._pieces, self._size = [], _AROUND
        if self._over is not None:
            self._put(self._over)
            self._over = None
        return parcel

    def _put(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._size += len(piece.encoded) + 1

    def _piece(self, email: SendEmail) -> Piece:
        index = self._index
        self._index = index + 1
        try:
            fields = cast("Mapping[str, Any]", checked_email(email))
            key: Any = fields.get("idempotency_key")
            if key is None:
                key = f"{self._key_prefix}-{index}"
                fields = {**fields, "idempotency_key": key}
            elif not _may_be_key(key):
                raise ValueError("`idempotency_key` is a text that is not blank. Leave it out to have one given.")
            elif not isinstance(fields, dict):
                fields = {**fields}
            return Piece(index, key, json_bytes(fields, "an e-mail"))
        except ValueError as error:
            return Piece(index, _key_in(email) or f"{self._key_prefix}-{index}", error=without_frames(error))


def _key_in(email: object) -> str | None:
    key = cast("Mapping[str, object]", email).get("idempotency_key") if isinstance(email, Mapping) else None
    return key if isinstance(key, str) and _may_be_key(key) else None


def _may_be_key(key: object) -> bool:
    if not isinstance(key, str) or not key.strip():
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False  # Half of a surrogate pair.
    return True


def body_of(pieces: Sequence[Piece]) -> bytes:
    """Return the body of a call."""
    return b'{"emails":[' + b",".join([piece.encoded for piece in pieces]) + b"]}"


def unpack(pieces: Sequence[Piece], answer: BatchAnswer, *, in_doubt: bool) -> None:
    """Note what an answer says of each e-mail of a call. Raises `PostStackResponseError` when it does not say so.

    `in_doubt` tells whether an attempt before it may have been accepted.
    """
    items = cast("object", answer["data"])
    if not isinstance(items, list) or len(cast("list[object]", items)) != len(pieces):
        raise PostStackResponseError(
            200, "The API did not answer for each e-mail of a batch. Repeat them only with the same idempotency keys."
        )
    for piece, item in zip(pieces, cast("list[object]", items), strict=True):
        fields = cast("dict[str, object]", item) if isinstance(item, dict) else {}
        email_id = fields.get("id")
        if isinstance(email_id, str) and email_id:
            piece.id, piece.error, piece.replayed = email_id, None, fields.get("replayed") is True
        else:
            piece.in_doubt = piece.in_doubt or in_doubt
            piece.failed(_refusal(fields.get("error"), fields.get("code")))


def _refusal(text: object, code: object) -> PostStackError:
    text, code = text if isinstance(text, str) else "", code if isinstance(code, str) else None
    if not text and not code:
        return PostStackResponseError(
            200, "The API answered with neither an id nor an error. Repeat the e-mail only with the same key."
        )
    status = _STATUSES.get(code or "", 422)
    # An element has no header that would tell throttling from a used-up quota, and so it is taken at its word.
    retry_after = RETRY_AFTER if status == 429 and code not in QUOTA_CODES else None
    return PostStackError(status, text or str(code), code, retry_after=retry_after)


Failure = TypeVar("Failure", bound=BaseException)


def without_frames(error: Failure) -> Failure:
    """Return an error whose traceback holds on to no e-mail, however long the caller keeps it."""
    chain: list[BaseException] = [error]
    for link in chain:
        link.__traceback__ = None
        if link.__suppress_context__:
            link.__context__ = None
        chain += [other for other in (link.__cause__, link.__context__) if other is not None and other not in chain]
    return error


def _doubtful(error: PostStackError) -> PostStackError:
    return type(error)(
        error.status_code,
        error.error,
        error.code,
        error.request_id,
        error.headers,
        error.retry_after,
        may_have_taken_effect=True,
    )
