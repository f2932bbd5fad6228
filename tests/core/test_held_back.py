"""Calls on several threads, over HTTP, when one of them meets a 429."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from poststack import PostStack, PostStackError
from poststack.types import SendEmail
from tests.servers import ACCEPTED, Visitor, serving

EMAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
BODY = b'{"error": "Slow down", "code": "rate_limit_exceeded"}'
HOLD = 0.2
SLOW_DOWN = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
    b"Retry-After: %.1f\r\nContent-Length: %d\r\n\r\n%s" % (HOLD, len(BODY), BODY)
)


def test_a_429_of_one_thread_holds_back_all_others() -> None:
    came_at: list[float] = []

    def script(visitor: Visitor) -> None:
        while visitor.request():
            came_at.append(time.monotonic())
            visitor.send(SLOW_DOWN if len(came_at) == 1 else ACCEPTED)

    with serving(script) as server, PostStack("sk_test_x", server.url, max_retries=0) as client:
        with pytest.raises(PostStackError, match="Slow down"):
            client.emails.send(EMAIL)
        # Heard later than it was said, so nothing may come before this.
        ends_at = came_at[0] + HOLD
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(client.emails.send, [EMAIL] * 6))

    assert [answer["id"] for answer in answers] == ["em_1"] * 6
    assert len(came_at) == 7
    assert min(came_at[1:]) >= ends_at
