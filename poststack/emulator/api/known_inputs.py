"""What each route reads: the types that the client takes, and what the emulator reads beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from poststack.emulator.api import not_simulated
from poststack.emulator.api.input_check import Shape, Takes, shape_of
from poststack.emulator.api.routes import Route
from poststack.events import EventType
from poststack.types import (
    AddContacts,
    AddSuppression,
    Attachment,
    BatchEmails,
    BatchReplay,
    BroadcastPerformanceQuery,
    BroadcastQuery,
    BroadcastTest,
    ChannelWebhook,
    ContactQuery,
    CreateApiKey,
    CreateBroadcast,
    CreateContact,
    CreateContactProperty,
    CreateDomain,
    CreateMailbox,
    CreateMailboxAlias,
    CreateSegment,
    CreateSignupForm,
    CreateSubscriptionTopic,
    CreateTelegramChannel,
    CreateTemplate,
    CreateWebhook,
    CreateWorkflow,
    DraftReply,
    EmailQuery,
    ForwardInbound,
    ImportContacts,
    InboundQuery,
    MailboxQuery,
    PageQuery,
    PutWorkflowGraph,
    ReplyInbound,
    ResendBroadcast,
    SendEmail,
    SetMailboxFilter,
    SetMailboxSignature,
    TelegramBot,
    TemplateQuery,
    TopicSubscriberQuery,
    TriggerWorkflow,
    UpdateBroadcast,
    UpdateContact,
    UpdateContactProperty,
    UpdateDomain,
    UpdateMailbox,
    UpdateNotificationChannel,
    UpdateSegment,
    UpdateSignupForm,
    UpdateSubscriptionTopic,
    UpdateTemplate,
    UpdateWebhook,
    UpdateWorkflow,
    WorkflowEvent,
)

__all__ = ["WEBHOOK_EVENTS", "takes_of"]

WEBHOOK_EVENTS: Final[frozenset[str]] = frozenset(
    {
        "*",
        *get_args(EventType),
        # The API's sources name the first; the others are there by analogy (poststack-api §6.1).
        "contact.created",
        "contact.updated",
        "contact.subscribed",
        "domain.verified",
        "domain.failed",
    }
)
"""The event types that a webhook can ask for."""


def _body(typed_dict: type, *more: str) -> Takes:
    return Takes(shape_of(typed_dict).plus(*more))


def _fields(*names: str) -> Takes:
    return Takes(Shape(dict.fromkeys(names)))


def _query(typed_dict: type, *more: str) -> Takes:
    return Takes(query=frozenset((*shape_of(typed_dict).fields, *more)))


def _parameters(*names: str) -> Takes:
    return Takes(query=frozenset(names))


_NOTHING: Final = Takes()
_EMAILS: Final = frozenset({*shape_of(EmailQuery).fields, "q", "unread"})
_MAIL: Final = Shape(
    {
        **dict.fromkeys(
            ("from", "to", "cc", "reply_to", "subject", "text", "html", "headers", "recipients"),
        ),
        "attachments": shape_of(Attachment),
    }
)
_CHANNEL_CONFIG: Final = Shape({**shape_of(TelegramBot).fields, **shape_of(ChannelWebhook).fields})
_TAKES: Final[Mapping[str, Takes]] = {
    "POST /api-keys": _body(CreateApiKey),
    "GET /api-keys": _query(PageQuery),
    "PATCH /api-keys/{id}": _fields("name"),
    "POST /broadcasts": _body(CreateBroadcast),
    "GET /broadcasts": _query(BroadcastQuery),
    "PATCH /broadcasts/{id}": _body(UpdateBroadcast),
    "POST /broadcasts/{id}/resend": _body(ResendBroadcast),
    "POST /broadcasts/{id}/test": _body(BroadcastTest),
    "GET /broadcasts/performance": _query(BroadcastPerformanceQuery),
    "GET /broadcasts/{id}/non-openers": _parameters("limit"),
    "GET /broadcasts/{id}/non-clickers": _parameters("limit"),
    "POST /contact-properties": _body(CreateContactProperty),
    "GET /contact-properties": _query(PageQuery),
    "PATCH /contact-properties/{id}": _body(UpdateContactProperty),
    "POST /contacts": _body(CreateContact),
    "GET /contacts": _query(ContactQuery),
    "GET /contacts/export": _parameters("segment_id"),
    "POST /contacts/import": _body(ImportContacts),
    "PATCH /contacts/{id}": _body(UpdateContact),
    "POST /domains": _body(CreateDomain),
    "GET /domains": _query(PageQuery),
    "PATCH /domains/{id}": _body(UpdateDomain),
    "POST /domains/{id}/dkim/rotate/activate": _parameters("force"),
    # This list alone reads `perPage`.
    "GET /domains/{id}/dmarc/reports": _parameters("page", "perPage"),
    "GET /domains/{id}/dmarc/stats": _parameters("days"),
    "GET /domains/{id}/dmarc/sources": _parameters("days"),
    "GET /domains/{id}/placement": _parameters("days"),
    "POST /email-validations": _fields("email"),
    "POST /email-validations/batch": _fields("emails"),
    "POST /emails": _body(SendEmail),
    "POST /emails/send": _body(SendEmail),
    "POST /emails/batch": _body(BatchEmails),
    # A payload can be looked at as it will be sent.
    "POST /emails/preview": _body(SendEmail),
    "POST /emails/spam-preview": _body(SendEmail),
    "GET /emails": _query(EmailQuery),
    "PATCH /emails/{id}": _fields("scheduled_at"),
    "GET /inbound": _query(InboundQuery),
    "POST /inbound/{id}/draft-reply": _body(DraftReply),
    "POST /inbound/{id}/reply": _body(ReplyInbound),
    "POST /inbound/{id}/forward": _body(ForwardInbound),
    "POST /mailboxes": _body(CreateMailbox),
    "GET /mailboxes": _query(MailboxQuery),
    "PATCH /mailboxes/{id}": _body(UpdateMailbox),
    "POST /mailboxes/{id}/password": _fields("password"),
    "POST /mailboxes/aliases": _body(CreateMailboxAlias),
    "GET /mailboxes/aliases": _query(PageQuery),
    "PUT /mailboxes/{id}/filters": Takes(Shape({"rules": shape_of(SetMailboxFilter)})),
    "PUT /webmail/{id}/signature": _body(SetMailboxSignature),
    "POST /mailboxes/{id}/shares": _fields("sharedWithMailboxId", "access"),
    "GET /notification-channels": _query(PageQuery),
    "POST /notification-channels": Takes(Shape({**shape_of(CreateTelegramChannel).fields, "config": _CHANNEL_CONFIG})),
    # A change may name the type if it is the one there is.
    "PUT /notification-channels/{id}": Takes(
        Shape({**shape_of(UpdateNotificationChannel).plus("type").fields, "config": _CHANNEL_CONFIG})
    ),
    "GET /notification-channels/{id}/deliveries": _query(PageQuery),
    "POST /segments": _body(CreateSegment),
    "GET /segments": _query(PageQuery),
    "POST /segments/preview": Takes(Shape({"rules": shape_of(CreateSegment).fields["rules"]})),
    "PATCH /segments/{id}": _body(UpdateSegment),
    "POST /segments/{id}/contacts": _body(AddContacts),
    "GET /segments/{id}/members": _query(PageQuery),
    "GET /segments/{id}/growth": _parameters("days"),
    "POST /signup-forms": _body(CreateSignupForm),
    "GET /signup-forms": _query(PageQuery),
    "PATCH /signup-forms/{id}": _body(UpdateSignupForm),
    # Contact properties have names of their own.
    "POST /signup-forms/{id}/submit": Takes(None),
    "POST /subscription-topics": _body(CreateSubscriptionTopic),
    "GET /subscription-topics": _query(PageQuery),
    "PATCH /subscription-topics/{id}": _body(UpdateSubscriptionTopic),
    "GET /subscription-topics/{id}/subscribers": _query(TopicSubscriberQuery),
    "POST /subscription-topics/contacts/{contact}/subscriptions": _fields("topic_id"),
    "POST /suppressions": _body(AddSuppression),
    "GET /suppressions": _query(PageQuery),
    "POST /templates": _body(CreateTemplate),
    "GET /templates": _query(TemplateQuery),
    "PATCH /templates/{id}": _body(UpdateTemplate),
    "POST /templates/{id}/render": _fields("variables"),
    "POST /webhooks": _body(CreateWebhook),
    "GET /webhooks": _query(PageQuery),
    # The API's documents name `description` for new webhooks alone.
    "PATCH /webhooks/{id}": _body(UpdateWebhook, "description"),
    "POST /webhooks/{id}/rotate-secret": _fields("graceHours"),
    "GET /webhooks/{id}/deliveries": _query(PageQuery),
    "POST /webhooks/{id}/deliveries/batch-replay": _body(BatchReplay),
    "POST /workflows": _body(CreateWorkflow),
    "GET /workflows": _query(PageQuery),
    "PATCH /workflows/{id}": _body(UpdateWorkflow),
    "PUT /workflows/{id}/graph": _body(PutWorkflowGraph),
    "POST /workflows/{id}/trigger": _body(TriggerWorkflow),
    "POST /workflows/events": _body(WorkflowEvent),
    "GET /_emulator/emails": Takes(query=_EMAILS),
    "GET /_emulator/emails/latest": Takes(query=_EMAILS | {"after", "wait"}),
    "POST /_emulator/emails/{id}/simulate": _fields(
        "event", "recipient", "metadata", "prefetch",
        "country", "region", "city", "client_name", "client_type", "os", "device",
    ),
    "POST /_emulator/faults": _fields(
        "status", "times", "path", "method", "delay", "retry_after", "code", "error", "reset", "lost_answer",
        "share", "seed", "idempotency_key",
    ),
    "POST /_emulator/clock": _fields("advance"),
    "PUT /_emulator/domains/{id}/dns": _fields("unpublished", "readable"),
    "POST /_emulator/inbound": Takes(_MAIL, frozenset({"recipients"})),
    "PATCH /_emulator/mailboxes/{id}/messages/{inbound}": _fields("unread"),
    "POST /_emulator/mailboxes/{id}/login": _fields("password"),
    "GET /_emulator/workflow-runs": _query(PageQuery, "workflow_id", "contact_id", "status"),
}  # fmt: skip
_NOT_SIMULATED: Final = frozenset(f"{route.method} {route.path}" for route in not_simulated.ROUTES)


def takes_of(route: Route) -> Takes | None:
    """Return what a route reads; `None` for one that is not simulated, and reads nothing."""
    name = f"{route.method} {route.path}"
    return None if name in _NOT_SIMULATED else _TAKES.get(name, _NOTHING)
