"""What the replies of mail servers mean (RFC 5321 §4.2, RFC 3463, RFC 4954, and what large servers say)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from poststack.providers._http import text_of
from poststack.providers.outcome import Failure
from poststack.transports._smtp_dialogue import enhanced_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.providers.outcome import FailureKind
    from poststack.transports._smtp_dialogue import SmtpReply, Stage

__all__ = ["failure_of", "kind_of"]

GREYLISTED: Final = 300.0
"""Seconds after which servers that put strangers off usually let them in."""

# The code that says more than three digits decides wherever it is one of these.
_AT_ANY_STAGE: Final[Mapping[str, FailureKind]] = {
    "5.1.1": "invalid_recipient",
    "5.1.2": "invalid_recipient",
    "5.1.3": "invalid_recipient",
    "5.1.6": "invalid_recipient",
    "5.1.7": "sender_not_verified",
    "5.1.8": "sender_not_verified",
    "5.1.10": "invalid_recipient",
    "5.2.1": "invalid_recipient",
    "5.2.2": "invalid_recipient",  # Full: final by its code, although it may have room another day.
    "5.2.3": "payload_too_large",
    "5.3.4": "payload_too_large",
    "5.4.5": "quota",
    "5.6.7": "invalid_recipient",
    "5.7.8": "auth",
    "5.7.9": "auth",
    "5.7.11": "auth",
    "5.7.14": "auth",
}
_SYNTAX: Final = frozenset({500, 501, 502, 503, 504, 555})
_TOO_FAST: Final = re.compile(r"too many|too fast|rate|throttl", re.IGNORECASE)
_USED_UP: Final = re.compile(r"quota exceeded|daily .{0,30}(limit|quota)|sending.{0,20}paused", re.IGNORECASE)
_UNVERIFIED: Final = re.compile(r"not verified|sender address rejected|not owned by|send as this sender", re.IGNORECASE)
_GREYLISTING: Final = re.compile(r"gr[ae]y.?list", re.IGNORECASE)
_HINT: Final = re.compile(r"\b(?:in|for|after) (\d{1,5}) ?(s|sec|second|m|min|minute)s?\b", re.IGNORECASE)


def failure_of(reply: SmtpReply, stage: Stage, title: str) -> Failure:
    """Return the failure that a reply stands for."""
    code, said = enhanced_code(reply.text), text_of(" ".join(reply.text.split()))
    if reply.code:
        return Failure(
            kind_of(reply, stage), f"{title} answered {reply.code}: {said}", reply.code, code, _hint(reply, stage, code)
        )
    # What the client found by itself has the code for the table, but nobody said it.
    text = said.removeprefix(code or "").strip()
    return Failure(kind_of(reply, stage), f"{title}: {text}. Nothing was sent.", None, code)


def kind_of(reply: SmtpReply, stage: Stage) -> FailureKind:
    """Return why a reply at this stage is a refusal."""
    code, text = enhanced_code(reply.text), reply.text
    if (code or "").startswith("4.") or (code is None and 400 <= reply.code < 500):
        return _kind_of_temporary(code, text)
    if 200 <= reply.code < 400:
        # No answer to what was asked. Before the end it certainly took nothing.
        return "ambiguous" if stage == "end" else "unavailable"
    if _USED_UP.search(text):
        return "quota"
    if stage in {"connect", "tls", "auth"}:
        return "auth"
    if _UNVERIFIED.search(text):
        return "sender_not_verified"
    return _AT_ANY_STAGE.get(code or "") or _kind_of_final(reply, code, stage)


def _kind_of_temporary(code: str | None, text: str) -> FailureKind:
    if _USED_UP.search(text):
        return "quota"
    if _GREYLISTING.search(text):
        # Of one recipient's server; as a rate limit it would hold up the mail to all others.
        return "unavailable"
    return "rate_limited" if code == "4.7.28" or _TOO_FAST.search(text) else "unavailable"


def _kind_of_final(reply: SmtpReply, code: str | None, stage: Stage) -> FailureKind:
    asks_for_login = reply.code in {530, 534, 535, 538} or (stage == "mail" and code == "5.7.0")
    if asks_for_login or (stage != "end" and "relay" in reply.text.lower()):
        return "auth"
    if reply.code in _SYNTAX or (code or "").startswith("5.5."):
        return "invalid_request"
    if reply.code == 552 and stage in {"mail", "data", "end"}:
        return "payload_too_large"
    if stage == "mail":
        return "sender_not_verified"
    return "invalid_recipient" if stage == "rcpt" else "invalid_request"


def _hint(reply: SmtpReply, stage: Stage, code: str | None) -> float | None:
    if not 400 <= reply.code < 500:
        return None
    found = _HINT.search(reply.text)
    if found:
        return float(found[1]) * (60.0 if found[2].lower().startswith("m") else 1.0)
    is_greylisting = code == "4.7.1" or _GREYLISTING.search(reply.text)
    return GREYLISTED if is_greylisting and stage in {"rcpt", "data", "end"} else None
