"""The API key shows nowhere: not in errors, not in logs, not in a report that prints every variable."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from poststack import PostStackError
from tests.servers import Visitor, answering, serving
from tests.transports.conversations import FLAVOURS, KEY, SYNC, run_call, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transports.conversations import Flavour

REFUSAL = b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 27\r\n\r\n{"error":"Invalid API key."}'


def read_and_leave(visitor: Visitor) -> None:
    visitor.request()


def talk_nonsense(visitor: Visitor) -> None:
    visitor.request()
    visitor.send(b"nonsense\r\n\r\n")


SCRIPTS: dict[str, Callable[[Visitor], None]] = {
    "cut": read_and_leave,
    "nonsense": talk_nonsense,
    "silence": lambda visitor: visitor.stay_silent(),
    "refused": answering(REFUSAL),
    "unavailable": answering(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"),
    "no JSON": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
}


def large(client: Any) -> Any:
    email = {"from": "a@example.com", "to": ["b@example.com"], "subject": "s", "text": "x" * 30_000_000}
    return client.emails.send(email)


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_report_of_a_failed_call_contains_the_key(
    flavour: Flavour, name: str, proxied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(SCRIPTS[name]) as server, caplog.at_level("DEBUG", "poststack"):
        options: dict[str, Any] = {"proxy": server.url} if proxied else {}
        url = "http://api.example.com" if proxied else server.url
        with pytest.raises(PostStackError) as caught:
            run_call(flavour, url, send, timeout=0.1, max_retries=1, transport_options=options)

    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "in call" in report
    assert KEY not in report
    assert KEY not in caplog.text
    assert KEY not in repr(vars(caught.value))


@pytest.mark.unmeasured
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_report_of_an_email_that_could_not_be_written_contains_the_key(flavour: Flavour) -> None:
    with serving(lambda visitor: visitor.stay_silent()) as server, pytest.raises(PostStackError) as caught:
        run_call(flavour, server.url, large, timeout=0.1, max_retries=0)

    report = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert KEY not in report


def test_retries_are_logged_by_status_and_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    answer = b"HTTP/1.1 503 Unavailable\r\nX-Request-Id: req_17\r\nContent-Length: 0\r\n\r\n"

    with serving(answering(answer)) as server, caplog.at_level("DEBUG", "poststack"), pytest.raises(PostStackError):
        run_call(SYNC, server.url, lambda client: client.suppressions.remove("ada@example.com"), max_retries=1)

    assert "DELETE /suppressions" in caplog.text
    assert "503" in caplog.text
    assert "req_17" in caplog.text
    assert "ada" not in caplog.text
