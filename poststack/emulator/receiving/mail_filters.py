"""What the filters of a mailbox make of a mail that comes in. No records are touched here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from poststack.emulator.model import Address
from poststack.emulator.receiving.inbound import InboundMessage
from poststack.emulator.receiving.mailboxes import Filter

__all__ = ["INBOX", "Filed", "filed"]

INBOX = "INBOX"


@dataclass
class Filed:
    """Where a mail goes: into a folder with IMAP flags, or nowhere when it is discarded."""

    folder: str = INBOX
    flags: list[str] = field(default_factory=list[str])
    discarded: bool = False


def filed(filters: Sequence[Filter], message: InboundMessage, recipient: str) -> Filed:
    """Run the filters in their order: the last folder counts, flags add up, `discard` and `stop` end it.

    `recipient` is the address it was delivered to, whether the headers name it or not.
    """
    result = Filed()
    for rule in filters:
        if not rule.enabled or not _applies(rule, message, recipient):
            continue
        if rule.action == "discard":
            return Filed(discarded=True)
        if rule.action == "stop":
            break
        if rule.action == "fileinto" and rule.argument is not None:
            result.folder = INBOX if rule.argument.upper() == INBOX else rule.argument
        elif rule.argument is not None and rule.argument not in result.flags:
            result.flags.append(rule.argument)
    return result


def _applies(rule: Filter, message: InboundMessage, recipient: str) -> bool:
    wanted = rule.value.casefold()
    found = [text.casefold() for text in _texts(rule, message, recipient)]
    holds = {
        "contains": any(wanted in text for text in found),
        "not_contains": all(wanted not in text for text in found),
        "is": wanted in found,
        "is_not": wanted not in found,
    }
    return holds[rule.operator]


def _texts(rule: Filter, message: InboundMessage, recipient: str) -> list[str]:
    if rule.field == "subject":
        return [message.subject or ""]
    addresses: Sequence[Address] = {
        "from": (message.from_,),
        "to": message.to,
        "cc": message.cc,
        "any_recipient": (*message.to, *message.cc, Address(recipient)),
    }[rule.field]
    # `is` means the address, or the whole of name and address; `contains` finds what is in either.
    return [text for address in addresses for text in (address.address, str(address))]
