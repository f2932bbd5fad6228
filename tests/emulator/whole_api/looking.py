"""Reading all there is through the client, and holding lists, pages and single answers against one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from poststack import PostStackError
from tests.emulator.whole_api.arguments import Known
from tests.emulator.whole_api.methods import Call

__all__ = ["READING", "at", "compare_lists", "everything"]

# What takes an id of one kind and changes nothing.
_READ: Mapping[str, Sequence[str]] = {
    "api_key": ("api_keys.get",),
    "broadcast": (
        "broadcasts.get",
        "broadcasts.get_variants",
        "broadcasts.get_variant_stats",
        "broadcasts.performance",
        "broadcasts.non_openers",
        "broadcasts.non_clickers",
    ),
    "contact": ("contacts.get", "subscription_topics.get_contact_subscriptions"),
    "contact_property": ("contact_properties.option_usage",),
    "domain": (
        "domains.get",
        "domains.get_dmarc_reports",
        "domains.get_dmarc_stats",
        "domains.get_dmarc_sources",
        "domains.get_inbox_placement",
    ),
    "email": ("emails.get", "emails.get_events", "emails.get_insights"),
    "inbound_email": ("inbound_emails.get", "inbound_emails.list_attachments", "inbound_emails.draft_reply"),
    "mailbox": (
        "mailboxes.get",
        "mailboxes.list_filters",
        "mailboxes.get_signature",
        "mailboxes.list_shares",
    ),
    "notification_channel": ("notification_channels.get", "notification_channels.list_deliveries"),
    "segment": ("segments.get", "segments.members", "segments.growth", "segments.broadcasts"),
    "signup_form": ("signup_forms.get",),
    "template": ("templates.get", "templates.render"),
    "topic": ("subscription_topics.get", "subscription_topics.list_subscribers"),
    "webhook": ("webhooks.get", "webhooks.get_deliveries"),
    "workflow": ("workflows.get", "workflows.get_graph", "workflows.validate_graph"),
}
_BY_NUMBER = frozenset({"api_key", "contact_property", "domain", "inbound_email", "webhook"})
_ALL = (
    "api_keys.list",
    "broadcasts.list",
    "broadcasts.list_performance",
    "contact_properties.list",
    "contacts.list",
    "contacts.export_csv",
    "domains.list",
    "emails.list",
    "inbound_emails.list",
    "mailboxes.list",
    "mailboxes.list_aliases",
    "mailboxes.unread_summary",
    "notification_channels.list",
    "segments.list",
    "signup_forms.list",
    "subscription_topics.list",
    "suppressions.list",
    "templates.list",
    "templates.get_presets",
    "webhooks.list",
    "workflows.list",
)
READING = frozenset({*_ALL, *(method for methods in _READ.values() for method in methods)})
# A list, where its items are, the method for one of them, what it takes, and where the item is in its answer.
_LISTS = (
    ("api_keys", "keys", "id", ""),
    ("broadcasts", "data", "publicId", "broadcast"),
    ("contacts", "data", "publicId", "contact"),
    ("domains", "domains", "id", "domain"),
    ("emails", "data", "publicId", "email"),
    ("inbound_emails", "data", "id", "inboundEmail"),
    ("mailboxes", "data", "publicId", "mailbox"),
    ("segments", "segments", "publicId", "segment"),
    ("signup_forms", "data", "publicId", "signupForm"),
    ("subscription_topics", "topics", "publicId", "topic"),
    ("templates", "data", "publicId", "template"),
    ("webhooks", "webhooks", "id", "webhook"),
    ("workflows", "data", "publicId", "workflow"),
)
_PAGED = (
    "broadcasts.list",
    "contacts.list",
    "emails.list",
    "inbound_emails.list",
    "mailboxes.list",
    "signup_forms.list",
    "suppressions.list",
    "templates.list",
)


def at(kind: str, number: int, public: str) -> list[Call]:
    """Return the calls that read one record."""
    return [Call(method, (number if kind in _BY_NUMBER else public,)) for method in _READ.get(kind, ())]


def everything(client: Any, known: Known) -> dict[Call, object]:
    """Return all that can be read, by the call."""
    calls = [Call(method) for method in _ALL]
    for kind, ids in known.there.items():
        for number, public in ids:
            calls += at(kind, number, public)
    found: dict[Call, object] = {}
    for call in calls:
        answer = call.make(client)
        found[call] = (answer.status_code, answer.error) if isinstance(answer, PostStackError) else answer
        assert not isinstance(answer, PostStackError) or answer.status_code in {409, 422, 501}, (call, answer)
    return found


def compare_lists(client: Any) -> None:
    """Raise `AssertionError` where lists, pages and single answers do not agree."""
    for group, place, taken, inside in _LISTS:
        answer = Call(f"{group}.list", ({"per_page": 100},) if f"{group}.list" in _PAGED else ()).make(client)
        for item in _items(answer, place):
            one = Call(f"{group}.get", (item[taken],)).make(client)
            assert not isinstance(one, PostStackError), (group, item, one)
            single = one[inside] if inside else one
            other = [name for name in item.keys() & single.keys() if item[name] != single[name]]
            assert not other, (group, [(name, item[name], single[name]) for name in other])
    for method in _PAGED:
        _compare_pages(client, method)
    _compare_counts(client)


def _compare_counts(client: Any) -> None:
    for segment in _items(Call("segments.list").make(client), "segments"):
        members = Call("segments.members", (segment["publicId"],)).make(client)
        assert segment.get("countUnavailable") or segment["contactCount"] == members["meta"]["total"], segment
    for topic in _items(Call("subscription_topics.list").make(client), "topics"):
        shown = Call("subscription_topics.get", (topic["publicId"],)).make(client)
        for name, wanted in (("subscriberCount", "true"), ("unsubscribedCount", "false")):
            listed = Call("subscription_topics.list_subscribers", (topic["publicId"], {"subscribed": wanted})).make(
                client
            )
            assert shown[name] == listed["meta"]["total"], (topic, name)


def _compare_pages(client: Any, method: str) -> None:
    whole = Call(method, ({"per_page": 100},)).make(client)
    if isinstance(whole, PostStackError):
        return
    items = _items(whole, "data")
    assert whole["meta"] == {"page": 1, "perPage": 100, "total": len(items), "totalPages": -(-len(items) // 100)}
    size = 3
    pages = [
        Call(method, ({"per_page": size, "page": page + 1},)).make(client) for page in range(len(items) // size + 1)
    ]
    assert [item for page in pages for item in page["data"]] == items, method
    for number, page in enumerate(pages, 1):
        expected = {"page": number, "perPage": size, "total": len(items), "totalPages": -(-len(items) // size)}
        assert page["meta"] == expected, (method, page["meta"])


def _items(answer: Any, place: str) -> list[dict[str, Any]]:
    return [] if isinstance(answer, PostStackError) else list(_dicts(answer[place]))


def _dicts(items: Any) -> Iterator[dict[str, Any]]:
    yield from cast("list[dict[str, Any]]", items)
