"""What is wrong with an e-mail, found before anything is sent. Raises `ValueError`; never changes the caller's payload.

Only what is certain is refused: no recipients, line breaks where they would start a new header, and attachments over
the API's limits. Everything else is the API's to judge, and may be allowed tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from poststack.types import BatchEmails, SendEmail

__all__ = [
    "LARGEST_ATTACHMENT",
    "LARGEST_BATCH",
    "LARGEST_EMAIL",
    "LONGEST_KEY_PREFIX",
    "check_attachment_sizes",
    "checked_batch",
    "checked_email",
    "may_be_key_prefix",
]

LARGEST_ATTACHMENT: Final = 10_000_000
"""Bytes of one file, decoded (poststack-api §3.1; the smaller reading of "10 MB")."""
LARGEST_EMAIL: Final = 25_000_000
"""Bytes of all files of one e-mail, decoded."""
LARGEST_BATCH: Final = 100
LONGEST_KEY_PREFIX: Final = 200
"""Characters; a key has at most 255 (poststack-api §5), and the number of the e-mail follows."""

_LINE_BREAK: Final = re.compile(r"[\r\n\x00]")
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2: printable ASCII without the colon.
_LIST_FIELDS: Final = ("to", "cc", "bcc")


def checked_email(email: SendEmail) -> SendEmail:
    """Return the payload to send. A bare string in `to`, `cc` or `bcc` becomes a list, as the API requires."""
    given = cast("object", email)  # Not everybody runs a type checker.
    # Dictionaries are recognized at once, other mappings by what they can do.
    if not isinstance(given, (dict, Mapping)):
        raise ValueError(f"An e-mail is a dictionary such as {{'from': …, 'to': […]}}, not {type(given).__name__}.")
    fields = cast("Mapping[str, Any]", given)
    _check_line("from", fields.get("from"))
    for name in _LIST_FIELDS:
        addresses = fields.get(name)
        if addresses is None:
            continue
        if isinstance(addresses, str) and addresses:
            addresses = [addresses]
            fields = {**fields, name: addresses}
        _check_addresses(name, addresses)
    if not fields.get("to"):
        raise ValueError("The e-mail has no recipients: `to` needs at least one address, also beside `cc` and `bcc`.")
    if not fields.get("from"):
        raise ValueError("The e-mail has no sender: give `from`, such as 'Acme <hello@example.com>'.")
    _check_line("reply_to", fields.get("reply_to"))
    _check_line("subject", fields.get("subject"))
    if headers := fields.get("headers"):
        _check_headers(headers)
    if attachments := fields.get("attachments"):
        _check_attachments(attachments)
    return cast("SendEmail", fields)


def checked_batch(batch: BatchEmails) -> BatchEmails:
    """Return the payload to send. Raises `ValueError` naming the first e-mail that is wrong, counted from 0."""
    given = cast("object", batch)
    emails = cast("Mapping[str, object]", given).get("emails") if isinstance(given, Mapping) else None
    if not isinstance(emails, Sequence) or isinstance(emails, (str, bytes)):
        raise ValueError("A batch is {'emails': [ … ]} with 1 to 100 e-mails.")
    listed = cast("Sequence[SendEmail]", emails)
    if not 1 <= len(listed) <= LARGEST_BATCH:
        raise ValueError(f"A batch takes 1 to {LARGEST_BATCH} e-mails, not {len(listed)}. Split it.")
    checked: list[SendEmail] = []
    for index, email in enumerate(listed):
        try:
            checked.append(checked_email(email))
        except ValueError as error:
            raise ValueError(f"emails[{index}]: {error}") from None
    return cast("BatchEmails", {**batch, "emails": checked})


def may_be_key_prefix(text: str) -> bool:
    """Return whether idempotency keys may begin with it: printable ASCII that is not blank, and not too long."""
    return bool(text.strip()) and len(text) <= LONGEST_KEY_PREFIX and text.isascii() and text.isprintable()


def check_attachment_sizes(sizes: Sequence[tuple[str, int]]) -> None:
    """Raise `ValueError` when a file, or all of them together, are over the API's limits."""
    for filename, size in sizes:
        if size > LARGEST_ATTACHMENT:
            raise ValueError(
                f"The attachment {filename!r} is larger than the {LARGEST_ATTACHMENT:,} bytes that the API takes for "
                "one file. Send a link to it instead."
            )
    total = sum(size for _, size in sizes)
    if total > LARGEST_EMAIL:
        raise ValueError(
            f"The attachments have {total:,} bytes together; the API takes {LARGEST_EMAIL:,} for one e-mail. "
            "Send fewer, or links to them."
        )


def _check_line(field: str, value: object) -> None:
    # The value stays out of the text: it is an address or a subject, and this error ends up in logs.
    if value is None or (isinstance(value, str) and not _LINE_BREAK.search(value)):
        return
    if not isinstance(value, str):
        raise ValueError(f"`{field}` is text, not {type(value).__name__}.")
    raise ValueError(f"`{field}` contains a line break or a NUL, which would let it add headers to the e-mail.")


def _check_addresses(field: str, value: object) -> None:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"`{field}` is a list of addresses, not {type(value).__name__}.")
    for index, address in enumerate(cast("Sequence[object]", value)):
        # Names of places are written only for those that are wrong.
        if isinstance(address, str) and address and not _LINE_BREAK.search(address):
            continue
        _check_line(f"{field}[{index}]", address)
        if not address:
            raise ValueError(f"`{field}[{index}]` is empty.")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, Mapping):
        raise ValueError(f"`headers` is a dictionary of names and texts, not {type(headers).__name__}.")
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("`headers` has a name that is no header name: printable ASCII without spaces and colons.")
        _check_line(f"headers[{name!r}]", value)
        if value is None:
            raise ValueError(f"`headers[{name!r}]` is text, not None.")


def _check_attachments(attachments: object) -> None:
    if not isinstance(attachments, (list, tuple)):
        raise ValueError(f"`attachments` is a list, not {type(attachments).__name__}.")
    sizes: list[tuple[str, int]] = []
    for index, attachment in enumerate(cast("Sequence[object]", attachments)):
        field = f"attachments[{index}]"
        fields = cast("Mapping[str, object]", attachment if isinstance(attachment, Mapping) else {})
        filename, content = fields.get("filename"), fields.get("content")
        if not isinstance(filename, str) or not filename or not isinstance(content, str):
            raise ValueError(
                f"`{field}` needs `filename` and `content`, the content as base64 text. "
                "`poststack.attachments` makes both from a path, bytes or a file."
            )
        for name in ("filename", "content_type", "content_id"):
            _check_line(f"{field}.{name}", fields.get(name))
        sizes.append((filename, _decoded_size(content)))
    check_attachment_sizes(sizes)


def _decoded_size(content: str) -> int:
    # Line breaks are allowed in base64 and count for nothing.
    breaks = content.count("\n") + content.count("\r") if "\n" in content[:100] else 0
    padding = len(content) - len(content.rstrip("=\r\n")) if content.endswith(("=", "\n")) else 0
    return max(0, (len(content) - breaks) * 3 // 4 - min(padding, 2))
