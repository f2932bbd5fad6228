"""From outcomes to what callers get: responses, and for `emails.send` what the PostStack client answers and raises."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, cast

from poststack._checks import checked_email
from poststack.errors import OutcomeUnknownError, PostStackError
from poststack.mailbridge.dto import EmailMessageDto, EmailResponseDTO
from poststack.mailbridge.errors import InvalidMessageError, UnsupportedFieldError
from poststack.providers.outcome import Failure, FailureKind, Outcome

if TYPE_CHECKING:
    from poststack.types import BatchResult, SendEmail, SentEmail

__all__ = [
    "OUTCOME_UNKNOWN",
    "batch_result",
    "dto_from",
    "error_of_result",
    "refused_response",
    "refused_result",
    "response_from",
    "sent_email",
]

# What the client's errors, and all that judge by them, know these by. A quota's code tells it from throttling.
_STATUSES: Final[Mapping[FailureKind, tuple[int, str | None]]] = {
    "invalid_request": (422, "validation_error"),
    "invalid_recipient": (422, "invalid_recipient"),
    "suppressed": (422, "suppressed"),
    "auth": (401, "unauthorized"),
    "sender_not_verified": (403, "sender_not_verified"),
    "payload_too_large": (413, "payload_too_large"),
    "quota": (429, "quota_exceeded"),
    "rate_limited": (429, None),
    "unavailable": (503, "unavailable"),
    "ambiguous": (0, None),
}
OUTCOME_UNKNOWN: Final = "outcome_unknown"
"""The code of an `OutcomeUnknownError`."""
_STATUS_OF_CODE: Final[Mapping[str | None, int]] = {
    code or kind: status
    for kind, (status, code) in _STATUSES.items()
    if kind in {"auth", "sender_not_verified", "payload_too_large", "rate_limited", "unavailable", "ambiguous"}
}
_ONLY_POSTSTACK: Final = frozenset({"unsubscribe", "signature"})
_KNOWN: Final = frozenset(
    {
        "from", "to", "cc", "bcc", "reply_to", "subject", "html", "text", "headers", "tags", "attachments",
        "idempotency_key", "idempotency_window_hours", "scheduled_at", "template_id", "variables", "tracking",
    }
)  # fmt: skip


def response_from(outcome: Outcome, provider: str) -> EmailResponseDTO:
    """Return what became of an e-mail, for the caller."""
    failure = outcome.failure
    return EmailResponseDTO(
        outcome.accepted,
        outcome.message_id,
        provider,
        None if failure is None else failure.message,
        dict(outcome.details),
        failure,
        {address: why.message for address, why in outcome.refused.items()},
        outcome.replayed,
        outcome.request_id,
        None if failure is None else failure.cause,
    )


def refused_response(error: InvalidMessageError, provider: str) -> EmailResponseDTO:
    """Return the response for an e-mail that never left, because something is wrong with it."""
    failure = Failure("invalid_request", str(error), cause=error)
    return EmailResponseDTO(False, None, provider, str(error), failure=failure, original_error=error)


def dto_from(payload: SendEmail, providers: tuple[str, ...]) -> EmailMessageDto:
    """Return the e-mail of a payload of the PostStack client. Raises `ValueError` for what is wrong with it."""
    fields = cast("dict[str, Any]", checked_email(payload))
    extras = {name: value for name, value in fields.items() if name not in _KNOWN and value is not None}
    others = [name for name in providers if name != "poststack"]
    for name in extras:
        if others:
            what = "only PostStack knows it" if name in _ONLY_POSTSTACK else "it is not known here"
            text = f"`{name}`: {what}, so it cannot be sent through {others[0]}. Nothing was sent."
            raise UnsupportedFieldError(text, name, others[0])
    tracking: dict[str, Any] = fields.get("tracking") or {}
    return EmailMessageDto(
        to=fields["to"],
        subject=fields.get("subject"),
        body=fields.get("html"),
        from_email=fields["from"],
        cc=fields.get("cc"),
        bcc=fields.get("bcc"),
        reply_to=fields.get("reply_to"),
        attachments=fields.get("attachments"),
        headers=fields.get("headers"),
        template_id=fields.get("template_id"),
        template_data=fields.get("variables"),
        tags=fields.get("tags"),
        text=fields.get("text"),
        scheduled_at=_moment(fields.get("scheduled_at")),
        idempotency_key=fields.get("idempotency_key"),
        track_opens=tracking.get("opens"),
        track_clicks=tracking.get("clicks"),
        options={"poststack": extras} if extras else None,
    )


def sent_email(response: EmailResponseDTO, message: EmailMessageDto, *, repeatable: bool) -> SentEmail:
    """Return the client's answer, or raise the client's error. `repeatable` as in `error_from`.

    Whoever judges by the client's answers takes one without an id for none, so an e-mail that was given none gets one.
    """
    if not response.success:
        raise error_from(response, repeatable=repeatable) from response.original_error
    provider = response.provider or "unknown"
    answer: SentEmail = {
        "id": response.message_id or f"{provider}-{message.idempotency_key or uuid.uuid4().hex}",
        "provider": provider,
    }
    if response.replayed:
        answer["replayed"] = True
    return answer


def batch_result(response: EmailResponseDTO, message: EmailMessageDto, *, repeatable: bool) -> BatchResult:
    """Return the client's answer for one e-mail of a batch. `error_of_result` makes an error of it again."""
    if response.success:
        return cast("BatchResult", sent_email(response, message, repeatable=repeatable))
    error = error_from(response, repeatable=repeatable)
    if isinstance(error, PostStackError):
        return {"error": error.error, "code": error.code or response.kind or "failed"}
    return refused_result(error)


def refused_result(error: Exception) -> BatchResult:
    """Return the client's answer for one e-mail of a batch that never left, because something is wrong with it."""
    return {"error": str(error), "code": "validation_error"}


def error_of_result(text: str, code: str | None) -> PostStackError | None:
    """Return the error that an e-mail of a batch failed with, `None` for a code that is the API's own."""
    if code == OUTCOME_UNKNOWN:
        return OutcomeUnknownError(0, text, code)
    if code not in _STATUS_OF_CODE:
        return None
    # Throttling without a hint, and with a code, would be taken for a used-up quota.
    throttled = 0.0 if code == "rate_limited" else None
    in_doubt = code == "ambiguous"
    return PostStackError(_STATUS_OF_CODE[code], text, code, retry_after=throttled, may_have_taken_effect=in_doubt)


def error_from(response: EmailResponseDTO, *, repeatable: bool) -> Exception:
    """Return the error by which the PostStack client, and all that judge by its errors, would tell of a failure.

    `repeatable` says whether the e-mail carries a key that keeps a repetition from doubling it.
    """
    if isinstance(response.original_error, InvalidMessageError):
        return response.original_error
    failure = response.failure or Failure("ambiguous", response.error or "It is unknown whether the e-mail was sent.")
    status, code = _STATUSES[failure.kind]
    text = f"{response.provider}: {failure.message}"
    if failure.kind != "ambiguous":
        retry_after = failure.retry_after
        return PostStackError(status, text, code, failure.request_id, None, retry_after, may_have_taken_effect=False)
    if not repeatable:
        return OutcomeUnknownError(status, text, OUTCOME_UNKNOWN, failure.request_id, may_have_taken_effect=True)
    return PostStackError(status, text, code, failure.request_id, may_have_taken_effect=True)


def _moment(text: object) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        raise InvalidMessageError("`scheduled_at` is no date in ISO 8601, such as '2026-12-01T09:30:00Z'.") from None
    # The API reads a time without a zone as UTC (poststack-api §3.1).
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
