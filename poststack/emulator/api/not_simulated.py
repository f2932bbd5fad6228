"""Endpoints that exist and are not simulated: they say so, instead of making up a success."""

from __future__ import annotations

from collections.abc import Mapping

from poststack.emulator.api.answers import RefusalError, Reply
from poststack.emulator.api.call import Call
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend

__all__ = ["ROUTES"]

_PATHS = """
POST /domains
GET /domains
GET /domains/{id}
POST /domains/{id}/verify
PATCH /domains/{id}
DELETE /domains/{id}
POST /domains/{id}/ip
DELETE /domains/{id}/ip
GET /domains/{id}/dmarc/reports
GET /domains/{id}/dmarc/stats
GET /domains/{id}/dmarc/sources
POST /domains/{id}/dkim/rotate
POST /domains/{id}/dkim/rotate/activate
DELETE /domains/{id}/dkim/rotate
GET /domains/{id}/placement
POST /contacts
GET /contacts
GET /contacts/{id}
GET /contacts/by-email/{email}
PATCH /contacts/{id}
DELETE /contacts/{id}
POST /contacts/{id}/unsubscribe
POST /contacts/import
GET /contacts/export
GET /contact-properties
POST /contact-properties
PATCH /contact-properties/{id}
DELETE /contact-properties/{id}
GET /contact-properties/{id}/option-usage
POST /segments
GET /segments
GET /segments/{id}
PATCH /segments/{id}
DELETE /segments/{id}
POST /segments/{id}/contacts
DELETE /segments/{id}/contacts/{contact}
POST /segments/preview
GET /segments/{id}/members
GET /segments/{id}/growth
GET /segments/{id}/broadcasts
POST /broadcasts
GET /broadcasts
GET /broadcasts/{id}
PATCH /broadcasts/{id}
POST /broadcasts/{id}/send
POST /broadcasts/{id}/cancel
POST /broadcasts/{id}/resend
POST /broadcasts/{id}/test
GET /broadcasts/{id}/variants
GET /broadcasts/{id}/variant-stats
GET /broadcasts/performance
GET /broadcasts/{id}/performance
GET /broadcasts/{id}/non-openers
GET /broadcasts/{id}/non-clickers
POST /broadcasts/{id}/end-ab-test
POST /api-keys
GET /api-keys
GET /api-keys/{id}
DELETE /api-keys/{id}
POST /api-keys/{id}/rotate
POST /mailboxes
GET /mailboxes
GET /mailboxes/{id}
PATCH /mailboxes/{id}
DELETE /mailboxes/{id}
POST /mailboxes/{id}/password
POST /mailboxes/aliases
GET /mailboxes/aliases
DELETE /mailboxes/aliases/{id}
GET /mailboxes/{id}/filters
PUT /mailboxes/{id}/filters
GET /webmail/{id}/signature
PUT /webmail/{id}/signature
GET /mailboxes/unread-summary
GET /mailboxes/{id}/shares
POST /mailboxes/{id}/shares
DELETE /mailboxes/{id}/shares/{target}
GET /inbound
GET /inbound/{id}
GET /inbound/{id}/attachments
GET /inbound/{id}/attachments/{attachment}
POST /inbound/{id}/draft-reply
POST /inbound/{id}/reply
POST /inbound/{id}/forward
GET /subscription-topics
POST /subscription-topics
DELETE /subscription-topics/{id}
GET /subscription-topics/contacts/{contact}/subscriptions
POST /subscription-topics/contacts/{contact}/subscriptions
DELETE /subscription-topics/contacts/{contact}/subscriptions/{topic}
GET /subscription-topics/{id}
PATCH /subscription-topics/{id}
GET /subscription-topics/{id}/subscribers
GET /workflows
POST /workflows
GET /workflows/{id}
PATCH /workflows/{id}
DELETE /workflows/{id}
GET /workflows/{id}/graph
PUT /workflows/{id}/graph
POST /workflows/{id}/validate
POST /workflows/{id}/activate
POST /workflows/{id}/pause
POST /workflows/{id}/trigger
POST /workflows/events
GET /signup-forms
POST /signup-forms
GET /signup-forms/{id}
PATCH /signup-forms/{id}
DELETE /signup-forms/{id}
POST /signup-forms/{id}/submit
POST /email-validations
POST /email-validations/batch
GET /notification-channels
POST /notification-channels
GET /notification-channels/{id}
PUT /notification-channels/{id}
DELETE /notification-channels/{id}
GET /notification-channels/{id}/deliveries
POST /notification-channels/{id}/test
POST /notification-channels/{id}/deliveries/{delivery}/replay
"""


def _refuse(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    path = "/".join(call.segments[:1])
    raise RefusalError(501, f"The emulator does not simulate {call.method} /{path}…; nothing was done.")


ROUTES = tuple(Route(method, path, _refuse) for method, path in map(str.split, _PATHS.strip().splitlines()))
