"""What a handler gives back: a `Reply`, or a `RefusalError` in the API's error envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from poststack.transports.base import HttpResponse

__all__ = ["CODES", "RefusalError", "Reply", "conflict", "encoded", "invalid", "not_found", "unprocessable"]

CODES: Mapping[int, str] = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    422: "unprocessable_entity",
    429: "rate_limit_exceeded",
    500: "internal_error",
    501: "not_implemented",
    503: "service_unavailable",
}


class RefusalError(Exception):
    """A request that is answered with an error.

    The code follows from the status unless another one is given.
    """

    def __init__(
        self, status: int, error: str, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status: int = status
        self.error: str = error
        self.code: str = code or CODES.get(status, "error")
        self.headers: Mapping[str, str] = headers or {}

    @property
    def reply(self) -> Reply:
        """The answer in the API's error envelope."""
        return Reply(self.status, {"error": self.error, "code": self.code}, self.headers)


@dataclass(frozen=True)
class Reply:
    """An answer before it is bytes: what is to be JSON, or a file as bytes, whose `Content-Type` is in the headers.

    With the number of a `pending` delivery it is what to say as long as that was not tried.
    """

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    pending: int | None = None

    def response(self, headers: Mapping[str, str]) -> HttpResponse:
        """Return the answer as the transport sees it, with these headers added."""
        body = self.content if isinstance(self.content, bytes) else encoded(self.content)
        lower = {name.lower(): value for name, value in (*self.headers.items(), *headers.items())}
        reason = HTTPStatus(self.status).phrase if self.status in _STATUSES else ""
        return HttpResponse(self.status, {"content-type": "application/json", **lower}, body, reason)


def encoded(content: object) -> bytes:
    """Return the JSON of an answer."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Text from URLs may hold lone surrogates, which UTF-8 cannot say but a JSON escape can.
    return text.encode("utf-8", "backslashreplace")


_STATUSES = frozenset(int(status) for status in HTTPStatus)


def invalid(error: str) -> RefusalError:
    """Return a 400: malformed JSON, a missing field, a wrong type."""
    return RefusalError(400, error)


def not_found(what: str) -> RefusalError:
    """Return a 404 for this kind of thing."""
    return RefusalError(404, f"{what} not found")


def conflict(error: str) -> RefusalError:
    """Return a 409: right request, wrong moment."""
    return RefusalError(409, error)


def unprocessable(error: str) -> RefusalError:
    """Return a 422: well-formed, but against a rule."""
    return RefusalError(422, error)
