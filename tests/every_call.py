"""Every method of the groups emails, suppressions, templates and webhooks, with arguments that are awkward on the wire.

Also run against the published SDK, in an interpreter that has only that: nothing but the standard library is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EMAIL: dict[str, Any] = {
    "from": "Shop <shop@example.com>",
    "to": ["ada+läden@example.com"],
    "subject": 'Größe "XL" \u2028 \U0001f600',
    "html": "<p>é</p>\n",
    "reply_to": None,
    "tags": ["a", "b"],
    "variables": {"n": "1"},
    "tracking": {"opens": False},
}
QUERY: dict[str, Any] = {"page": 2, "per_page": 50, "subject": "a b&c=é", "tag": None, "to": "x+y@example.com"}
AWKWARD = "em/../a b+c@é%?#"

CALLS: dict[str, Callable[[Any], Any]] = {
    "emails.send": lambda client: client.emails.send(EMAIL),
    "emails.batch": lambda client: client.emails.batch({"emails": [EMAIL, EMAIL]}),
    "emails.get": lambda client: client.emails.get("em_8Zk2v0Qm1pT4c7Ra9x"),
    "emails.get, awkward id": lambda client: client.emails.get(AWKWARD),
    "emails.list": lambda client: client.emails.list(),
    "emails.list, empty": lambda client: client.emails.list({}),
    "emails.list, filtered": lambda client: client.emails.list(QUERY),
    "emails.reschedule": lambda client: client.emails.reschedule("em_1", "2030-01-02T03:04:05Z"),
    "emails.cancel": lambda client: client.emails.cancel("em_1"),
    "emails.get_events": lambda client: client.emails.get_events("em_1"),
    "emails.get_insights": lambda client: client.emails.get_insights("em_1"),
    "emails.preview": lambda client: client.emails.preview(EMAIL),
    "emails.spam_preview": lambda client: client.emails.spam_preview(EMAIL),
    "suppressions.list": lambda client: client.suppressions.list({"page": 1, "per_page": 100}),
    "suppressions.add": lambda client: client.suppressions.add({"email": "a@example.com", "reason": "manual"}),
    "suppressions.remove": lambda client: client.suppressions.remove("a+b@ex.com"),
    "templates.create": lambda client: client.templates.create({"name": "n", "subject": "s", "html": "<p>{{a}}</p>"}),
    "templates.list": lambda client: client.templates.list({"published": "true", "search": "new year"}),
    "templates.list, a boolean": lambda client: client.templates.list({"published": True}),
    "templates.get": lambda client: client.templates.get("tpl_1"),
    "templates.update": lambda client: client.templates.update("tpl_1", {"subject": "new"}),
    "templates.update, nothing": lambda client: client.templates.update("tpl_1", {}),
    "templates.delete": lambda client: client.templates.delete("tpl_1"),
    "templates.publish": lambda client: client.templates.publish("tpl_1"),
    "templates.unpublish": lambda client: client.templates.unpublish("tpl_1"),
    "templates.duplicate": lambda client: client.templates.duplicate("tpl_1"),
    "templates.get_presets": lambda client: client.templates.get_presets(),
    "templates.use_preset": lambda client: client.templates.use_preset("welcome"),
    "templates.render": lambda client: client.templates.render("tpl_1", {"name": "Ada"}),
    "templates.render, no variables": lambda client: client.templates.render("tpl_1"),
    "webhooks.create": lambda client: client.webhooks.create({"url": "https://example.com/h", "events": ["*"]}),
    "webhooks.get": lambda client: client.webhooks.get(7),
    "webhooks.list": lambda client: client.webhooks.list(),
    "webhooks.list, a page": lambda client: client.webhooks.list({"page": 2}),
    "webhooks.update": lambda client: client.webhooks.update(7, {"enabled": True}),
    "webhooks.delete": lambda client: client.webhooks.delete(7),
    "webhooks.test": lambda client: client.webhooks.test(7),
    "webhooks.rotate_secret": lambda client: client.webhooks.rotate_secret(7),
    "webhooks.rotate_secret, at once": lambda client: client.webhooks.rotate_secret(7, grace_hours=0),
    "webhooks.get_deliveries": lambda client: client.webhooks.get_deliveries(7, {"page": 3}),
    "webhooks.replay": lambda client: client.webhooks.replay(7, 8),
    "webhooks.batch_replay": lambda client: client.webhooks.batch_replay(7),
    "webhooks.batch_replay, limited": lambda client: client.webhooks.batch_replay(7, {"limit": 5}),
}
