"""What may be enqueued: an e-mail as `emails.send` takes it, JSON only, without a key of the API.

Checked twice by the same code: when a job is enqueued, so that a mistake is told to whoever made it, and by the worker,
for jobs that were enqueued in another way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from poststack import checked_email
from poststack_tasks.errors import JobError

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = [
    "LARGEST_BATCH",
    "LARGEST_JOB",
    "Expires",
    "batch_of",
    "check_batch_key",
    "check_key",
    "checked_job",
    "checked_jobs",
    "expiry_of",
    "expiry_time",
    "keyed",
]

LARGEST_JOB: Final = 10_000_000
"""Characters of all texts and attachments of a job. The API takes more, but brokers keep jobs in memory."""
LARGEST_BATCH: Final = 100
"""E-mails in one job: one call of the API (poststack-api §3.2)."""
LONGEST_KEY: Final = 255
"""Characters. The API tells no limit; its id columns have this one."""

Expires: TypeAlias = float | str | datetime | timedelta
"""Seconds or a `timedelta` after enqueuing, or the moment: a `datetime` with a time zone, or its ISO 8601 text."""

_KEY_FIELDS: Final = frozenset({"apikey", "authorization", "xapikey", "secretkey", "poststackapikey"})
_API_KEY: Final = re.compile(r"(?:bearer\s+)?sk_[a-z]+_[A-Za-z0-9_-]{6,}", re.IGNORECASE)
_LONGEST_API_KEY: Final = 500
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NOT_IN_KEYS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DEEPEST: Final = 50
_LARGEST_INTEGER: Final = 2**64


def checked_job(payload: object, *, largest: int = LARGEST_JOB) -> SendEmail:
    """Return the e-mail, ready for JSON: tuples are lists, and a bare address in `to` is a list.

    Raises `JobError` for what is no e-mail, is not JSON, carries a key of the API or is too large for a queue.
    """
    return _checked(payload, _Walk(largest), "")


def _checked(payload: object, walk: _Walk, where: str) -> SendEmail:
    if not isinstance(payload, Mapping):
        raise JobError(f"{where}An e-mail is a dictionary such as {{'from': …, 'to': […]}}, not {_kind(payload)}.")
    plain = walk.plain(cast("object", payload), where and where[:-2])
    try:
        return checked_email(cast("SendEmail", plain))
    except ValueError as error:
        raise JobError(f"{where}{error}") from None


def checked_jobs(payloads: object, *, largest: int = LARGEST_JOB) -> list[SendEmail]:
    """Return the e-mails of a batch, checked like those of `checked_job`. `{"emails": […]}` is taken, too."""
    walk = _Walk(largest)
    emails = [_checked(payload, walk, f"emails[{index}]: ") for index, payload in enumerate(batch_of(payloads))]
    for index, email in enumerate(emails):
        check_key(email, None, f"emails[{index}]: ")
    return emails


def batch_of(payloads: object) -> list[object]:
    """Return the elements of a batch. Raises `JobError` for what is no list of 1 to 100 e-mails."""
    given = cast("Mapping[str, object]", payloads).get("emails") if isinstance(payloads, Mapping) else payloads
    if isinstance(payloads, Mapping) and given is None:
        raise JobError("A batch is a list of e-mails, and this is one: give [email], or enqueue it by itself.")
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise JobError(f"A batch is a list of 1 to {LARGEST_BATCH} e-mails, not {_kind(given)}.")
    emails = list(cast("Sequence[object]", given))
    if not 1 <= len(emails) <= LARGEST_BATCH:
        raise JobError(f"A batch takes 1 to {LARGEST_BATCH} e-mails, not {len(emails)}. Enqueue several batches.")
    return emails


def check_key(payload: Mapping[str, Any], idempotency_key: object, where: str = "") -> str | None:
    """Return the key that was given, as argument or in the payload. Raises `JobError` for two that differ."""
    within = payload.get("idempotency_key")
    for one in (within, idempotency_key):
        if one is not None and (
            not isinstance(one, str) or not one.strip() or len(one) > LONGEST_KEY or _NOT_IN_KEYS.search(one)
        ):
            raise JobError(
                f"{where}An idempotency key is a text of 1 to {LONGEST_KEY} characters, none of them a control "
                "character, such as 'welcome/42'."
            )
    if within is not None and idempotency_key is not None and within != idempotency_key:
        raise JobError("The payload has an idempotency_key and the job has another. Give one of them.")
    return cast("str | None", idempotency_key if within is None else within)


def check_batch_key(idempotency_key: object) -> str | None:
    """Return the key of a batch, from which each element's is made. Raises `JobError` for one that is too long."""
    key = check_key({}, idempotency_key)
    longest = LONGEST_KEY - len(f"-{LARGEST_BATCH - 1}")
    if key is not None and len(key) > longest:
        raise JobError(f"The key of a batch is a text of 1 to {longest} characters, such as 'news/2026-11'.")
    return key


def keyed(payload: SendEmail, key: str) -> SendEmail:
    """Return the payload with this idempotency key, unless it has one of its own."""
    return payload if payload.get("idempotency_key") else {**payload, "idempotency_key": key}


def expiry_of(expires: object, now: float) -> str | None:
    """Return the moment after which the e-mail is not wanted any more, as ISO 8601 text in UTC.

    `now` is in seconds since 1970. Raises `JobError` for what is no `Expires`.
    """
    moment = _moment(expires, now)
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def expiry_time(expires: object, now: float) -> float | None:
    """Return the moment of `expiry_of` in seconds since 1970."""
    moment = _moment(expires, now)
    return None if moment is None else moment.timestamp()


def _moment(expires: object, now: float) -> datetime | None:
    if expires is None:
        return None
    try:
        if isinstance(expires, timedelta):
            expires = expires.total_seconds()
        if isinstance(expires, (int, float)) and not isinstance(expires, bool) and math.isfinite(expires):
            return datetime.fromtimestamp(now + expires, timezone.utc)
        if isinstance(expires, str):
            # fromisoformat reads the Z suffix only from Python 3.11 on.
            expires = datetime.fromisoformat(f"{expires[:-1]}+00:00" if expires.endswith(("Z", "z")) else expires)
        if isinstance(expires, datetime) and expires.tzinfo is not None:
            return expires.astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        pass
    raise JobError(
        "`expires` is a number of seconds, a timedelta, or a datetime with a time zone (or its ISO 8601 text)."
    )


class _Walk:
    """Goes through a payload once: what is not JSON is refused with its place, and the rest is copied as plain JSON."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._size = 0

    def plain(self, value: object, path: str, depth: int = 0) -> object:
        self._count(1)  # Texts alone would let a list of lists of itself go on for ever.
        if value is None or value is True or value is False:
            return value
        # Subclasses, such as enumerations and texts marked as safe, are left to whoever enqueues: pickled, they would
        # be looked for on the worker.
        if isinstance(value, str):
            return self._text(str.__str__(value), path)
        if isinstance(value, int):
            return self._integer(int.__int__(value), path)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise JobError(f"`{path}` is {value}, which JSON does not have.")
            return float.__float__(value)
        if depth > _DEEPEST:
            raise JobError(f"`{path[:80]}…` is nested too deep.")
        if isinstance(value, Mapping):
            return self._fields(cast("Mapping[object, object]", value), path, depth)
        if isinstance(value, (list, tuple)):
            items = cast("Sequence[object]", value)
            return [self.plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(items)]
        advice = " Encode it with poststack.attachments." if isinstance(value, (bytes, bytearray)) else ""
        raise JobError(f"`{path}` is {_kind(value)}; a job takes what JSON has, such as text and numbers.{advice}")

    def _fields(self, fields: Mapping[object, object], path: str, depth: int) -> dict[str, object]:
        plain: dict[str, object] = {}
        for name, value in fields.items():
            if not isinstance(name, str):
                raise JobError(f"`{path or 'the e-mail'}` has a name that is {_kind(name)}, not text.")
            # Deeper ones may well have such names: a template that welcomes somebody to an API of its own.
            if depth == 0 and re.sub(r"[^a-z]", "", name.lower()) in _KEY_FIELDS:
                raise _key_found(f"{path}.{name}".lstrip("."))
            plain[self._text(str.__str__(name), path or "a name")] = self.plain(
                value, f"{path}.{name}".lstrip("."), depth + 1
            )
        return plain

    def _integer(self, value: int, path: str) -> int:
        if abs(value) > _LARGEST_INTEGER:  # Writing it down may take forever, and reading it is refused.
            raise JobError(f"`{path}` is a number too large for JSON. Write it as text.")
        return value

    def _text(self, value: str, path: str) -> str:
        if len(value) <= _LONGEST_API_KEY and _API_KEY.fullmatch(value.strip()):
            raise _key_found(path)
        if not value.isascii() and _SURROGATE.search(value):
            raise JobError(f"`{path}` has half of a surrogate pair, which no encoding has. Decode the text rightly.")
        self._count(len(value))
        return value

    def _count(self, characters: int) -> None:
        self._size += characters
        if self._size > self._largest:
            raise JobError(
                f"The job has more than {self._largest:,} characters, attachments included, which would fill the "
                "broker's memory. Send a link instead, give the job the id of a stored e-mail, or allow more with "
                "poststack_tasks.configure(largest_job=…)."
            )


def _key_found(path: str) -> JobError:
    # Not the value: errors end up in logs.
    return JobError(
        f"`{path}` looks like a key of the API. Brokers, dashboards and logs would show it: leave it out, the worker "
        "reads its own from POSTSTACK_API_KEY or its settings."
    )


def _kind(value: object) -> str:
    return "nothing" if value is None else f"of type {type(value).__name__}"
