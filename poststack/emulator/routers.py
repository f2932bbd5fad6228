"""All routes there are: those of the API, group by group, and those of the control interface."""

from __future__ import annotations

from poststack.emulator.api import (
    api_keys,
    broadcast_figures,
    broadcasts,
    contact_import,
    contact_properties,
    contacts,
    domains,
    email_validations,
    emails,
    inbound,
    mailboxes,
    not_simulated,
    notification_channels,
    segments,
    signup_forms,
    subscription_topics,
    suppressions,
    templates,
    webhooks,
    workflows,
)
from poststack.emulator.api.routes import Router
from poststack.emulator.control import domains as control_domains
from poststack.emulator.control import emails as control
from poststack.emulator.control import inbound as control_inbound
from poststack.emulator.control import mailboxes as control_mailboxes
from poststack.emulator.control import workflows as control_workflows

__all__ = ["API", "CONTROL"]

API = Router(
    (
        *api_keys.ROUTES,
        *domains.ROUTES,
        *broadcast_figures.ROUTES,
        *broadcasts.ROUTES,
        *email_validations.ROUTES,
        *emails.ROUTES,
        *inbound.ROUTES,
        *mailboxes.ROUTES,
        *notification_channels.ROUTES,
        *contacts.ROUTES,
        *contact_import.ROUTES,
        *contact_properties.ROUTES,
        *signup_forms.ROUTES,
        *subscription_topics.ROUTES,
        *segments.ROUTES,
        *suppressions.ROUTES,
        *templates.ROUTES,
        *webhooks.ROUTES,
        *workflows.ROUTES,
        *not_simulated.ROUTES,
    )
)
CONTROL = Router(
    (
        *control.ROUTES,
        *control_domains.ROUTES,
        *control_inbound.ROUTES,
        *control_mailboxes.ROUTES,
        *control_workflows.ROUTES,
    )
)
