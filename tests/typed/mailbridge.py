"""What type checkers say of MailBridge. This module is checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

from typing_extensions import assert_type

from poststack import attachments
from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    BulkEmailDTO,
    BulkEmailResponseDTO,
    EmailMessageDto,
    EmailResponseDTO,
    EmailSendError,
    Failover,
    MailBridge,
    SqliteKeyStore,
)
from poststack.providers import FailureKind
from poststack.types import BatchAnswer, SentEmail


def sending(moment: datetime) -> None:
    with MailBridge("sendgrid", api_key="SG.x", from_email="a@example.com", keys=SqliteKeyStore("keys.db")) as mailer:
        assert_type(mailer, MailBridge)
        response = mailer.send(
            ["b@example.com"],
            "Hi",
            "<p>Hi</p>",
            text="Hi",
            reply_to=["c@example.com"],
            attachments=[
                Path("a.pdf"),
                ("a.csv", "a,b", "text/csv"),
                attachments.from_bytes(b"PNG", "a.png", content_id="logo"),
            ],
            metadata={"order": "17"},
            scheduled_at=moment,
            idempotency_key="order-17",
            track_opens=False,
            options={"sendgrid": {"batch_id": "x"}},
            timeout=5,
        )
        assert_type(response, EmailResponseDTO)
        assert_type(response.message_id, str | None)
        assert_type(response.kind, FailureKind | None)
        assert_type(response.refused, dict[str, str])
        assert_type(mailer.emails.send({"from": "a@example.com", "to": ["b@example.com"]}), SentEmail)
        assert_type(mailer.emails.batch({"emails": []}), BatchAnswer)


def bulk(mailer: MailBridge, messages: Iterator[EmailMessageDto]) -> None:
    assert_type(mailer.send_bulk(messages, default_from="a@example.com", tags=["news"]), BulkEmailResponseDTO)
    assert_type(mailer.send_bulk(BulkEmailDTO([EmailMessageDto("b@example.com", "Hi", "x")])), BulkEmailResponseDTO)
    for response in mailer.send_each(messages):
        assert_type(response, EmailResponseDTO)


async def on_a_loop(messages: AsyncIterator[EmailMessageDto]) -> None:
    async with AsyncMailBridge("postmark", server_token="x") as mailer:
        assert_type(await mailer.send("b@example.com", "Hi", "x"), EmailResponseDTO)
        assert_type(await mailer.send_bulk(messages), BulkEmailResponseDTO)
        async for response in mailer.send_each(messages):
            assert_type(response, EmailResponseDTO)
    failover = AsyncFailover([mailer], threshold=3, rest=10)
    assert_type(await failover.emails.send({"from": "a@example.com", "to": ["b@example.com"]}), SentEmail)


def errors(error: EmailSendError, mailers: list[MailBridge]) -> None:
    assert_type(error.kind, FailureKind)
    assert_type(error.retry_after, float | None)
    assert_type(error.may_have_been_sent, bool)
    assert_type(Failover(mailers).providers, tuple[str, ...])
