"""What mail libraries say in the terms of RFC 5322 and MIME, in the terms of the API: for those who write adapters.

    from poststack import mime

    mime.address_from(("Doe, John", "john@example.com"), "to")   # '"Doe, John" <john@example.com>'
    mime.attachment_from(("total.csv", "a,b", "text/csv"), 0, "utf-8")
    mime.payload_from(message, charset="utf-8")                  # Django's EmailMessage, and all that look like it

Nothing is guessed and nothing left out: `ValueError` names the field that the API cannot carry, and never contains an
address or a text of the message. No I/O.
"""

from __future__ import annotations

from poststack.mime.addresses import address_from, addresses_from, refuse_line_breaks, same_addresses
from poststack.mime.files import attachment_from, file_from
from poststack.mime.headers import ADDRESS_HEADERS, headers_from
from poststack.mime.message import EmailMessageLike, finished_payload, line_from, payload_from, reply_to_from
from poststack.mime.texts import bytes_from, refuse_half_characters, text_from

__all__ = [
    "ADDRESS_HEADERS",
    "EmailMessageLike",
    "address_from",
    "addresses_from",
    "attachment_from",
    "bytes_from",
    "file_from",
    "finished_payload",
    "headers_from",
    "line_from",
    "payload_from",
    "refuse_half_characters",
    "refuse_line_breaks",
    "reply_to_from",
    "same_addresses",
    "text_from",
]
