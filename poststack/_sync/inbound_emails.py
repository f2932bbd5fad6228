# Written by tools/unasync.py from poststack/_async/inbound_emails.py. Do not edit.
"""Mail that was received on your domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page
from poststack.types.emails import SentEmail
from poststack.types.inbound_emails import DraftedReply, InboundAttachments, InboundEmail, InboundEmailAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack._sync.session import Session
    from poststack.types.inbound_emails import DraftReply, ForwardInbound, InboundQuery, ReplyInbound

__all__ = ["InboundEmails"]


class InboundEmails:
    """Read received e-mails, answer and forward them. Ids are integers.

    `reply` and `forward` send, but not through the endpoints that honour idempotency keys: one that failed without an
    answer may have sent its e-mail, and its retries can send it again. Where a second one would do harm, make a client
    with `max_retries=0` for them, or answer with `emails.send` and a key of your own.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def list(self, params: InboundQuery | None = None, *, timeout: float | None = None) -> Page[InboundEmail]:
        """Return one page of received e-mails, newest first."""
        return self._session.call(Request("GET", "/inbound", Page[InboundEmail], query=params), timeout)

    def iterate(self, params: InboundQuery | None = None, *, timeout: float | None = None) -> Iterator[InboundEmail]:
        """Yield the received e-mails of all pages, newest first.

        Pages are counted, not anchored: while new mail arrives an e-mail can come twice. Remember the ids you saw.
        """
        return self._session.iterate(Listing("/inbound", InboundEmail, query=params), timeout)

    def get(self, id: int, *, timeout: float | None = None) -> InboundEmailAnswer:
        """Return one received e-mail with its bodies and headers."""
        return self._session.call(Request("GET", f"/inbound/{segment(id)}", InboundEmailAnswer), timeout)

    def list_attachments(self, id: int, *, timeout: float | None = None) -> InboundAttachments:
        """Return names, types and sizes of a received e-mail's files."""
        return self._session.call(Request("GET", f"/inbound/{segment(id)}/attachments", InboundAttachments), timeout)

    def download_attachment(self, id: int, attachment_id: int, *, timeout: float | None = None) -> bytes:
        """Return one file of a received e-mail, as it was sent. It is held in memory whole: see `size` first.

        Its name and type are the sender's claim. Do not use the name as a path.
        """
        return self._session.call(
            Request("GET", f"/inbound/{segment(id)}/attachments/{segment(attachment_id)}", bytes), timeout
        )

    def draft_reply(self, id: int, input: DraftReply | None = None, *, timeout: float | None = None) -> DraftedReply:
        """Return parts to make a reply of: sender, subject, salutation, quote, threading. Nothing is stored or sent."""
        body: DraftReply = {} if input is None else input
        return self._session.call(
            Request("POST", f"/inbound/{segment(id)}/draft-reply", DraftedReply, body=body), timeout
        )

    def reply(self, id: int, input: ReplyInbound, *, timeout: float | None = None) -> SentEmail:
        """Answer the sender, in the same thread, and return the `em_…` id of the answer."""
        return self._session.call(Request("POST", f"/inbound/{segment(id)}/reply", SentEmail, body=input), timeout)

    def forward(self, id: int, input: ForwardInbound, *, timeout: float | None = None) -> SentEmail:
        """Forward a received e-mail with its files, and return the `em_…` id of what is sent."""
        return self._session.call(Request("POST", f"/inbound/{segment(id)}/forward", SentEmail, body=input), timeout)
