"""Contacts as the API writes them (`poststack-api` §4.2)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from poststack.emulator.api.contact_input import COLUMNS
from poststack.emulator.audience.engagement import engagement
from poststack.emulator.audience.records import Contact
from poststack.emulator.model import iso

__all__ = ["contact_json", "contacts_csv"]


def contact_json(contact: Contact, now: float) -> dict[str, Any]:
    """Write a contact."""
    return {
        "id": contact.number,
        "publicId": contact.id,
        "email": contact.email,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "unsubscribed": contact.unsubscribed,
        "properties": dict(contact.properties),
        "engagementSegment": engagement(contact, now),
        "lastEngagedAt": None if contact.last_engaged_at is None else iso(contact.last_engaged_at),
        "createdAt": iso(contact.created_at),
        "updatedAt": iso(contact.updated_at),
    }


def contacts_csv(contacts: Sequence[Contact], defined: Sequence[str]) -> str:
    """Write contacts as CSV: a column for each property that is defined, then for each that is only used.

    Values are written as they are, also those that a spreadsheet would take for formulas.
    """
    used = {name for contact in contacts for name in contact.properties}
    properties = [*defined, *sorted(used.difference(defined))]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*COLUMNS, *properties])
    for contact in contacts:
        fields = (contact.email, contact.first_name, contact.last_name, contact.unsubscribed, iso(contact.created_at))
        values = (contact.properties.get(name) for name in properties)
        writer.writerow([_cell(value) for value in (*fields, *values)])
    return file.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
