"""What the adapters of HTTP providers have in common: JSON both ways, and what a status means by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from poststack._config import is_http
from poststack._wire import parse_retry_after
from poststack.providers.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpResponse

__all__ = [
    "KEY_FIELD",
    "checked_endpoint",
    "failure_from",
    "json_bytes",
    "json_object",
    "json_value",
    "kind_of_status",
    "text_of",
]

KEY_FIELD: Final = "poststack_key"
"""Under this name an idempotency key travels in the metadata, where a provider has no place for it: its events bring it
back, and so tell what became of an e-mail whose answer was lost."""

LONGEST_TEXT: Final = 500
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_KINDS: Final[Mapping[int, FailureKind]] = {
    401: "auth",
    402: "quota",
    403: "auth",
    408: "unavailable",
    413: "payload_too_large",
    429: "rate_limited",
    503: "unavailable",
}


def checked_endpoint(value: object, title: str, example: str) -> str:
    """Return the setting `endpoint` without slashes at its end. Raises `ValueError` for what is no whole address."""
    url = value.strip().rstrip("/") if isinstance(value, str) else ""
    if not is_http(url) or not urlsplit(url).path:
        raise ValueError(f"{title}'s `endpoint` is a whole address such as {example!r}.")
    return url


def json_bytes(value: object) -> bytes:
    """Return a request body. What a `Message` holds is known to be JSON."""
    return _ENCODER.encode(value).encode()


def json_value(body: bytes) -> object:
    """Return what a body says in JSON, `None` when it says nothing in JSON."""
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body, an empty one when it is none."""
    value = json_value(body)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def kind_of_status(status: int) -> FailureKind:
    """Return what a status that is no success means where the provider's own code says nothing more."""
    if status in _KINDS:
        return _KINDS[status]
    # What stands in between says 500, 502 and 504 also of a request that it has passed on. A redirect, or a success
    # that is none the adapter knows, says nothing either.
    return "invalid_request" if 400 <= status < 500 else "ambiguous"


def failure_from(
    response: HttpResponse,
    now: float,
    *,
    title: str,
    kind: FailureKind | None = None,
    message: object = None,
    code: object = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> Failure:
    """Return the failure that an answer stands for. Without a message of the provider's own, its status is named."""
    if retry_after is None:
        retry_after = parse_retry_after(response.headers.get("retry-after"), now)
    status = response.status
    said = text_of(message)
    return Failure(
        kind or kind_of_status(status),
        f"{title} answered {status}: {said}" if said else f"{title} answered {status} {response.reason}".rstrip(),
        status,
        str(code) if isinstance(code, (str, int)) and not isinstance(code, bool) else None,
        retry_after,
        request_id,
        response.body[:10_000],
    )


def text_of(message: object) -> str:
    """Return a provider's text, shortened, or an empty one."""
    if not isinstance(message, str):
        return ""
    # JSON can spell half of a surrogate pair, and printing that would raise in the handler of this error.
    return message.strip()[:LONGEST_TEXT].encode("utf-8", "replace").decode()
