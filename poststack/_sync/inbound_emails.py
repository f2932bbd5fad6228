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
    from os import PathLike

    from poststack._saving import BinaryFile
    from poststack._sync.session import Session
    from poststack.types.inbound_emails import DraftReply, ForwardInbound, InboundQuery, ReplyInbound

__all__ = ["InboundEmails"]


class InboundEmails:
    """Read received e-mails, answer and forward them. Ids are integers.

    `reply` and `forward` send, but not through the endpoints that honour idempotency keys. So they are not retried once
    an attempt may have sent the e-mail: the error says so in `may_have_taken_effect`. Look for the e-mail with
    `emails.list` before you repeat one, or answer with `emails.send` and a key of your own.
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
        """Return one file of a received e-mail, as it was sent.

        It is held in memory whole, and may have 128 MiB at most; `save_attachment` writes larger ones to a file. Its
        name and type are the sender's claim. Do not use the name as a path.
        """
        return self._session.call(
            Request("GET", f"/inbound/{segment(id)}/attachments/{segment(attachment_id)}", bytes), timeout
        )

    def save_attachment(
        self, id: int, attachment_id: int, file: str | PathLike[str] | BinaryFile, *, timeout: float | None = None
    ) -> int:
        """Write one file of a received e-mail to `file`, as it comes, and return how many bytes it has.

        A path's file is there once it is whole, in place of one that was there before; whatever fails, that one stays.
        A file that is open for writing bytes is written to from where it stands; when something fails, it is put back
        there, if it can be. An answer that is cut off is fetched again from the start, but not into a file that cannot
        be put back.

        Needs little memory, and has no limit of size. Raises `OSError` for what cannot be written.
        """
        from poststack._sync.saving import save

        path = f"/inbound/{segment(id)}/attachments/{segment(attachment_id)}"
        return save(self._session, Request("GET", path, bytes), file, timeout)

    def draft_reply(self, id: int, input: DraftReply | None = None, *, timeout: float | None = None) -> DraftedReply:
        """Return parts to make a reply of: sender, subject, salutation, quote, threading. Nothing is stored or sent."""
        body: DraftReply = {} if input is None else input
        return self._session.call(
            Request("POST", f"/inbound/{segment(id)}/draft-reply", DraftedReply, body=body), timeout
        )

    def reply(self, id: int, input: ReplyInbound, *, timeout: float | None = None) -> SentEmail:
        """Answer the sender, in the same thread, and return the `em_…` id of the answer."""
        return self._session.call(
            Request("POST", f"/inbound/{segment(id)}/reply", SentEmail, body=input, repeatable=False), timeout
        )

    def forward(self, id: int, input: ForwardInbound, *, timeout: float | None = None) -> SentEmail:
        """Forward a received e-mail with its files, and return the `em_…` id of what is sent."""
        return self._session.call(
            Request("POST", f"/inbound/{segment(id)}/forward", SentEmail, body=input, repeatable=False), timeout
        )
