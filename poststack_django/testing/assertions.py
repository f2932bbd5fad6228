"""What was sent, and assertions about it. They read `mail.outbox`, so they work with Django's own test mailer, too."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from django.core import mail

from poststack_django.result import status_of

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

__all__ = ["assert_sent", "sent_messages"]


def sent_messages(
    *,
    to: str | None = None,
    subject: str | re.Pattern[str] | None = None,
    tag: str | None = None,
    template_id: str | None = None,
) -> list[EmailMessage]:
    """Return the messages of `mail.outbox` that are all of this, oldest first.

    `to` is the address, without the name, of one of the recipients in `to`; `subject` the whole subject, or a compiled
    pattern that is found in it.
    """
    outbox: list[EmailMessage] = getattr(mail, "outbox", [])
    return [
        message
        for message in outbox
        if (to is None or _address(to) in {_address(one) for one in _field(message, "to", message.to)})
        and (subject is None or _matches(str(message.subject), subject))
        and (tag is None or tag in _field(message, "tags", getattr(message, "tags", None) or []))
        and (template_id is None or template_id == _field(message, "template_id", getattr(message, "template_id", "")))
    ]


def assert_sent(
    *,
    to: str | None = None,
    subject: str | re.Pattern[str] | None = None,
    tag: str | None = None,
    template_id: str | None = None,
    count: int | None = None,
) -> list[EmailMessage]:
    """Fail unless `count` messages like this were sent, by default at least one; return them, oldest first.

        (letter,) = assert_sent(to="ada@example.com", tag="receipt", count=1)

    See `sent_messages` for the arguments. The failure names the subjects and ids of what was sent instead.
    """
    __tracebackhide__ = True
    found = sent_messages(to=to, subject=subject, tag=tag, template_id=template_id)
    if len(found) == count or (count is None and found):
        return found
    pattern = subject.pattern if isinstance(subject, re.Pattern) else subject
    wanted = {"subject": pattern, "tag": tag, "template_id": template_id}
    # The address is left out: failures of tests are kept by build servers.
    described = ["to the address given"] if to is not None else []
    described += [f"{name} {value!r}" for name, value in wanted.items() if value is not None]
    what = " with " + ", ".join(described) if described else ""
    expected = "at least one e-mail" if count is None else f"{count} e-mail{'' if count == 1 else 's'}"
    raise AssertionError(f"Expected {expected}{what}; there are {len(found)}. {_summary()}")


def _summary() -> str:
    outbox: list[EmailMessage] = getattr(mail, "outbox", [])
    if not outbox:
        return "Nothing was sent at all."
    lines = [f"  {_id(message)}  {str(message.subject)!r}" for message in outbox]
    return "Sent were:\n" + "\n".join(lines)


def _id(message: EmailMessage) -> str:
    status = status_of(message)
    if status is None:
        return "(no id)"
    return status.id or f"({status.status})"


def _field(message: EmailMessage, name: str, own: Any) -> Any:
    # What the API would have got, defaults of the settings included, where the test mailer has noted it.
    payload: dict[str, Any] | None = getattr(message, "poststack_payload", None)
    return own if payload is None else payload.get(name, type(own)())


def _address(written: object) -> str:
    return parseaddr(str(written))[1].lower()


def _matches(text: str, wanted: str | re.Pattern[str]) -> bool:
    return text == wanted if isinstance(wanted, str) else wanted.search(text) is not None
