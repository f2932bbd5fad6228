"""What every e-mail of a run has unless its row says otherwise, and whether an e-mail has all it needs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from poststack._checks import checked_email
from poststack.sending_many.rows import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from poststack.types import SendEmail

__all__ = ["completed", "defaults_from", "digests", "problem_with"]

_OPTIONS: Final = {
    "from": "--from",
    "subject": "--subject",
    "reply_to": "--reply-to",
    "html": "--html",
    "text": "--text",
    "tags": "--tag",
    "template_id": "--template",
    "scheduled_at": "--scheduled-at",
    "unsubscribe": "--unsubscribe",
}


def defaults_from(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields that options give. Raises `InputError` for a file that cannot be read."""
    given = {
        "from": options.sender,
        "subject": options.subject,
        "reply_to": options.reply_to,
        "html": _content("--html", options.html),
        "text": _content("--text", options.text),
        "tags": options.tag or None,
        "template_id": options.template,
        "scheduled_at": options.scheduled_at,
        "unsubscribe": options.unsubscribe or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def digests(defaults: Mapping[str, Any]) -> dict[str, str]:
    """Return a short fingerprint of each option that gives a field."""
    return {
        _OPTIONS[name]: hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16] for name, value in defaults.items()
    }


def completed(payload: dict[str, Any], defaults: Mapping[str, Any], key: str) -> SendEmail:
    """Give a payload what it lacks, and return it. What is null is lacking."""
    for name, value in defaults.items():
        if payload.get(name) is None:
            payload[name] = value
    if payload.get("idempotency_key") is None:
        payload["idempotency_key"] = key
    return cast("SendEmail", payload)


def problem_with(email: SendEmail) -> str | None:
    """Return why the API would refuse an e-mail, as far as that is certain."""
    try:
        checked_email(email)
    except ValueError as error:
        return str(error)
    if email.get("template_id") is None:
        if email.get("subject") is None:
            return "The e-mail has no subject: give `subject`, or a template."
        if email.get("html") is None and email.get("text") is None:
            return "The e-mail has no content: give `html`, `text` or a template."
    return None


def _content(option: str, path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{option} {path} is not UTF-8.") from None
