"""What Amazon SES answers, in the terms of all providers. A success of SendBulkEmail says something of each e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from poststack.providers._aws import error_code
from poststack.providers._http import failure_from, json_object, text_of
from poststack.providers.outcome import Outcome

if TYPE_CHECKING:
    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = ["refused", "taken", "taken_each"]

_KINDS: Final[dict[str, FailureKind]] = {
    "AccessDeniedException": "auth",
    "AccountSuspendedException": "quota",
    "BadRequestException": "invalid_request",
    "ExpiredToken": "auth",
    "ExpiredTokenException": "auth",
    "IncompleteSignature": "auth",
    "InternalFailure": "ambiguous",
    "InvalidClientTokenId": "auth",
    "InvalidSignatureException": "auth",
    "LimitExceededException": "quota",
    "MailFromDomainNotVerifiedException": "sender_not_verified",
    "MessageRejected": "invalid_request",
    "MissingAuthenticationToken": "auth",
    "NotAuthorized": "auth",
    "NotFoundException": "invalid_request",
    "RequestEntityTooLargeException": "payload_too_large",
    "RequestExpired": "auth",
    "RequestTimeoutException": "unavailable",
    "SendingPausedException": "quota",
    "SerializationException": "invalid_request",
    "ServiceUnavailable": "unavailable",
    "SignatureDoesNotMatch": "auth",
    "Throttling": "rate_limited",
    "ThrottlingException": "rate_limited",
    "TooManyRequestsException": "rate_limited",
    "UnrecognizedClientException": "auth",
    "ValidationError": "invalid_request",
}
# The documentation and the description of the API differ in how they spell some of these.
_ENTRY_KINDS: Final[dict[str, FailureKind]] = {
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": "quota",
    "ACCOUNT_SENDING_PAUSED": "quota",
    "ACCOUNT_SUSPENDED": "quota",
    "ACCOUNT_THROTTLED": "rate_limited",
    "CONFIGURATION_SET_DOES_NOT_EXIST": "invalid_request",
    "CONFIGURATION_SET_NOT_FOUND": "invalid_request",
    "CONFIGURATION_SET_SENDING_PAUSED": "quota",
    "FAILED": "invalid_request",
    "INVALID_PARAMETER": "invalid_request",
    "INVALID_PARAMETER_VALUE": "invalid_request",
    "INVALID_SENDING_POOL_NAME": "invalid_request",
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "sender_not_verified",
    "MESSAGE_REJECTED": "invalid_request",
    "TEMPLATE_DOES_NOT_EXIST": "invalid_request",
    "TEMPLATE_NOT_FOUND": "invalid_request",
    "TRANSIENT_FAILURE": "unavailable",
}


def refused(answer: HttpResponse, now: float, title: str) -> Outcome:
    """Return what an answer other than 200 says of every e-mail of its request."""
    said = json_object(answer.body)
    code = error_code(answer, said)
    message = text_of(said.get("message") or said.get("Message"))
    kind = _KINDS.get(code or "")
    if kind == "rate_limited" and "quota" in message.lower():
        kind = "quota"
    elif code == "MessageRejected" and "not verified" in message:
        kind = "sender_not_verified"
    return _failed(answer, now, title, kind, message, code)


def taken(answer: HttpResponse, now: float, title: str) -> Outcome:
    """Return what SendEmail says of its e-mail."""
    message_id = json_object(answer.body).get("MessageId")
    if isinstance(message_id, str) and message_id:
        return _accepted(answer, message_id)
    return _failed(answer, now, title, "ambiguous", "no message id", None)


def taken_each(answer: HttpResponse, now: float, title: str, count: int) -> list[Outcome]:
    """Return what SendBulkEmail says of each of so many e-mails."""
    results: object = json_object(answer.body).get("BulkEmailEntryResults")
    entries = cast("list[object]", results) if isinstance(results, list) else []
    if len(entries) != count:
        text = f"{len(entries)} results for {count} e-mails"
        return [_failed(answer, now, title, "ambiguous", text, None) for _ in range(count)]
    return [_entry(entry, answer, now, title) for entry in entries]


def _entry(given: object, answer: HttpResponse, now: float, title: str) -> Outcome:
    entry = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    status, message_id, text = entry.get("Status"), entry.get("MessageId"), text_of(entry.get("Error"))
    if status == "SUCCESS" and isinstance(message_id, str) and message_id:
        return _accepted(answer, message_id)
    # A status that is not known says neither that the e-mail was taken nor that it was not.
    kind = _ENTRY_KINDS.get(status, "ambiguous") if isinstance(status, str) else "ambiguous"
    if status == "MESSAGE_REJECTED" and "not verified" in text:
        kind = "sender_not_verified"
    elif status == "ACCOUNT_THROTTLED" and "quota" in text.lower():
        kind = "quota"
    code = status if isinstance(status, str) else None
    return _failed(answer, now, title, kind, f"{code}: {text}" if text else code, code)


def _accepted(answer: HttpResponse, message_id: str) -> Outcome:
    request_id = _request_id(answer)
    return Outcome(message_id, request_id=request_id, details=_details(answer))


def _failed(
    answer: HttpResponse, now: float, title: str, kind: FailureKind | None, message: str | None, code: str | None
) -> Outcome:
    request_id = _request_id(answer)
    failure = failure_from(answer, now, title=title, kind=kind, message=message, code=code, request_id=request_id)
    return Outcome(failure=failure, request_id=request_id, details=_details(answer))


def _details(answer: HttpResponse) -> dict[str, Any]:
    return {"status_code": answer.status, "request_id": _request_id(answer)}


def _request_id(answer: HttpResponse) -> str | None:
    return answer.headers.get("x-amzn-requestid")
