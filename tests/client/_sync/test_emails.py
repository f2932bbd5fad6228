# Written by tools/unasync.py from tests/client/_async/test_emails.py. Do not edit.
"""Sending e-mails, and following them."""

from __future__ import annotations

import pytest

from poststack import PostStack, PostStackConnectionError, PostStackError
from poststack.testing import EmulatorSession
from poststack.types import SendEmail

pytestmark = pytest.mark.anyio


def email(**changes: object) -> SendEmail:
    plain: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
    return {**plain, **changes}  # type: ignore[typeddict-item]  # the changes are the test's business


def test_an_accepted_email_has_an_id_and_arrives(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email(html="<p>Hello</p>", cc=["bob@example.com"], tags=["welcome"]))

    [arrived] = emu.sent
    assert arrived.id == sent["id"]
    assert (arrived.from_, arrived.to, arrived.subject) == ("shop@example.com", ["ada@example.com"], "Hi")
    assert (arrived.html, arrived.text, arrived.tags) == ("<p>Hello</p>", "Hello", ["welcome"])


def test_a_bare_recipient_is_sent_as_a_list(client: PostStack, emu: EmulatorSession) -> None:
    client.emails.send(email(to="ada@example.com"))

    assert emu.sent[0].to == ["ada@example.com"]


def test_the_same_key_again_sends_nothing_again(client: PostStack, emu: EmulatorSession) -> None:
    first = client.emails.send(email(idempotency_key="order-1"))
    second = client.emails.send(email(idempotency_key="order-1"))

    assert second == {**first, "replayed": True}
    assert len(emu.sent) == 1


def test_the_same_key_for_another_email_is_refused(client: PostStack, emu: EmulatorSession) -> None:
    client.emails.send(email(idempotency_key="order-1"))

    with pytest.raises(PostStackError) as caught:
        client.emails.send(email(idempotency_key="order-1", subject="Something else"))

    assert caught.value.status_code == 422
    assert not caught.value.transient
    assert len(emu.sent) == 1


def test_an_answer_lost_after_acceptance_does_not_double_the_email(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=2)

    sent = client.emails.send(email())

    assert sent.get("replayed")
    assert [arrived.id for arrived in emu.sent] == [sent["id"]]


def test_a_key_that_no_header_can_carry_still_counts(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1)

    client.emails.send(email(idempotency_key="bestellung-ä-☃"))

    assert len(emu.sent) == 1


def test_an_outage_shorter_than_the_retries_goes_unnoticed(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(status=503, times=3)

    client.emails.send(email())

    assert len(emu.sent) == 1


def test_an_outage_longer_than_the_retries_is_reported(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(status=503, times=4)

    with pytest.raises(PostStackError) as caught:
        client.emails.send(email())

    assert caught.value.status_code == 503
    assert caught.value.transient
    assert caught.value.request_id
    assert emu.sent == []


def test_a_connection_that_is_always_reset_is_no_answer(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(reset=True)

    with pytest.raises(PostStackConnectionError) as caught:
        client.emails.send(email())

    assert caught.value.status_code == 0
    assert caught.value.__cause__ is not None
    assert emu.sent == []


def test_throttling_is_waited_out(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(status=429, retry_after=30, times=2)
    started = emu.clock.monotonic()

    client.emails.send(email())

    assert emu.clock.monotonic() - started >= 60


def test_a_deadline_ends_the_waiting(emu: EmulatorSession) -> None:
    emu.fail(status=429, retry_after=30, times=2)

    with pytest.raises(PostStackError) as caught:
        emu.client(deadline=45).emails.send(email())

    assert caught.value.status_code == 429
    assert caught.value.retry_after == 30


def test_each_email_of_a_batch_succeeds_or_fails_alone(client: PostStack, emu: EmulatorSession) -> None:
    answer = client.emails.batch({"emails": [email(), email(to=["not an address"]), email(subject="Third")]})

    assert [("id" in result, "error" in result) for result in answer["data"]] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert sorted(arrived.subject for arrived in emu.sent) == ["Hi", "Third"]


def test_a_batch_whose_answer_is_lost_is_not_doubled(client: PostStack, emu: EmulatorSession) -> None:
    emu.fail(lost_answer=True, times=1)

    answer = client.emails.batch({"emails": [email(), email(subject="Second")]})

    assert all(result.get("replayed") for result in answer["data"])
    assert len(emu.sent) == 2


def test_wrong_arguments_are_refused_before_anything_is_sent(client: PostStack, emu: EmulatorSession) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"to": []}, "no recipients"),
        ({"from": ""}, "no sender"),
        ({"to": ["ada@example.com\r\nBcc: eve@example.com"]}, "line break"),
        ({"subject": "Hi\nBcc: eve@example.com"}, "line break"),
        ({"headers": {"X-Note\r\nBcc": "eve@example.com"}}, "header name"),
        ({"attachments": [{"filename": "a", "content": "A" * 13_333_340}]}, "10,000,000"),
        ({"scheduled_at": object()}, "JSON"),
    ]
    for wrong, what in cases:
        with pytest.raises(ValueError, match=what):
            client.emails.send(email(**wrong))

    with pytest.raises(ValueError, match=r"emails\[1\]"):
        client.emails.batch({"emails": [email(), email(to=[])]})
    with pytest.raises(ValueError, match="not 101"):
        client.emails.batch({"emails": [email()] * 101})
    assert emu.sent == []


def test_one_email_is_read_with_its_bodies_and_events(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email(html="<p>Hello</p>"))
    emu.clock.advance(60)

    got = (client.emails.get(sent["id"]))["email"]
    history = (client.emails.get_events(sent["id"]))["events"]

    assert got["publicId"] == sent["id"]
    assert got["status"] == "delivered"
    assert got.get("htmlBody") == "<p>Hello</p>"
    assert [event["eventType"] for event in history] == ["queued", "sent", "delivered"]


def test_an_unknown_id_is_not_found(client: PostStack) -> None:
    with pytest.raises(PostStackError) as caught:
        client.emails.get("em_unknown/../..")

    assert (caught.value.status_code, caught.value.code) == (404, "not_found")


def test_an_id_must_be_one(client: PostStack) -> None:
    for wrong in ("", ".", ".."):
        with pytest.raises(ValueError, match="is not an id"):
            client.emails.get(wrong)


def test_lists_are_filtered_and_paged(client: PostStack) -> None:
    for number in range(5):
        client.emails.send(email(subject=f"Number {number}", tags=["odd" if number % 2 else "even"]))

    page = client.emails.list({"tag": "even", "per_page": 2, "from": "shop"})

    assert [item["subject"] for item in page["data"]] == ["Number 4", "Number 2"]
    assert page["meta"] == {"page": 1, "perPage": 2, "total": 3, "totalPages": 2}


def test_iterating_goes_over_all_pages(client: PostStack) -> None:
    for number in range(5):
        client.emails.send(email(subject=f"Number {number}"))

    subjects: list[str] = []
    for item in client.emails.iterate({"per_page": 2}):
        subjects.append(item["subject"])

    assert subjects == [f"Number {number}" for number in reversed(range(5))]


def test_iterating_over_nothing_ends(client: PostStack) -> None:
    for item in client.emails.iterate():
        pytest.fail(f"unexpected {item}")


def test_a_scheduled_email_is_moved_and_cancelled(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email(scheduled_at="2100-01-01T00:00:00Z"))

    assert (client.emails.reschedule(sent["id"], "2100-02-01T00:00:00Z"))["success"]
    scheduled = (client.emails.get(sent["id"]))["email"]["scheduledAt"]
    assert scheduled is not None
    assert scheduled.startswith("2100-02-01T00:00:00")
    assert (client.emails.cancel(sent["id"]))["success"]
    with pytest.raises(PostStackError) as caught:
        client.emails.cancel(sent["id"])
    assert caught.value.status_code == 409


def test_previews_store_and_send_nothing(client: PostStack, emu: EmulatorSession) -> None:
    sent = client.emails.send(email(html="<p>Hello</p>"))

    preview = client.emails.preview(
        {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "html": "<p>Hello</p>"}
    )
    report = client.emails.spam_preview(
        {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
    )
    insights = client.emails.get_insights(sent["id"])

    assert preview["rendered_subject"] == "Hi"
    assert isinstance(report["score"], (int, float))
    assert isinstance(insights["warnings"], list)
    assert len(emu.sent) == 1
