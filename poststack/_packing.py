"""Many e-mails into the bodies of batch calls, and the answers apart again. No I/O.

Every e-mail is encoded once, by itself: its size is known exactly, and one that cannot be encoded costs no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from poststack._checks import LARGEST_BATCH, checked_email
from poststack._wire import json_bytes
from poststack.bulk import BulkResult
from poststack.errors import QUOTA_CODES, PostStackError, PostStackResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poststack.types import BatchAnswer, SendEmail

__all__ = ["LARGEST_CALL", "Packer", "Parcel", "Piece", "body_of", "unpack"]

LARGEST_CALL: Final = 8_000_000
"""Bytes of the body of one call with several e-mails; a larger one goes alone. The API names no limit for a batch."""
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

    @property
    def may_be_repeated(self) -> bool:
        """Whether trying again in a while can help."""
        error = self.error
        return isinstance(error, PostStackError) and error.transient and not error.quota_exceeded

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
        self._index += 1
        key = f"{self._key_prefix}-{index}"
        try:
            fields = cast("dict[str, Any]", checked_email(email))
            own_key = fields.get("idempotency_key")
            if own_key is None:
                fields = {**fields, "idempotency_key": key}
            elif isinstance(own_key, str) and own_key.strip():
                key = own_key
            else:
                raise ValueError("`idempotency_key` is a text that is not blank. Leave it out to have one given.")
            return Piece(index, key, json_bytes(fields, "an e-mail"))
        except ValueError as error:
            return Piece(index, key, error=error)


def body_of(pieces: Sequence[Piece]) -> bytes:
    """Return the body of a call."""
    return b'{"emails":[' + b",".join([piece.encoded for piece in pieces]) + b"]}"


def unpack(pieces: Sequence[Piece], answer: BatchAnswer) -> None:
    """Note what an answer says of each e-mail of a call. Raises `PostStackResponseError` when it does not say so."""
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
            piece.failed(_refusal(fields.get("error"), fields.get("code")))


def _refusal(text: object, code: object) -> PostStackError:
    text, code = text if isinstance(text, str) else "", code if isinstance(code, str) else None
    if not text and not code:
        return PostStackResponseError(
            200, "The API answered with neither an id nor an error. Repeat the e-mail only with the same key."
        )
    return PostStackError(_STATUSES.get(code or "", 422), text or str(code), code)


def _doubtful(error: PostStackError) -> PostStackError:
    return type(error)(
        error.status_code,
        f"{error.error} (An earlier attempt was not answered, so the e-mail may have been accepted.)",
        error.code,
        error.request_id,
        error.headers,
        error.retry_after,
        may_have_taken_effect=True,
    )
