"""The API's answer to a batch, element by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from poststack import PostStackError, PostStackResponseError

__all__ = ["accepted", "batch_answers"]

_OWN_FAULTS: Final = {"internal_error": 500, "internal_server_error": 500, "service_unavailable": 503, "timeout": 504}

_QUOTA_CODES: Final = frozenset(
    {"monthly_limit_exceeded", "daily_limit_exceeded", "send_limit_exceeded", "quota_exceeded", "daily_cap_exceeded"}
)


def accepted(answer: object) -> Mapping[str, Any]:
    """Return the answer to one e-mail. Raises `PostStackResponseError` for one that tells no id."""
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else {}
    if isinstance(email_id := fields.get("id"), str) and email_id:
        return fields
    raise PostStackResponseError(202, "The API answered an e-mail without an id, so whether it is accepted is unknown.")


def batch_answers(answer: object, expected: int) -> list[Mapping[str, Any] | PostStackError]:
    """Return what the API says of each e-mail, in order. An element has no status of its own: one is given to it."""
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else {}
    listed = fields.get("data")
    results = list(cast("Sequence[object]", listed)) if isinstance(listed, list) else []
    if len(results) != expected:
        return [
            PostStackResponseError(
                202, f"The API answered {len(results)} results to {expected} e-mails, so whose is whose is unknown."
            )
        ] * expected
    return [_element(result) for result in results]


def _element(result: object) -> Mapping[str, Any] | PostStackError:
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", result) if isinstance(result, Mapping) else {}
    text, code = fields.get("error"), fields.get("code")
    if not isinstance(text, str) or isinstance(fields.get("id"), str):
        try:
            return accepted(fields)
        except PostStackResponseError as error:
            return error
    code = code if isinstance(code, str) else None
    if code == "rate_limit_exceeded":
        return PostStackError(429, text, code, retry_after=0.0)  # Without the last, it would be taken for a quota.
    from poststack.mailbridge.outgoing import error_of_result

    # A MailBridge has codes of its own; they say what `emails.send` would have raised.
    if (known := error_of_result(text, code)) is not None:
        return known
    # What is none of these would be refused again (poststack-api §3.4).
    status = 429 if code in _QUOTA_CODES else 409 if code and "progress" in code else _OWN_FAULTS.get(code or "", 422)
    return PostStackError(status, text, code)
