"""What every story begins with: one of each kind, in as many states as there are ways to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poststack.emulator.model import iso
from tests.client.workflow_graphs import chain, mail, node
from tests.emulator.whole_api.arguments import FAILING, OWN_EVENT, PEOPLE, RECEIVING, SHOP, Known

__all__ = ["begin"]

SENDER = f"shop@{SHOP}"
RULES = {"operator": "and", "conditions": [{"field": "email", "comparator": "contains", "value": "a"}]}
FIELDS = [{"name": "email", "type": "email", "label": "E-mail", "required": True}]
AB_TEST = {
    "variants": [{"name": name, "subject": f"{name} {{{{email}}}}", "weight": 50} for name in ("A", "B")],
    "test_sample_size": 50,
    "test_duration_minutes": 30,
}


def begin(ask: Callable[..., Any], wait: Callable[[float], None], known: Known) -> None:
    """Make them with `ask`, which takes a method and its arguments."""
    domain = ask("domains.create", {"name": SHOP})["domain"]["id"]
    ask("domains.verify", domain)
    wait(2)
    ask("domains.update", domain, {"inbound_enabled": True, "catch_all": True})
    ask("contact_properties.create", {"name": "size", "label": "Size", "type": "text"})
    ask("contact_properties.create", {"name": "colour", "label": "C", "type": "select", "options": ["S", "M", "L"]})
    ask("contact_properties.create", {"name": "age", "label": "Age", "type": "number"})
    people = [
        ask("contacts.create", {"email": person, "first_name": "Ada"})["contact"]["publicId"] for person in PEOPLE[:5]
    ]
    topic = ask("subscription_topics.create", {"name": "News"})["topic"]["publicId"]
    ask("subscription_topics.unsubscribe", people[1], topic)
    ask("segments.create", {"name": "Chosen", "rules": RULES})
    picked = ask("segments.create", {"name": "Picked"})["segment"]["publicId"]
    ask("segments.add_contacts", picked, {"contact_ids": people[:4]})
    ask("signup_forms.create", {"name": "Join", "segment_id": picked, "topic_id": topic, "fields": FIELDS})
    template = ask("templates.create", {"name": "t", "subject": "Hi {{name}}", "html": "<p>{{name}}</p>"})
    template_id = template["template"]["publicId"]
    ask("templates.publish", template_id)
    ask("webhooks.create", {"url": RECEIVING, "events": ["*"]})
    ask("webhooks.create", {"url": FAILING, "events": ["email.delivered"]})
    ask("api_keys.create", {"name": "worker", "permission": "sending_access", "mode": "test"})
    for name in ("help", "sales"):
        ask("mailboxes.create", {"domainId": domain, "localPart": name, "password": "correct horse battery"})
    ask(
        "notification_channels.create",
        {
            "type": "slack",
            "name": "Ops",
            "events": ["*"],
            "config": {"webhookUrl": "https://hooks.slack.com/services/x"},
        },
    )
    email = {"from": SENDER, "to": [PEOPLE[0]], "subject": "Hi", "text": "Hello"}
    ask("emails.send", email)
    ask("emails.send", {**email, "scheduled_at": iso(known.now + 5_000)})
    steps = chain(mail("m1", **{"from": SENDER}), node("w1", "wait", delay="1m"), mail("m2", **{"from": SENDER}))
    for trigger, config in (("contact.created", None), ("custom", {"event": OWN_EVENT}), ("manual", None)):
        settings = {} if config is None else {"trigger_config": config}
        workflow = ask("workflows.create", {"name": trigger, "trigger_type": trigger, **settings})
        ask("workflows.put_graph", workflow["workflow"]["publicId"], steps)
        ask("workflows.activate", workflow["workflow"]["publicId"])
    content = {"segment_id": picked, "from": SENDER, "subject": "News", "text": "{{email}}", "topic_id": topic}
    ask("broadcasts.create", content)
    for more in ({}, {"ab_test": AB_TEST}, {"scheduled_at": iso(known.now + 4_000)}):
        ask("broadcasts.send", ask("broadcasts.create", {**content, **more})["broadcast"]["publicId"])
    wait(3)
