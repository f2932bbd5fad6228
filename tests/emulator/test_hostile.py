"""Nothing a client sends ends the emulator: arbitrary requests are always answered, and never with a bug."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.transports.base import HttpRequest
from tests.emulator.app import START, App

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SEGMENTS = st.sampled_from(
    ["emails", "batch", "send", "preview", "spam-preview", "templates", "webhooks", "suppressions", "deliveries", "1",
     "replay", "batch-replay", "test", "rotate-secret", "render", "presets", "use", "publish", "_emulator", "faults",
     "clock", "latest", "simulate", "em_000000000000000002", "tpl_000000000000000003", "domains", "%2F", "%ff", ""]
)  # fmt: skip
PATHS = st.lists(SEGMENTS | st.text(max_size=8), max_size=4).map(lambda parts: "/" + "/".join(parts))
METHODS = st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"]) | st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
OTHER_FIELDS = (
    *("html", "cc", "bcc", "reply_to", "headers", "tags", "attachments", "idempotency_key", "scheduled_at", "tracking"),
    *("template_id", "variables", "unsubscribe", "signature", "emails", "url", "events", "email", "reason", "name"),
    *("event", "metadata", "graceHours", "limit", "withinMinutes", "status", "times", "delay", "path", "retry_after"),
    *("advance", "builder_blocks"),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "from": st.just("a@example.com") | JSON,
    "to": st.just(["b@example.com"]) | JSON,
    "subject": st.just("Hi") | JSON,
    "text": st.just("x") | JSON,
    **dict.fromkeys(
        [
            "html",
            "cc",
            "bcc",
            "reply_to",
            "headers",
            "tags",
            "attachments",
            "idempotency_key",
            "scheduled_at",
            "template_id",
            "variables",
            "unsubscribe",
            "signature",
            "tracking",
            "emails",
            "url",
            "events",
            "email",
            "reason",
            "name",
            "event",
            "metadata",
            "graceHours",
            "limit",
            "withinMinutes",
            "status",
            "times",
            "delay",
            "path",
            "retry_after",
            "advance",
            "builder_blocks",
        ],
        JSON,
    ),
}
OBJECTS = st.fixed_dictionaries({}, optional=FIELDS)
ATTACHMENTS = st.fixed_dictionaries({}, optional={
    "filename": st.text(max_size=20), "content": st.just("aGk=") | st.text(max_size=20),
    "content_type": st.text(max_size=20), "content_id": st.text(max_size=20),
})  # fmt: skip


def prepared() -> App:
    app = App()
    app.sent(scheduled_at="2100-01-01")
    app.post("/templates", {"name": "a", "subject": "b", "html": "c"})
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    return app


def check(app: App, request: HttpRequest) -> int:
    for response in (app.emulator.handle(request, START), app.emulator.answer(request, START).response):
        if response is None:
            continue
        assert 200 <= response.status < 600
        assert response.status != 500 or app.emulator.faults()
        content = json.loads(response.body)
        assert response.headers["x-request-id"]
        assert "\n" not in "".join(response.headers.values())
        if response.status >= 400:
            assert isinstance(content["error"], str)
            assert isinstance(content["code"], str)
    app.emulator.run_due(START + 10)
    return app.emulator.handle(request, START).status


@QUICK
@given(METHODS, PATHS, st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_are_answered(method: str, path: str, body: bytes, query: str) -> None:
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": query}

    check(prepared(), HttpRequest(method, f"http://emulator{path}?{query}", headers, body))


@QUICK
@given(st.text(max_size=60), st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=4))
def test_any_address_and_headers_are_answered(url: str, headers: dict[str, str]) -> None:
    check(prepared(), HttpRequest("GET", url, headers))


@settings(QUICK, max_examples=150)
@given(METHODS, PATHS, OBJECTS)
def test_any_json_is_answered(method: str, path: str, content: dict[str, Any]) -> None:
    check(prepared(), request(method, path, content))


@settings(QUICK, max_examples=150)
@given(OBJECTS)
def test_any_email_is_accepted_or_refused(content: dict[str, Any]) -> None:
    for path, payload in (("/emails", content), ("/emails/batch", {"emails": [content]}), ("/emails/preview", content)):
        assert check(prepared(), request("POST", path, payload)) in {200, 202, 400, 422}


@QUICK
@given(ATTACHMENTS, st.text(alphabet=string.printable, max_size=30), st.text(max_size=30))
def test_any_attachment_address_and_subject_is_accepted_or_refused(
    attachment: dict[str, str], address: str, subject: str
) -> None:
    content = {"from": address, "to": [address], "subject": subject, "text": "x", "attachments": [attachment]}

    assert check(prepared(), request("POST", "/emails", content)) in {202, 400, 422}


def request(method: str, path: str, content: Any) -> HttpRequest:
    body = json.dumps(content).encode("utf-8", "surrogatepass")
    return HttpRequest(method, "http://emulator" + path, {"Authorization": "Bearer sk_test_x"}, body)
