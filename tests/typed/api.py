"""What type checkers say of every call. This module is checked, never run."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import assert_type

from poststack import (
    APIError,
    AsyncPostStack,
    BulkResult,
    EmailWaitError,
    EmailWaitTimeoutError,
    PostStack,
    PostStackError,
    RateLimit,
    Response,
    WebhookEvent,
    attachments,
    events,
)
from poststack.types import (
    Attachment,
    BatchAnswer,
    BatchReplayed,
    BatchResult,
    Email,
    EmailAnswer,
    EmailEvent,
    EmailEvents,
    EmailInsights,
    EmailPreview,
    EmailStatus,
    Page,
    RenderedTemplate,
    SendEmail,
    SentEmail,
    SpamReport,
    Success,
    Suppression,
    Template,
    TemplateAnswer,
    TemplatePresets,
    WebhookAnswer,
    WebhookDeliveries,
    WebhookList,
    WebhookWithSecret,
)

if TYPE_CHECKING:
    from poststack.transports.base import AsyncTransport, Transport


def construction(transport: Transport, async_transport: AsyncTransport) -> None:
    PostStack()
    PostStack("sk_test_x", "https://api.poststack.dev", 30.0, 3)
    PostStack(api_key="sk_test_x", deadline=10, transport=transport)
    AsyncPostStack(api_key="sk_test_x", deadline=10, transport=async_transport)
    with PostStack() as client:
        assert_type(client, PostStack)


def sync_emails(client: PostStack, payload: SendEmail) -> None:
    sent = client.emails.send({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "…"})
    assert_type(sent, SentEmail)
    assert_type(sent["id"], str)
    assert_type(client.emails.send(payload, timeout=5), SentEmail)
    assert_type(client.emails.send(input=payload), SentEmail)
    batch = client.emails.batch({"emails": [payload, payload]})
    assert_type(batch, BatchAnswer)
    assert_type(batch["data"], list[BatchResult])
    many = client.emails.send_many([payload], key_prefix="news", retry_for=5, on_progress=lambda told: print(told.done))
    assert_type(many, Generator[BulkResult, None, None])
    for result in client.emails.send_many(payload for _ in range(3)):
        assert_type(result.id, str | None)
        assert_type(result.error, PostStackError | ValueError | None)
        assert_type(result.sent, bool)
    got = client.emails.get("em_1")
    assert_type(got, EmailAnswer)
    assert_type(got["email"]["status"], EmailStatus)
    page = client.emails.list({"status": "delivered", "from": "shop", "per_page": 50})
    assert_type(page, Page[Email])
    assert_type(page["data"][0], Email)
    assert_type(page["meta"]["totalPages"], int)
    assert_type(client.emails.iterate({"tag": "welcome"}), Iterator[Email])
    for email in client.emails.iterate():
        assert_type(email["publicId"], str)
    assert_type(client.emails.reschedule("em_1", "2030-01-01T00:00:00Z"), Success)
    assert_type(client.emails.cancel("em_1"), Success)
    history = client.emails.get_events("em_1")
    assert_type(history, EmailEvents)
    assert_type(history["events"][0], EmailEvent)
    assert_type(client.emails.get_insights("em_1"), EmailInsights)
    assert_type(client.emails.preview({"from": "a@example.com", "to": ["b@example.com"]}), EmailPreview)
    assert_type(client.emails.spam_preview({"from": "a@example.com", "to": ["b@example.com"]}), SpamReport)


async def async_emails(client: AsyncPostStack, payload: SendEmail) -> None:
    async with AsyncPostStack() as other:
        assert_type(other, AsyncPostStack)
    assert_type(await client.emails.send(payload), SentEmail)
    assert_type(await client.emails.batch({"emails": [payload]}), BatchAnswer)
    async for result in client.emails.send_many([payload]):
        assert_type(result, BulkResult)
    given = (payload async for _ in client.emails.iterate())
    assert_type(client.emails.send_many(given, concurrency=10), AsyncGenerator[BulkResult, None])
    assert_type(await client.emails.get("em_1"), EmailAnswer)
    assert_type(await client.emails.list(), Page[Email])
    assert_type(client.emails.iterate(), AsyncIterator[Email])
    async for email in client.emails.iterate():
        assert_type(email["status"], EmailStatus)
    assert_type(await client.emails.get_events("em_1", timeout=1.5), EmailEvents)


def responses(client: PostStack, payload: SendEmail) -> None:
    answer = client.with_response(client.emails.send, payload, timeout=5)
    assert_type(answer, Response[SentEmail])
    assert_type(answer.data["id"], str)
    assert_type(answer.status_code, int)
    assert_type(answer.request_id, str | None)
    assert_type(answer.headers, Mapping[str, str])
    assert_type(answer.rate_limit, RateLimit | None)
    assert_type(answer.attempts, int)
    if answer.rate_limit is not None:
        assert_type(answer.rate_limit.limit, int | None)
        assert_type(answer.rate_limit.remaining, int | None)
        assert_type(answer.rate_limit.reset, float | None)
    literal = client.with_response(client.emails.send, {"from": "a@example.com", "to": ["b@example.com"], "text": "…"})
    assert_type(literal.data, SentEmail)
    assert_type(client.with_response(client.emails.list, {"tag": "welcome"}).data, Page[Email])
    assert_type(client.with_response(client.emails.get, id="em_1"), Response[EmailAnswer])
    assert_type(client.with_response(client.contacts.export_csv, segment_id="seg_1").data, str)
    assert_type(client.with_response(client.inbound_emails.download_attachment, 7, 8).data, bytes)
    assert_type(client.with_response(client.contacts.save_csv, "contacts.csv").data, int)


async def async_responses(client: AsyncPostStack, payload: SendEmail) -> None:
    assert_type(await client.with_response(client.emails.send, payload, timeout=5), Response[SentEmail])
    literal = await client.with_response(client.emails.send, {"from": "a@example.com", "to": ["b@example.com"]})
    assert_type(literal.data, SentEmail)
    assert_type((await client.with_response(client.emails.list)).data, Page[Email])


def waiting(client: PostStack) -> None:
    wanted: list[EmailStatus] = ["delivered", "bounced"]
    try:
        assert_type(client.emails.wait_until("em_1", "delivered", 30), Email)
        assert_type(client.emails.wait_until("em_1", wanted, deadline=30, timeout=5), Email)
        client.emails.wait_until("em_1", {"delivered", "bounced"}, 30)
    except EmailWaitTimeoutError as error:
        assert_type(error.status, str | None)
    except EmailWaitError as error:
        assert_type(error.email_id, str)


def downloads(client: PostStack) -> None:
    assert_type(client.contacts.save_csv("contacts.csv", segment_id="seg_1"), int)
    assert_type(client.inbound_emails.save_attachment(7, 8, Path("invoice.pdf"), timeout=60), int)
    client.contacts.save_csv(io.BytesIO())
    with open("contacts.csv", "wb") as file:
        client.contacts.save_csv(file)
    with open("contacts.csv", "wb", buffering=0) as raw:
        client.contacts.save_csv(raw)


async def async_waiting_and_downloads(client: AsyncPostStack) -> None:
    assert_type(await client.emails.wait_until("em_1", ["delivered"], 30), Email)
    assert_type(await client.contacts.save_csv("contacts.csv"), int)
    assert_type(await client.inbound_emails.save_attachment(7, 8, io.BytesIO()), int)


def sync_other_groups(client: PostStack) -> None:
    assert_type(client.suppressions.list(), Page[Suppression])
    assert_type(client.suppressions.iterate(), Iterator[Suppression])
    assert_type(client.suppressions.add({"email": "a@example.com", "reason": "manual"}), Success)
    assert_type(client.suppressions.remove("a@example.com"), Success)
    assert_type(client.templates.create({"name": "n", "subject": "s", "html": "h"}), TemplateAnswer)
    assert_type(client.templates.list({"published": "true"}), Page[Template])
    assert_type(client.templates.iterate(), Iterator[Template])
    assert_type(client.templates.update("tpl_1", {"subject": "s"}), TemplateAnswer)
    assert_type(client.templates.get_presets(), TemplatePresets)
    assert_type(client.templates.render("tpl_1", {"name": "Ada"}), RenderedTemplate)
    assert_type(client.webhooks.create({"url": "https://example.com", "events": ["*"]}), WebhookWithSecret)
    assert_type(client.webhooks.create({"url": "https://example.com", "events": ["*"]})["signingSecret"], str)
    assert_type(client.webhooks.get(1), WebhookAnswer)
    assert_type(client.webhooks.list(), WebhookList)
    assert_type(client.webhooks.update(1, {"enabled": True}), WebhookAnswer)
    assert_type(client.webhooks.rotate_secret(1, grace_hours=0), WebhookWithSecret)
    assert_type(client.webhooks.get_deliveries(1, {"page": 2}), WebhookDeliveries)
    assert_type(client.webhooks.batch_replay(1), BatchReplayed)
    assert_type(client.webhooks.verify(b"{}", "sha256=00", "secret"), bool)


async def async_other_groups(client: AsyncPostStack) -> None:
    assert_type(await client.suppressions.list(), Page[Suppression])
    assert_type(client.suppressions.iterate(), AsyncIterator[Suppression])
    assert_type(await client.templates.list(), Page[Template])
    assert_type(await client.templates.publish("tpl_1"), TemplateAnswer)
    assert_type(await client.webhooks.list(), WebhookList)
    assert_type(client.webhooks.verify("{}", "sha256=00", "secret"), bool)


def without_a_client() -> None:
    assert_type(attachments.from_path("invoice.pdf", content_id="logo"), Attachment)
    assert_type(attachments.from_bytes(b"", "invoice.pdf"), Attachment)
    event = events.construct_event(b"{}", "sha256=00", ["new", "old"])
    assert_type(event, WebhookEvent)
    assert_type(event.email_id, str | None)
    assert_type(events.sign(b"{}", "secret"), str)


def errors(client: PostStack, payload: SendEmail) -> None:
    try:
        client.emails.send(payload)
    except PostStackError as error:
        assert_type(error.status_code, int)
        assert_type(error.error, str)
        assert_type(error.code, str | None)
        assert_type(error.retry_after, float | None)
        assert_type(error.headers, dict[str, str])
        assert_type(error.transient, bool)
    assert_type(APIError, type[PostStackError])
