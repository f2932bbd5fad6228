"""Between Python values and bytes: headers, encoding, decoding, errors. No I/O.

What leaves here is what the published SDK sends (poststack-api §1). What comes in may be anything: every answer ends as
a value of the promised type or as a `PostStackError`.
"""

from __future__ import annotations

import json
import math
import re
import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_origin
from urllib.parse import quote, urlencode

from poststack._request import NO_BODY, Encoded, Request
from poststack._version import __version__
from poststack.errors import PostStackError, PostStackResponseError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from poststack.transports.base import HttpResponse

__all__ = [
    "Headers",
    "decode",
    "doubt",
    "encode_body",
    "error_from",
    "header_key",
    "json_bytes",
    "parse_retry_after",
    "request_headers",
    "target",
]

Answer = TypeVar("Answer")

DOUBT: Final = "The call may have taken effect; repeat an e-mail only with the same idempotency_key."
"""What is said of a call without a clear answer."""
UNREPEATED: Final = (
    "The call may have taken effect. It was not repeated, because the API could do it twice; look there before you do."
)
"""What is said of one that could be done twice."""
HALF: Final = (
    "A part of it is in the file, which cannot be put back to where it was, so it was not fetched again. Give a path, "
    "or a file that can seek."
)
"""What is said of a download."""
UNSENT: Final = "Nothing was sent; the call can be repeated later."
"""What is said of a call that reached nobody."""
USER_AGENT: Final = f"PostStack-Python-SDK/{__version__}"
LONGEST_ERROR_TEXT: Final = 2_000
FARTHEST_RETRY_AFTER: Final = 1e9
# `json.dumps` builds an encoder for every call whose options are not its own.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
# The printable characters of ASCII may stand in a header value as they are; % marks the others.
_KEY_CHARACTERS: Final = (string.punctuation + " ").replace("%", "")


class Headers(dict[str, str]):
    """Request headers that do not show the API key when a debugger or an error report prints them."""

    def __repr__(self) -> str:
        return repr({name: "[hidden]" if name == "Authorization" else value for name, value in self.items()})


def request_headers(api_key: str) -> Headers:
    """Return the headers that every request of a client carries."""
    return Headers(
        {
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        }
    )


def header_key(key: str) -> str:
    """Return an idempotency key as a header value; characters a header cannot carry are percent-encoded."""
    return quote(key, safe=_KEY_CHARACTERS)


def encode_body(request: Request[Any]) -> bytes | None:
    """Return the JSON bytes of a request, `None` for none. Raises `ValueError` for what JSON cannot say."""
    body = request.body
    if isinstance(body, Encoded):
        return body.body
    return None if body is NO_BODY else json_bytes(body, f"the arguments for {request.method} /{request.group}")


def json_bytes(value: object, what: str) -> bytes:
    """Return a value as JSON. Raises `ValueError`, which tells `what` it is, for what JSON cannot say."""
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        # The value itself stays out of the text: it can be somebody's mail.
        raise ValueError(
            f"{what[0].upper()}{what[1:]} cannot be written as JSON: {_reason(error)} "
            "Pass text, numbers, booleans, lists and dictionaries only; write dates with isoformat()."
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a text contains half of a surrogate pair."
    return str(error).rstrip(".") + "." if isinstance(error, (TypeError, ValueError)) else "they are nested too deeply."


def target(request: Request[Any]) -> str:
    """Return path and query. Parameters that are `None` are left out, all others written with `str`."""
    query = {name: value for name, value in (request.query or {}).items() if value is not None}
    return f"{request.path}?{urlencode(query)}" if query else request.path


def doubt(request: Request[Any]) -> str:
    """Return what to say when nobody knows whether a call has taken effect."""
    return DOUBT if request.repeatable else UNREPEATED


def decode(request: Request[Answer], response: HttpResponse) -> Answer:
    """Return the body of a successful answer as the promised type, or raise `PostStackResponseError`."""
    if request.returns is bytes:
        return cast("Answer", response.body)
    if request.returns is str:
        try:
            return cast("Answer", response.body.decode())
        except UnicodeDecodeError:
            raise _response_error(request, response, "text in UTF-8 was promised") from None
    value = _json(response.body)
    if not isinstance(value, dict):
        raise _response_error(request, response, "a JSON object was promised")
    missing = sorted(_required_keys(cast("Hashable", request.returns)) - value.keys())
    if missing:
        raise _response_error(request, response, f"{', '.join(map(repr, missing))} was promised and is missing")
    return cast("Answer", value)


def error_from(response: HttpResponse, now: float) -> PostStackError:
    """Return the error that a refusal stands for. `now` is in seconds since 1970."""
    body = _json(response.body)
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    text, code = fields.get("error"), fields.get("code")
    return PostStackError(
        response.status,
        _printable(text) if isinstance(text, str) and text else response.reason or "Unknown error",
        code if isinstance(code, str) else None,
        response.headers.get("x-request-id"),
        response.headers,
        parse_retry_after(response.headers.get("retry-after"), now),
    )


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, `None` when it is absent or unreadable.

    Takes decimals (negative is 0) and HTTP dates (RFC 9110 §10.2.3), never returns NaN or infinity.
    """
    text = (value or "").strip()
    if _DECIMAL.fullmatch(text):
        return min(max(float(text), 0.0), FARTHEST_RETRY_AFTER)
    # Every date contains a colon; the import is worth avoiding for the rest.
    if ":" not in text:
        return None
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        # One of the three forms of a date names no zone: all of them are in GMT.
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
    return min(max(seconds, 0.0), FARTHEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _printable(text: str) -> str:
    # JSON can spell half of a surrogate pair, and printing that would raise in the handler of this error.
    return text[:LONGEST_ERROR_TEXT].encode("utf-8", "replace").decode()


def _json(body: bytes) -> object:
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None


def _response_error(request: Request[Any], response: HttpResponse, problem: str) -> PostStackResponseError:
    return PostStackResponseError(
        response.status,
        f"The API answered {response.status} with something it does not promise: {problem}. {doubt(request)}",
        request_id=response.headers.get("x-request-id"),
        headers=response.headers,
    )


@lru_cache(maxsize=512)
def _required_keys(promised: Hashable) -> frozenset[str]:
    keys: frozenset[str] = getattr(get_origin(promised) or promised, "__required_keys__", frozenset[str]())
    return keys
