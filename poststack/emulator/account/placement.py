"""What the receiving side did with e-mails, counted from what was simulated. It is what a domain's placement shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from poststack.emulator.model import Email, EmailEvent, Recipient, iso
from poststack.emulator.search import provider_of
from poststack.types import InboxPlacement, PlacementBucket, PlacementProvider, PlacementSignal

__all__ = ["placement"]

_OTHER = "other"
_SIGNALS = frozenset({"deferred", "bounced", "soft_bounced"})
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# The second number of an enhanced status code (RFC 3463) says what it is about.
_BUCKETS: dict[int, PlacementBucket] = {
    1: "recipient",
    2: "recipient",
    3: "infrastructure",
    4: "infrastructure",
    5: "infrastructure",
    6: "content",
    7: "policy",
}
# RFC 7372 gives these to SPF and DKIM.
_AUTHENTICATION = range(20, 27)


@dataclass
class _Counts:
    sent: int = 0
    accepted: int = 0
    deferred: int = 0
    bounced: int = 0
    complained: int = 0

    def add(self, recipient: Recipient) -> None:
        state = recipient.state
        self.sent += 1
        self.accepted += state in {"delivered", "complained"}
        self.deferred += state == "deferred"
        self.bounced += state == "bounced"
        self.complained += state == "complained"

    @property
    def acceptance_rate(self) -> float | None:
        return _rate(self.accepted, self.sent)


def placement(emails: Sequence[Email], days: int) -> InboxPlacement:
    """Return what became of these e-mails, all of the last `days`. Only what has left counts, once per recipient."""
    sent = [email for email in emails if email.sent_at is not None]
    totals, by_provider = _Counts(), dict[str, _Counts]()
    for email in sent:
        for recipient in email.recipients:
            totals.add(recipient)
            by_provider.setdefault(_provider(recipient.address), _Counts()).add(recipient)
    signals = _signals(sent)
    return {
        "windowDays": days,
        "totals": {
            "sent": totals.sent,
            "accepted": totals.accepted,
            "deferred": totals.deferred,
            "bounced": totals.bounced,
            "complained": totals.complained,
            "acceptanceRate": totals.acceptance_rate,
            "complaintRate": _rate(totals.complained, totals.accepted),
            "avgSpamScore": _rate(sum(email.message.spam_score for email in sent), len(sent)),
        },
        "senderSignals": [signal for signal in signals if signal["ownership"] != "recipient"],
        "recipientSignals": [signal for signal in signals if signal["ownership"] == "recipient"],
        "providers": [_provider_json(name, counts) for name, counts in sorted(by_provider.items())],
    }


def _rate(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _provider(address: str) -> str:
    return provider_of(address.rpartition("@")[2].lower()) or _OTHER


def _provider_json(name: str, counts: _Counts) -> PlacementProvider:
    return {
        "provider": name,
        "sent": counts.sent,
        "accepted": counts.accepted,
        "deferred": counts.deferred,
        "bounced": counts.bounced,
        "complained": counts.complained,
        "acceptanceRate": counts.acceptance_rate,
    }


def _signals(emails: Iterable[Email]) -> list[PlacementSignal]:
    events = (
        (event.at, _provider(event.recipient), *_answer(event))
        for email in emails
        for event in email.events
        if event.type in _SIGNALS and event.recipient is not None
    )
    found: dict[tuple[str, str | None, str | None], PlacementSignal] = {}
    for at, provider, code, message in sorted(events, key=lambda entry: entry[0]):
        bucket = _bucket(message)
        signal = found.setdefault(
            (provider, code, message),
            {
                "bucket": bucket,
                "ownership": "unknown" if bucket == "unknown" else "recipient" if bucket == "recipient" else "sender",
                "provider": provider,
                "code": code,
                "message": message,
                "messages": 0,
                "lastSeenAt": iso(at),
            },
        )
        signal["messages"] += 1
        signal["lastSeenAt"] = iso(at)
    return list(found.values())


def _answer(event: EmailEvent) -> tuple[str | None, str | None]:
    # Whoever simulates an event says in its details what they like.
    code, reason = event.metadata.get("smtp_code"), event.metadata.get("reason")
    return str(code) if isinstance(code, int) else None, reason if isinstance(reason, str) else None


def _bucket(message: str | None) -> PlacementBucket:
    status = _STATUS.search(message or "")
    if status is None:
        return "unknown"
    kind, subject, detail = map(int, status.groups())
    if subject == 7 and detail in _AUTHENTICATION:
        return "authentication"
    if subject == 7 and kind == 4:
        return "throttled"
    return _BUCKETS.get(subject, "unknown")
