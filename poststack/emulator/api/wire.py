"""The records as the API writes them: camelCase, see `poststack-api` §3.5 and §4."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from poststack.emulator.model import Delivery, Email, EmailEvent, Suppression, Template, Webhook, iso
from poststack.emulator.search import Page, recipient_provider

__all__ = [
    "delivery_json",
    "email_json",
    "event_json",
    "full_email_json",
    "page_json",
    "slice_page",
    "suppression_json",
    "template_json",
    "webhook_json",
]


def email_json(email: Email) -> dict[str, Any]:
    """Write an e-mail as lists show it, without bodies and events."""
    message = email.message
    return {
        "id": email.number,
        "publicId": email.id,
        "fromAddress": message.from_.address,
        "fromName": message.from_.name,
        "toAddresses": [to.address for to in message.to],
        "ccAddresses": [cc.address for cc in message.cc] or None,
        "bccAddresses": [bcc.address for bcc in message.bcc] or None,
        "replyTo": [str(reply) for reply in message.reply_to] or None,
        "subject": message.subject,
        "headers": dict(message.headers) or None,
        "tags": list(message.tags) or None,
        "status": email.status,
        "testMode": email.test_mode,
        "recipientProvider": recipient_provider(email),
        "unsubscribeEnabled": message.unsubscribe,
        "spamScore": f"{message.spam_score:.2f}",
        "spamWarnings": [
            {"name": finding.name, "score": finding.score, "description": finding.description}
            for finding in message.spam
        ]
        or None,
        "scheduledAt": _iso(email.scheduled_at),
        "sentAt": _iso(email.sent_at),
        "createdAt": iso(email.created_at),
    }


def full_email_json(email: Email) -> dict[str, Any]:
    """Write an e-mail with its bodies and events."""
    return {
        **email_json(email),
        "htmlBody": email.message.html,
        "textBody": email.message.text,
        "events": [event_json(email, event) for event in email.events],
    }


def event_json(email: Email, event: EmailEvent) -> dict[str, Any]:
    """Write one event. The recipient, which the API does not show, is part of the metadata."""
    metadata = {**({"recipient": event.recipient} if event.recipient else {}), **event.metadata}
    return {
        "id": event.id,
        "emailId": email.number,
        "eventType": event.type,
        "metadata": metadata or None,
        "geoCountry": event.country,
        "geoRegion": event.region,
        "geoCity": event.city,
        "uaClientName": event.client_name,
        "uaClientType": event.client_type,
        "uaOs": event.os,
        "uaDeviceType": event.device,
        "isPrefetch": event.is_prefetch,
        "createdAt": iso(event.at),
    }


def webhook_json(webhook: Webhook, now: float) -> dict[str, Any]:
    """Write a webhook without its secrets."""
    expires = webhook.previous_secret_expires_at
    return {
        "id": webhook.id,
        "url": webhook.url,
        "description": webhook.description,
        "events": list(webhook.events),
        "active": webhook.active,
        "createdAt": iso(webhook.created_at),
        "secretRotatedAt": _iso(webhook.secret_rotated_at),
        "previousSecretExpiresAt": _iso(expires if expires is not None and expires > now else None),
        "consecutiveFailures": webhook.consecutive_failures,
        "disabledAt": _iso(webhook.disabled_at),
        "disabledReason": webhook.disabled_reason,
    }


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """Write a delivery with the outcome of its last attempt."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.id,
        "webhookId": delivery.webhook_id,
        "eventType": delivery.event_type,
        "payload": json.loads(delivery.body),
        "statusCode": last and last.status,
        "responseBody": last and last.response_body,
        "attempts": len(delivery.attempts),
        "nextRetryAt": _iso(delivery.next_attempt_at),
        "deliveredAt": _iso(delivery.delivered_at),
        "createdAt": iso(delivery.created_at),
    }


def suppression_json(suppression: Suppression) -> dict[str, Any]:
    """Write a suppression."""
    return {
        "id": suppression.id,
        "email": suppression.email,
        "reason": suppression.reason,
        "createdAt": iso(suppression.created_at),
    }


def template_json(template: Template) -> dict[str, Any]:
    """Write a template."""
    return {
        "id": template.number,
        "publicId": template.id,
        "name": template.name,
        "subject": template.subject,
        "htmlBody": template.html,
        "textBody": template.text,
        "variables": list(template.variables),
        "published": template.published,
        "version": template.version,
        "createdAt": iso(template.created_at),
    }


def slice_page(items: Sequence[Any], page: int, per_page: int) -> Page[Any]:
    """Cut one page out of a list."""
    return Page(items[(page - 1) * per_page : page * per_page], page, per_page, len(items))


def page_json(page: Page[Any]) -> dict[str, int]:
    """Write where a page stands in its list."""
    return {
        "page": page.page,
        "perPage": page.per_page,
        "total": page.total,
        "totalPages": page.total_pages,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
