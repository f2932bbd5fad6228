"""Broadcasts as the API writes them, the figures in snake_case (`poststack-api` §3.7 and §4.7)."""

from __future__ import annotations

from typing import Any

from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.outreach.broadcasts import AbTest, Broadcast, Counts, Variant

__all__ = ["broadcast_json", "draft_json", "row_json", "variant_json", "variant_stats_json"]


def broadcast_json(backend: Backend, broadcast: Broadcast) -> dict[str, Any]:
    """Write a broadcast. A segment or topic that was deleted is null."""
    segment = backend.store.segments.get(broadcast.segment)
    topic = None if broadcast.topic is None else backend.store.topics.get(broadcast.topic)
    return {
        "id": broadcast.number,
        "publicId": broadcast.id,
        "name": broadcast.name,
        "subject": broadcast.subject,
        "status": broadcast.status,
        "segmentPublicId": None if segment is None else segment.id,
        "topicPublicId": None if topic is None else topic.id,
        "segmentId": None if segment is None else segment.number,
        "totalRecipients": broadcast.counts.recipients,
        **_counts_json(broadcast.counts),
        "bouncedCount": broadcast.counts.bounced,
        "createdAt": iso(broadcast.created_at),
        "sentAt": _iso(broadcast.sent_at),
        "scheduledAt": _iso(broadcast.scheduled_at),
    }


def draft_json(broadcast: Broadcast) -> dict[str, Any]:
    """Write a broadcast as `resend` answers with it."""
    return {"id": broadcast.id, "subject": broadcast.subject, "status": broadcast.status}


def row_json(broadcast: Broadcast) -> dict[str, Any]:
    """Write the figures of a broadcast."""
    counts = broadcast.counts
    return {
        "id": broadcast.id,
        "subject": broadcast.subject,
        "status": broadcast.status,
        "sent_at": _iso(broadcast.sent_at),
        "total_recipients": counts.recipients,
        "delivered": counts.delivered,
        "opened": counts.opened,
        "clicked": counts.clicked,
        "bounced": counts.bounced,
        "open_rate": round(counts.rate(counts.opened), 4),
        "click_rate": round(counts.rate(counts.clicked), 4),
    }


def variant_json(variant: Variant) -> dict[str, Any]:
    """Write a variant with its counts."""
    return {
        "id": variant.number,
        "name": variant.name,
        "subject": variant.subject,
        "weight": variant.weight,
        **_counts_json(variant.counts),
    }


def variant_stats_json(test: AbTest) -> dict[str, Any]:
    """Write how the variants do, and which won."""
    return {
        "variants": [
            {
                **variant_json(variant),
                "recipientCount": variant.counts.recipients,
                "bouncedCount": variant.counts.bounced,
                "openRate": round(variant.counts.rate(variant.counts.opened), 4),
                "clickRate": round(variant.counts.rate(variant.counts.clicked), 4),
            }
            for variant in test.variants
        ],
        "winnerVariantId": test.winner,
    }


def _counts_json(counts: Counts) -> dict[str, int]:
    return {"deliveredCount": counts.delivered, "openedCount": counts.opened, "clickedCount": counts.clicked}


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
