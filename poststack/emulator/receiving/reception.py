"""A mail comes in: one record for each recipient, the oldest ones gone when there are too many, webhooks told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from poststack.emulator.account.domains import Domain
from poststack.emulator.address_syntax import domain_name
from poststack.emulator.api.answers import unprocessable
from poststack.emulator.backend import Backend
from poststack.emulator.receiving.inbound import InboundEmail, InboundFile
from poststack.emulator.receiving.mail_reader import ReadMail
from poststack.emulator.receiving.mailboxes import mailbox_at
from poststack.emulator.receiving.mailroom import take_in
from poststack.emulator.receiving.replies import stripped_reply
from poststack.emulator.store import Store

__all__ = ["EVENT_TYPES", "files_of", "receive", "remove", "remove_all", "unread_inbound"]

EVENT_TYPES = ("email.inbound", "inbound_email.received")
"""What the API calls the arrival of a mail. A webhook is told once, by the first of these names that it wants."""

_MAX_INBOUND = 1_000
_MAX_BYTES = 128 * 1024 * 1024
_MAX_RECIPIENTS = 50
# Events are kept with their deliveries, so a body that is longer than this is to be fetched with the mail.
_MAX_IN_EVENT = 256 * 1024


def receive(backend: Backend, mail: ReadMail, recipients: Sequence[str], now: float) -> list[InboundEmail]:
    """Deliver a mail to these addresses or, when there are none, to those in To and Cc. Return a record for each.

    Only domains that receive get something, see `_delivered_to`. Raises a 422 when that leaves nobody, or too many.
    """
    message = mail.message
    named = recipients or [address.address for address in (*message.to, *message.cc)]
    whole = [address for address in dict.fromkeys(named) if address.find("@") > 0]
    wanted = _delivered_to(backend, whole, explicit=bool(recipients))
    if not wanted:
        raise unprocessable(
            "The mail has no recipient on a domain that receives. Name one in `to`, or say with `recipients` who gets "
            "it whatever its headers say. A domain that was added receives once it is verified and `inbound_enabled`."
        )
    if len(wanted) > _MAX_RECIPIENTS:
        raise unprocessable(f"The mail has more than {_MAX_RECIPIENTS} recipients.")
    if mail.size * len(wanted) > _MAX_BYTES:
        raise unprocessable("The mail is too large for so many recipients: each gets a copy.")
    mailboxes: set[int] = set()
    return [_deliver(backend, mail, address, mailboxes, now) for address in wanted]


def files_of(store: Store, email: InboundEmail) -> list[InboundFile]:
    """Return the files of a mail, in its order."""
    return [file for number in email.files if (file := store.inbound_files.get(number)) is not None]


def unread_inbound(store: Store) -> int:
    """Return how many mails nobody has looked at."""
    return sum(email.unread for email in store.inbound_emails.all())


def remove(store: Store, email: InboundEmail) -> None:
    """Forget a mail with its files and webhook deliveries."""
    for file in files_of(store, email):
        store.inbound_files.remove(file)
    for delivery in store.deliveries_of_inbound(email.number):
        store.remove_delivery(delivery)
    store.inbound_emails.remove(email)


def remove_all(store: Store) -> int:
    """Forget all mails that came in; return how many."""
    found = store.inbound_emails.all()
    for email in found:
        remove(store, email)
    return len(found)


def _delivered_to(backend: Backend, addresses: Sequence[str], *, explicit: bool) -> list[str]:
    """Return the addresses on domains that receive or, where none of them was ever added, on those taken for ours.

    These are all of an explicit list, and of a mail's headers those on the domain of the first.
    """
    ours = [address for address in addresses if (domain := _domain(backend, address)) and _receives(domain)]
    if ours or backend.settings.domains is not None:
        return ours
    unknown = [address for address in addresses if _nobody_added(backend, address)]
    return [address for address in unknown if explicit or _domain_name(address) == _domain_name(unknown[0])]


def _domain_name(address: str) -> str:
    name = address.rpartition("@")[2]
    return domain_name(name) or name.lower()


def _domain(backend: Backend, address: str) -> Domain | None:
    return backend.store.domains.find("name", _domain_name(address))


def _receives(domain: Domain) -> bool:
    return domain.inbound_enabled and domain.status == "verified"


def _nobody_added(backend: Backend, address: str) -> bool:
    removed = backend.store.removed_domains.find("name", _domain_name(address))
    return removed is None and _domain(backend, address) is None


def _deliver(backend: Backend, mail: ReadMail, address: str, have_it: set[int], now: float) -> InboundEmail:
    store = backend.store
    number = store.next_number("inbound_email")
    files = [InboundFile(store.next_number("inbound_file"), number, now, attachment) for attachment in mail.files]
    for file in files:
        store.inbound_files.save(file)
    domain = _domain(backend, address)
    email = InboundEmail(
        number,
        address,
        mail.message,
        now,
        [file.number for file in files],
        mail.size,
        domain_id=None if domain is None else domain.number,
    )
    store.inbound_emails.save(email)
    _trim(store)
    mailbox = mailbox_at(store, address)
    backend.deliveries.announce_first(
        EVENT_TYPES,
        _webhook_data(email, files),
        now,
        inbound_id=number,
        webhooks=mailbox is None or mailbox.webhook_enabled,
    )
    # A mailbox that the mail names by its address and by an alias gets it once.
    if mailbox is not None and mailbox.number not in have_it:
        have_it.add(mailbox.number)
        take_in(backend, mailbox, email, files, now)
    return email


def _trim(store: Store) -> None:
    kept = sum(email.size for email in store.inbound_emails.all())
    for email in store.inbound_emails.all()[:-1]:
        if len(store.inbound_emails) <= _MAX_INBOUND and kept <= _MAX_BYTES:
            break
        kept -= email.size
        remove(store, email)


def _webhook_data(email: InboundEmail, files: Sequence[InboundFile]) -> dict[str, Any]:
    message = email.message
    return {
        "id": email.number,
        "domain_id": email.domain_id,
        "from": message.from_.address,
        "from_name": message.from_.name,
        "to": email.to_address,
        "cc": [address.address for address in message.cc],
        "message_id": message.message_id,
        "subject": message.subject,
        "html": _if_short(message.html),
        "text": _if_short(message.text),
        "mailbox_hash": email.mailbox_hash,
        "spam_score": message.spam_score,
        "spam_verdict": "spam" if message.is_spam else "clean",
        "stripped_reply": _if_short(stripped_reply(message)),
        "attachments": [_file_data(file) for file in files],
    }


def _file_data(file: InboundFile) -> Mapping[str, Any]:
    attachment = file.attachment
    return {
        "id": file.number,
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "size": attachment.size,
    }


def _if_short(text: str | None) -> str | None:
    return None if text is None or len(text) > _MAX_IN_EVENT else text
