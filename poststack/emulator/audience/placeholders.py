"""What a contact finds in place of `{{first_name}}` and the other placeholders of a broadcast."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from poststack.emulator.api.content import fill
from poststack.emulator.outreach.broadcasts import Content

if TYPE_CHECKING:
    from poststack.emulator.audience.records import Contact

__all__ = ["personal", "placeholders"]

# What a contact is called must not keep the e-mail from being sent: a subject is one line of limited length.
_MAX_SUBJECT = 998
_BREAKS = re.compile(r"[\r\n\0]+")


def personal(content: Content, contact: Contact) -> Content:
    """Return the content with all placeholders filled in; one without a value becomes nothing."""
    values = placeholders(contact)
    subject = _BREAKS.sub(" ", fill(content.subject, values, escape=False))[:_MAX_SUBJECT]
    return Content(
        subject,
        None if content.html is None else fill(content.html, values, escape=True),
        None if content.text is None else fill(content.text, values, escape=False),
    )


def placeholders(contact: Contact) -> dict[str, str]:
    """Return the values by name: properties by their own, also after `properties.`, and what every contact has."""
    properties = {name: _text(value) for name, value in contact.properties.items() if value is not None}
    return {
        **properties,
        **{f"properties.{name}": value for name, value in properties.items()},
        "email": contact.email,
        "first_name": contact.first_name or "",
        "last_name": contact.last_name or "",
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
