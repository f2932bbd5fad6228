"""The API as a transport in memory that answers what a test tells it to, and mailers that send to it."""

from __future__ import annotations

import json
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core import mail
from django.test import override_settings

from poststack import PostStack
from poststack.events import SIGNATURE_HEADER, sign
from poststack.transports.base import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

SECRET = "whsec_test_0123456789"
BACKEND = "poststack_django.backends.EmailBackend"
HAS_MAILERS = hasattr(mail, "mailers")
CONFIGURATIONS = ["EMAIL_BACKEND", "MAILERS"] if HAS_MAILERS else ["EMAIL_BACKEND"]


class RecordingApi:
    """Accepts every e-mail, unless the test has lined up other answers."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.requests: list[HttpRequest] = []
        self.answers: list[HttpResponse | Exception] = []
        self.refused: dict[str, dict[str, str]] = {}
        self.on_send: Callable[[dict[str, Any]], None] = lambda payload: None
        self._lock = threading.Lock()

    def client(self) -> PostStack:
        return PostStack("sk_test_x", max_retries=0, transport=self)

    def will_answer(self, status: int, body: Mapping[str, object]) -> None:
        self.answers.append(HttpResponse(status, {"x-request-id": "req_1"}, json.dumps(body).encode()))

    def will_refuse(self, subject: str, error: str, code: str | None = None) -> None:
        """Refuse the e-mails of batches that have this subject."""
        self.refused[subject] = {"error": error, **({"code": code} if code else {})}

    def will_raise(self, error: Exception) -> None:
        self.answers.append(error)

    def send(self, request: HttpRequest) -> HttpResponse:
        body = json.loads(request.body or b"{}")
        is_batch = request.url.endswith("/emails/batch")
        payloads: list[dict[str, Any]] = body["emails"] if is_batch else [body]
        with self._lock:
            self.requests.append(request)
            first = len(self.payloads) + 1
            self.payloads += payloads
            answer = self.answers.pop(0) if self.answers else None
        for payload in payloads:
            self.on_send(payload)
        if isinstance(answer, Exception):
            raise answer
        accepted: list[dict[str, Any]] = [
            {"id": f"em_{number}", "test_mode": True} for number in range(first, first + len(payloads))
        ]
        data = [
            self.refused.get(payload.get("subject", ""), one) for payload, one in zip(payloads, accepted, strict=True)
        ]
        return answer or HttpResponse(202, {}, json.dumps({"data": data} if is_batch else accepted[0]).encode())

    def close(self) -> None:
        pass

    @property
    def payload(self) -> dict[str, Any]:
        """The only payload, without the key that is new each time."""
        (payload,) = self.payloads
        return {name: value for name, value in payload.items() if name != "idempotency_key"}


@contextmanager
def configured(how: str, *, backend: str = BACKEND, **options: Any) -> Generator[None]:
    """Send through PostStack, configured by `EMAIL_BACKEND` or by `MAILERS`."""
    with warnings.catch_warnings():
        # Django 6.1 warns the project, here the tests, that the older way goes.
        warnings.filterwarnings("ignore", "The EMAIL_BACKEND setting is deprecated")
        mailers = {"default": {"BACKEND": backend, "OPTIONS": options}}
        override = override_settings(MAILERS=mailers) if how == "MAILERS" else override_settings(EMAIL_BACKEND=backend)
        override.enable()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The EMAIL_BACKEND setting is deprecated")
            override.disable()


def event_body(kind: str, email_id: str = "em_1", number: int | str = 1, **data: object) -> bytes:
    """An event as PostStack sends it."""
    event = {
        "id": f"evt_{number}",
        "type": kind,
        "timestamp": "2026-01-02T03:04:05.678Z",
        "data": {"email_id": email_id, **data},
    }
    return json.dumps(event).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The signature header for Django's test client."""
    return {SIGNATURE_HEADER: sign(body, secret)}
