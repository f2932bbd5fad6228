"""What the client promises, kept over every transport, with the emulator at the other end."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from poststack import PostStackConnectionError, PostStackError
from tests.transports.conversations import EMAIL, FLAVOURS, run_call

if TYPE_CHECKING:
    from poststack.bulk import BulkResult
    from poststack.types import SendEmail
    from tests.transports.conversations import Flavour

pytestmark = [
    pytest.mark.parametrize("flavour", FLAVOURS),
    pytest.mark.skipif(find_spec("uvicorn") is None, reason="the emulator is not installed"),
]


@pytest.fixture(autouse=True)
def _empty(emulator_url: str) -> None:
    for what in ("emails", "faults"):
        httpx.delete(f"{emulator_url}/_emulator/{what}", trust_env=False).raise_for_status()


def fail(emulator_url: str, **fault: Any) -> None:
    httpx.post(f"{emulator_url}/_emulator/faults", json=fault, trust_env=False).raise_for_status()


def kept(emulator_url: str) -> int:
    """Return how many e-mails the emulator accepted."""
    answer = httpx.get(f"{emulator_url}/_emulator/emails", trust_env=False).raise_for_status()
    return int(answer.json()["meta"]["total"])


def send_as(key: str) -> Any:
    return functools.partial(_send, key)


def _send(key: str, client: Any) -> Any:
    return client.emails.send({**EMAIL, "idempotency_key": key})


def test_an_answer_that_was_lost_twice_is_one_email(flavour: Flavour, emulator_url: str) -> None:
    fail(emulator_url, lost_answer=True, times=2)

    sent = run_call(flavour, emulator_url, send_as("order-1"))
    again = run_call(flavour, emulator_url, send_as("order-1"))

    assert sent["id"] == again["id"]
    assert kept(emulator_url) == 1


def test_refusals_that_pass_are_tried_again(flavour: Flavour, emulator_url: str) -> None:
    fail(emulator_url, status=503, times=1)
    fail(emulator_url, status=429, retry_after=1, times=1)

    assert run_call(flavour, emulator_url, send_as("order-2"))["id"]
    assert kept(emulator_url) == 1


def test_a_failure_after_a_lost_answer_stays_in_doubt(flavour: Flavour, emulator_url: str) -> None:
    fail(emulator_url, lost_answer=True, times=1)
    fail(emulator_url, status=503)

    with pytest.raises(PostStackError) as caught:
        run_call(flavour, emulator_url, send_as("order-3"), max_retries=2)

    assert caught.value.may_have_taken_effect
    assert kept(emulator_url) == 1


def test_a_dropped_connection_is_a_connection_error(flavour: Flavour, emulator_url: str) -> None:
    fail(emulator_url, reset=True)

    with pytest.raises(PostStackConnectionError):
        run_call(flavour, emulator_url, send_as("order-4"), max_retries=1)

    assert kept(emulator_url) == 0


def test_groups_pages_and_batches_work(flavour: Flavour, emulator_url: str) -> None:
    emails = [{**EMAIL, "subject": f"No. {number}"} for number in range(3)]

    def plain(client: Any) -> Any:
        client.emails.batch({"emails": emails})
        return sorted(email["subject"] for email in client.emails.iterate({"limit": 2}))

    async def awaited(client: Any) -> Any:
        await client.emails.batch({"emails": emails})
        return sorted([email["subject"] async for email in client.emails.iterate({"limit": 2})])

    found = run_call(flavour, emulator_url, plain if flavour.sync else awaited)

    assert found == ["No. 0", "No. 1", "No. 2"]


def test_many_emails_are_sent_once_each_although_an_answer_is_lost(flavour: Flavour, emulator_url: str) -> None:
    fail(emulator_url, lost_answer=True, times=1)
    emails: list[SendEmail] = [{**EMAIL, "subject": f"No. {number}"} for number in range(120)]

    def plain(client: Any) -> list[BulkResult]:
        return list(client.emails.send_many(emails, key_prefix="newsletter"))

    async def awaited(client: Any) -> list[BulkResult]:
        return [result async for result in client.emails.send_many(emails, key_prefix="newsletter")]

    results = run_call(flavour, emulator_url, plain if flavour.sync else awaited)

    assert [result.index for result in results if result.sent] == list(range(120))
    assert kept(emulator_url) == 120
