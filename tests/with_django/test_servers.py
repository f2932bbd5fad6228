"""What holds on SQLite holds on the servers, and what they alone could get wrong."""

from __future__ import annotations

from typing import Any

from poststack.events import parse_event
from poststack_django.event_records import record_event
from poststack_django.models import EmailEvent
from tests.with_django.api import event_body
from tests.with_django.test_concurrency import ignore


def test_every_json_value_of_an_event_is_stored(database: str) -> None:
    deep: Any = 1
    for number in range(200):
        deep = [deep] if number % 2 else {"a": deep}
    values: dict[str, Any] = {
        "deep": deep,
        "reason": "nul \x00, half \ud800, whole 🎉",
        "n": float("nan"),
        "large": 10**30,
    }
    record_event(parse_event(event_body("email.bounced", **values)), ignore)

    data = EmailEvent.objects.get().data
    assert data["reason"] == "nul \ufffd, half \ufffd, whole 🎉"
    assert (data["n"], data["large"]) == (None, 10**30)
