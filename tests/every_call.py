"""Every method that sends a request, twice: with what it requires, and with all that it takes. Awkward values included.

Also run against the published SDK, in an interpreter that has only that: nothing but the standard library is imported.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Call(NamedTuple):
    """One call of a method, which is named `group.method`."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


TEXT = 'Größe "XL" \u2028 \U0001f600'
AWKWARD = "em/../a b+c@é%?#"
PAGE: dict[str, Any] = {"page": 2, "per_page": 50}
EMAIL: dict[str, Any] = {
    "from": "Shop <shop@example.com>",
    "to": ["ada+läden@example.com"],
    "subject": TEXT,
    "html": "<p>é</p>\n",
    "reply_to": None,
    "tags": ["a", "b"],
    "variables": {"n": "1"},
    "tracking": {"opens": False},
}
FILTER: dict[str, Any] = {**PAGE, "subject": "a b&c=é", "tag": None, "to": "x+y@example.com"}
RULES: dict[str, Any] = {
    "operator": "or",
    "conditions": [
        {"field": "emailsOpened", "comparator": "greater_than", "value": "3", "windowDays": 90},
        {"field": "properties.größe", "comparator": "is_set"},
    ],
}
VARIANTS = [{"name": "A", "subject": TEXT, "weight": 50}, {"name": "B", "subject": "b", "text": "t", "weight": 50}]
GRAPH: dict[str, Any] = {
    "nodes": [{"public_id": "n1", "type": "trigger", "config": {}, "canvas_x": 1.5, "canvas_y": -2}],
    "edges": [{"from_public_id": "n1", "to_public_id": "n2", "branch": None}],
}
CALLS: list[Call] = []


def twice(method: str, required: tuple[Any, ...] = (), full: tuple[Any, ...] | None = None, **options: Any) -> None:
    """Add a call with what is required, and one with everything."""
    CALLS.append(Call(method, required, {}))
    CALLS.append(Call(method, required if full is None else full, {**options, "timeout": 20.5}))


def also(method: str, *arguments: Any, **options: Any) -> None:
    """Add a call that is worth making as well."""
    CALLS.append(Call(method, arguments, options))


twice("emails.send", ({"from": "a@example.com", "to": ["b@example.com"]},), (EMAIL,))
twice("emails.batch", ({"emails": [EMAIL, EMAIL]},))
twice("emails.get", ("em_8Zk2v0Qm1pT4c7Ra9x",), (AWKWARD,))
twice("emails.list", (), (FILTER,))
also("emails.list", {})
twice("emails.reschedule", ("em_1", "2030-01-02T03:04:05Z"), (AWKWARD, TEXT))
twice("emails.cancel", ("em_1",), (AWKWARD,))
twice("emails.get_events", ("em_1",), (AWKWARD,))
twice("emails.get_insights", ("em_1",), (AWKWARD,))
twice("emails.preview", ({"from": "a@example.com", "to": ["b@example.com"]},), (EMAIL,))
twice("emails.spam_preview", ({"from": "a@example.com", "to": ["b@example.com"]},), (EMAIL,))

twice(
    "domains.create",
    ({"name": "example.com"},),
    ({"name": "läden.example", "region": "eu-west-1", "open_tracking": False, "tls_mode": "enforced"},),
)
twice("domains.list", (), ({"page": 1},))
twice("domains.get", (7,))
twice("domains.verify", (7,))
twice("domains.update", (7, {}), (7, {"tracking_domain": None, "catch_all": True, "stream_preference": "any"}))
twice("domains.delete", (7,))
twice("domains.assign_ip", (7, 8))
twice("domains.unassign_ip", (7,))
twice("domains.get_dmarc_reports", (7,), (7, {"per_page": 50, "page": 2}))
also("domains.get_dmarc_reports", 7, {"perPage": 10, "per_page": 50, "page": 2})
also("domains.get_dmarc_reports", 7, {"per_page": None})
also("domains.get_dmarc_reports", 7, {})
twice("domains.get_dmarc_stats", (7,), (7, 30))
twice("domains.get_dmarc_sources", (7,), (7, 0))
twice("domains.start_dkim_rotation", (7,))
twice("domains.activate_dkim_rotation", (7,), force=True)
also("domains.activate_dkim_rotation", 7, force=False)
twice("domains.cancel_dkim_rotation", (7,))
twice("domains.get_inbox_placement", (7,), (7, 90))

twice(
    "contacts.create",
    ({"email": "a@example.com"},),
    ({"email": "ü@example.com", "first_name": TEXT, "unsubscribed": False, "properties": {"größe": 42, "x": None}},),
)
twice("contacts.list", (), ({**PAGE, "search": "a b", "engagement_segment": "at_risk", "unsubscribed": "true"},))
also("contacts.list", {"unsubscribed": True})
twice("contacts.get", ("con_1",), (AWKWARD,))
twice("contacts.get_by_email", ("a@example.com",), ("ü+b@example.com",))
twice("contacts.update", ("con_1", {}), (AWKWARD, {"last_name": TEXT, "properties": {}}))
twice("contacts.delete", ("con_1",), (AWKWARD,))
twice("contacts.unsubscribe", ("con_1",), (AWKWARD,))
twice(
    "contacts.import_",
    ({"contacts": [{"email": "a@example.com"}]},),
    ({"contacts": [{"email": "a@example.com", "first_name": TEXT, "properties": {"a": "b"}}]},),
)
twice("contacts.export_csv", segment_id="seg_1")
also("contacts.export_csv", segment_id="seg 1&é")

twice("contact_properties.list")
twice(
    "contact_properties.create",
    ({"name": "size", "label": "Size", "type": "text"},),
    ({"name": "size", "label": TEXT, "type": "select", "options": ["S", "é"], "required": True},),
)
twice("contact_properties.update", (7, {}), (7, {"label": TEXT, "options": [], "required": False}))
twice("contact_properties.delete", (7,))
twice("contact_properties.option_usage", (7,))

twice("segments.create", ({"name": "All"},), ({"name": TEXT, "rules": RULES},))
twice("segments.list", (), (PAGE,))
twice("segments.get", ("seg_1",), (AWKWARD,))
twice("segments.update", ("seg_1", {}), (AWKWARD, {"name": TEXT, "rules": None}))
twice("segments.delete", ("seg_1",), (AWKWARD,))
twice("segments.add_contacts", ("seg_1", {"contact_ids": ["con_1"]}), (AWKWARD, {"contact_ids": ["con_1", TEXT]}))
twice("segments.remove_contact", ("seg_1", "con_1"), (AWKWARD, AWKWARD))
twice("segments.preview_rules", ({"rules": RULES},))
twice("segments.members", ("seg_1",), (AWKWARD, PAGE))
twice("segments.growth", ("seg_1",), (AWKWARD, 365))
twice("segments.broadcasts", ("seg_1",), (AWKWARD,))

twice(
    "templates.create",
    ({"name": "n", "subject": "s", "html": "<p>{{a}}</p>"},),
    ({"name": "n", "subject": TEXT, "html": "", "variables": ["a"], "builder_blocks": {"blocks": [{"é": None}]}},),
)
twice("templates.list", (), ({**PAGE, "published": "true", "search": "new year"},))
also("templates.list", {"published": True})
twice("templates.get", ("tpl_1",), (AWKWARD,))
twice("templates.update", ("tpl_1", {}), (AWKWARD, {"subject": TEXT}))
twice("templates.delete", ("tpl_1",), (AWKWARD,))
twice("templates.publish", ("tpl_1",), (AWKWARD,))
twice("templates.unpublish", ("tpl_1",), (AWKWARD,))
twice("templates.duplicate", ("tpl_1",), (AWKWARD,))
twice("templates.get_presets")
twice("templates.use_preset", ("welcome",), (AWKWARD,))
twice("templates.render", ("tpl_1",), (AWKWARD, {"name": TEXT}))
also("templates.render", "tpl_1", {})

twice("webhooks.create", ({"url": "https://example.com/h", "events": ["*"]},))
twice("webhooks.get", (7,))
twice("webhooks.list", (), ({"page": 2},))
twice("webhooks.update", (7, {}), (7, {"enabled": True, "events": ["email.sent"]}))
twice("webhooks.delete", (7,))
twice("webhooks.test", (7,))
twice("webhooks.rotate_secret", (7,), grace_hours=24)
also("webhooks.rotate_secret", 7, grace_hours=0)
twice("webhooks.get_deliveries", (7,), (7, {"page": 3}))
twice("webhooks.replay", (7, 8))
twice("webhooks.batch_replay", (7,), (7, {"withinMinutes": 60, "eventType": "email.sent", "limit": 5}))

twice(
    "broadcasts.create",
    ({"segment_id": "seg_1", "from": "a@example.com", "subject": "s"},),
    (
        {
            **{"segment_id": "seg_1", "from": "a@example.com", "subject": TEXT, "html": "é", "topic_id": "top_1"},
            "ab_test": {"variants": VARIANTS, "test_sample_size": 20, "test_duration_minutes": 30},
        },
    ),
)
twice("broadcasts.list", (), ({**PAGE, "search": "a b", "status": "draft"},))
twice("broadcasts.get", ("br_1",), (AWKWARD,))
twice("broadcasts.update", ("br_1", {}), (AWKWARD, {"topic_id": None, "from": TEXT}))
twice("broadcasts.send", ("br_1",), (AWKWARD,))
twice("broadcasts.cancel", ("br_1",), (AWKWARD,))
twice("broadcasts.resend", ("br_1",), (AWKWARD, {"target": "non_openers", "subject": TEXT}))
also("broadcasts.resend", "br_1", {})
twice("broadcasts.send_test", ("br_1", {"email": "a@example.com"}), (AWKWARD, {"email": "ü@example.com"}))
twice("broadcasts.get_variants", ("br_1",), (AWKWARD,))
twice("broadcasts.get_variant_stats", ("br_1",), (AWKWARD,))
twice("broadcasts.list_performance", (), ({"since": "2026-01-02", "metric": "open_rate", "limit": 100},))
twice("broadcasts.performance", ("br_1",), (AWKWARD,))
twice("broadcasts.non_openers", ("br_1",), (AWKWARD,), limit=5000)
twice("broadcasts.non_clickers", ("br_1",), (AWKWARD,), limit=1)
also("broadcasts.non_openers", "br_1", limit=0)
twice("broadcasts.end_ab_test", ("br_1",), (AWKWARD,))

twice("suppressions.list", (), ({"page": 1, "per_page": 100},))
twice("suppressions.add", ({"email": "a@example.com", "reason": "manual"},))
twice("suppressions.remove", ("a@example.com",), ("ü+b@ex.com",))

twice(
    "api_keys.create",
    ({"name": "k", "permission": "sending_access"},),
    ({"name": TEXT, "permission": "full_access", "mode": "test", "domain_id": "dom_1", "allow_full_access": True},),
)
twice("api_keys.list", (), ({"page": 1},))
twice("api_keys.get", (7,))
twice("api_keys.revoke", (7,))
twice("api_keys.rotate", (7,))

twice(
    "mailboxes.create",
    ({"domainId": 7, "localPart": "ada", "password": "secret"},),
    ({"domainId": "dom_1", "localPart": "ä", "password": TEXT, "quotaBytes": 10**12, "webhookEnabled": False},),
)
twice("mailboxes.list", (), ({**PAGE, "domain_id": "dom_1"},))
twice("mailboxes.get", ("mb_1",), (AWKWARD,))
twice("mailboxes.update", ("mb_1", {}), (AWKWARD, {"forwardTo": None, "forwardKeepCopy": False, "signatureHtml": ""}))
twice("mailboxes.delete", ("mb_1",), (AWKWARD,))
twice("mailboxes.change_password", ("mb_1", "secret"), (AWKWARD, TEXT))
twice("mailboxes.create_alias", ({"domainId": 7, "localPart": "info", "destinationMailboxId": "mb_1"},))
twice("mailboxes.list_aliases", (), (PAGE,))
twice("mailboxes.delete_alias", (7,))
twice("mailboxes.list_filters", ("mb_1",), (AWKWARD,))
twice(
    "mailboxes.set_filters",
    ("mb_1", []),
    (
        AWKWARD,
        [{"name": TEXT, "field": "from", "operator": "is", "value": "é", "action": "discard", "actionArg": None}],
    ),
)
twice("mailboxes.get_signature", ("mb_1",), (AWKWARD,))
twice("mailboxes.set_signature", ("mb_1", {}), (AWKWARD, {"signatureHtml": None, "signatureText": TEXT}))
twice("mailboxes.unread_summary")
twice("mailboxes.list_shares", ("mb_1",), (AWKWARD,))
twice("mailboxes.grant_share", ("mb_1", "mb_2"), (AWKWARD, AWKWARD, "admin"))
twice("mailboxes.revoke_share", ("mb_1", "mb_2"), (AWKWARD, AWKWARD))

twice("inbound_emails.list", (), ({**PAGE, "domain": "läden.example"},))
twice("inbound_emails.get", (7,))
twice("inbound_emails.list_attachments", (7,))
twice("inbound_emails.download_attachment", (7, 8))
twice("inbound_emails.draft_reply", (7,), (7, {"tone": "formal"}))
also("inbound_emails.draft_reply", 7, {})
twice("inbound_emails.reply", (7, {"from": "a@example.com"}), (7, {"from": TEXT, "html": "é", "bcc": ["b@x"]}))
twice(
    "inbound_emails.forward",
    (7, {"from": "a@example.com", "to": ["b@example.com"]}),
    (7, {"from": TEXT, "to": ["b@example.com"], "cc": ["c@example.com"], "bcc": [], "message": TEXT}),
)

twice("subscription_topics.list")
twice("subscription_topics.create", ({"name": "News"},), ({"name": TEXT, "description": TEXT},))
twice("subscription_topics.delete", ("top_1",), (AWKWARD,))
twice("subscription_topics.get_contact_subscriptions", ("con_1",), (AWKWARD,))
twice("subscription_topics.subscribe", ("con_1", "top_1"), (AWKWARD, AWKWARD))
twice("subscription_topics.unsubscribe", ("con_1", "top_1"), (AWKWARD, AWKWARD))
twice("subscription_topics.get", ("top_1",), (AWKWARD,))
twice("subscription_topics.update", ("top_1", {}), (AWKWARD, {"name": TEXT, "description": None}))
twice("subscription_topics.list_subscribers", ("top_1",), (AWKWARD, {**PAGE, "subscribed": "false"}))

twice("workflows.list")
twice(
    "workflows.create",
    ({"name": "w", "trigger_type": "manual"},),
    ({"name": TEXT, "trigger_type": "custom", "trigger_config": {"event": "order.placed"}},),
)
twice("workflows.get", ("wf_1",), (AWKWARD,))
twice("workflows.update", ("wf_1", {}), (AWKWARD, {"name": TEXT, "trigger_config": None}))
twice("workflows.delete", ("wf_1",), (AWKWARD,))
twice("workflows.get_graph", ("wf_1",), (AWKWARD,))
twice("workflows.put_graph", ("wf_1", {"nodes": [], "edges": []}), (AWKWARD, GRAPH))
twice("workflows.validate_graph", ("wf_1",), (AWKWARD,))
twice("workflows.activate", ("wf_1",), (AWKWARD,))
twice("workflows.pause", ("wf_1",), (AWKWARD,))
twice("workflows.trigger", ("wf_1", {"contact_id": "con_1"}), (AWKWARD, {"contact_id": AWKWARD}))
twice("workflows.post_event", ({"event": "order.placed"},), ({"event": TEXT, "email": "ü@example.com"},))

twice("signup_forms.list", (), (PAGE,))
twice(
    "signup_forms.create",
    ({"name": "f", "fields": [{"name": "email", "type": "email", "label": "E-mail", "required": True}]},),
    ({"name": TEXT, "fields": [], "segment_id": "seg_1", "topic_id": "top_1", "redirect_url": "https://example.com"},),
)
twice("signup_forms.get", ("sf_1",), (AWKWARD,))
twice("signup_forms.update", ("sf_1", {}), (AWKWARD, {"segment_id": None, "active": False}))
twice("signup_forms.delete", ("sf_1",), (AWKWARD,))
twice("signup_forms.submit", ("sf_1", {"email": "a@example.com"}), (AWKWARD, {"email": "ü@x", "größe": 42, "ok": True}))

twice("email_validations.validate", ("a@example.com",), ("ü+b@example.com",))
twice("email_validations.validate_batch", ([],), (["a@example.com", TEXT],))

twice("notification_channels.list")
twice(
    "notification_channels.create",
    ({"type": "slack", "name": "c", "events": ["email.bounced"], "config": {"webhookUrl": "https://example.com"}},),
    (
        {
            **{"type": "telegram", "name": TEXT, "events": ["email.bounced"], "domainId": 7, "mailboxId": 8},
            "config": {"botToken": "t", "chatId": "é"},
        },
    ),
)
twice("notification_channels.get", ("nc_1",), (AWKWARD,))
twice("notification_channels.update", ("nc_1", {}), (AWKWARD, {"name": TEXT, "domainId": None, "enabled": False}))
twice("notification_channels.delete", ("nc_1",), (AWKWARD,))
twice("notification_channels.list_deliveries", ("nc_1",), (AWKWARD, PAGE))
twice("notification_channels.test", ("nc_1",), (AWKWARD,))
twice("notification_channels.replay_delivery", ("nc_1", 8), (AWKWARD, 8))
