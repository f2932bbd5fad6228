"""The story of one e-mail, as people read it: what happened, when, at which recipient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from poststack_django.status import CANCELED_EVENT, ENDED_SOFTLY, Happened, Status, meaning_of, status_from

if TYPE_CHECKING:
    from django.utils.functional import Promise

    from poststack_django.models import EmailEvent, SentEmail

__all__ = ["Moment", "failure_text", "timeline_of", "title_of"]

_TITLES: Final[Mapping[str, Promise]] = {
    "email.queued": _("Accepted by PostStack"),
    "email.sent": _("Sent"),
    "email.deferred": _("Deferred, will be tried again"),
    "email.soft_bounced": _("Bounced for now, will be tried again"),
    "email.delivered": _("Delivered"),
    "email.opened": _("Opened"),
    "email.clicked": _("A link was clicked"),
    "email.failed": _("Failed"),
    "email.bounced": _("Bounced"),
    ENDED_SOFTLY: _("Bounced"),
    "email.complained": _("Reported as spam"),
    "email.unsubscribed": _("Unsubscribed"),
    CANCELED_EVENT: _("Canceled"),
}
_BEFORE_THE_API: Final = (Status.REFUSED, Status.UNKNOWN, Status.GAVE_UP, Status.CANCELED, Status.WITHHELD)
# Where events say why. Texts of receiving servers; nothing else in the data is for reading.
_REASONS: Final = ("reason", "diagnostic", "error", "message")
_LONG_AGO: Final = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Moment:
    """One thing that happened. `status` names what it means for its recipient, or is empty."""

    title: str
    at: datetime | None
    status: str = ""
    recipient: str = ""
    """As it was written; empty for all of them."""
    detail: str = ""
    event: EmailEvent | None = field(default=None, repr=False)

    @property
    def failures(self) -> list[str]:
        """Return which receivers of the project have failed, one line each."""
        return [failure_text(failure) for failure in self.event.failures] if self.event else []


def failure_text(failure: Mapping[str, str]) -> str:
    """Return which receiver failed and with what, in one line."""
    names = [failure[name] for name in ("receiver", "error") if failure.get(name)]
    return " · ".join(names)


def title_of(type: str) -> str:
    """Return an event's type in words, itself for types of a later API."""
    return str(_TITLES.get(type, type))


def timeline_of(email: SentEmail, events: Iterable[EmailEvent] | None = None) -> list[Moment]:
    """Return what happened to an e-mail, oldest first: what was stored here and every event.

    `events` saves the query for those at hand. Translated into the active language.
    """
    written = {recipient.address: str(recipient) for recipient in email.recipients.all()}
    found = list(email.events.all() if events is None else events)
    own = _own_moments(email, accepted=any(event.type == "email.queued" for event in found))
    later = [*own, *(_moment(event, written) for event in found)]
    # It comes first whatever the clocks say: the API has another one. The sort is stable, so that what happened in the
    # same moment stays in the order in which it is stored.
    stored = Moment(str(_("Stored, about to be sent")), email.created_at, Status.PENDING)
    return [stored, *sorted(later, key=lambda moment: moment.at or _LONG_AGO)]


def _own_moments(email: SentEmail, *, accepted: bool) -> Iterable[Moment]:
    if email.sent_at is not None and not accepted:
        yield Moment(title_of("email.queued"), email.sent_at, Status.QUEUED)
    if email.email_id is None and email.status in _BEFORE_THE_API:
        yield Moment(email.get_status_display(), email.status_at, email.status, detail=email.error)


def _moment(event: EmailEvent, written: Mapping[str, str]) -> Moment:
    kind = meaning_of(event.type, event.data.get("final"))
    known = status_from([Happened(kind, event.occurred_at)])
    return Moment(
        title_of(kind),
        event.occurred_at or event.received_at,
        "" if known is None else known.status.value,
        written.get(event.recipient, event.recipient),
        next((str(event.data[name]) for name in _REASONS if event.data.get(name)), ""),
        event,
    )
