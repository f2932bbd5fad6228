"""`/subscription-topics`: topics that contacts can decline (`poststack-api` §4.12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.answers import Reply, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_input import find_contact
from poststack.emulator.api.fields import optional_text, required_text, short_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.audience.contacts import MAX_CHOICES
from poststack.emulator.audience.records import Contact, Topic, TopicChoice
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso

__all__ = ["ROUTES", "find_topic", "require_room_for_choice"]

_MAX_TOPICS = 100
_MAX_NAME = 200
_MAX_DESCRIPTION = 2_000
_SUBSCRIBERS_PER_PAGE = 50


def find_topic(backend: Backend, topic_id: str) -> Topic:
    """Return the topic with this `top_…` id, or raise a 404."""
    topic = backend.store.topics.find("id", topic_id)
    if topic is None:
        raise not_found("Topic", topic_id)
    return topic


def require_room_for_choice(backend: Backend, contact: Contact | None, topic: Topic) -> None:
    """Raise a 422 when no other choice can be kept and this contact made none yet."""
    known = contact is not None and backend.contacts.choice(contact, topic) is not None
    if not known and len(backend.store.topic_choices) >= MAX_CHOICES:
        raise unprocessable(f"The emulator keeps at most {MAX_CHOICES:,} choices of topics.")


def _topic_json(topic: Topic) -> dict[str, Any]:
    return {
        "id": topic.number,
        "publicId": topic.id,
        "name": topic.name,
        "description": topic.description,
        "createdAt": iso(topic.created_at),
    }


def _choice_json(choice: TopicChoice) -> dict[str, Any]:
    return {
        "id": choice.number,
        "topicId": choice.topic,
        "contactId": choice.contact,
        "subscribed": choice.subscribed,
        "updatedAt": iso(choice.updated_at),
    }


def _description(content: Mapping[str, Any]) -> str | None:
    description = optional_text(content, "description")
    if description is not None and len(description) > _MAX_DESCRIPTION:
        raise unprocessable(f"`description` has at most {_MAX_DESCRIPTION:,} characters.")
    return description


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"topics": [_topic_json(topic) for topic in backend.store.topics.all()]})


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    name, description = short_text(required_text(content, "name"), "name", _MAX_NAME), _description(content)
    if len(backend.store.topics) >= _MAX_TOPICS:
        raise unprocessable(f"The emulator keeps at most {_MAX_TOPICS} topics.")
    number = backend.store.next_number("topic")
    topic = Topic(number, "top_" + backend.ids(18), name, call.now, description)
    backend.store.topics.save(topic)
    return Reply(201, {"topic": _topic_json(topic)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    topic = find_topic(backend, arguments["id"])
    choices = backend.store.topic_choices.all()
    declined = sum(choice.topic == topic.number and not choice.subscribed for choice in choices)
    counts = {"subscriberCount": len(backend.store.contacts) - declined, "unsubscribedCount": declined}
    return Reply(200, {"topic": _topic_json(topic), **counts})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    topic, content = find_topic(backend, arguments["id"]), call.json()
    name = short_text(required_text(content, "name"), "name", _MAX_NAME) if "name" in content else topic.name
    description = _description(content) if "description" in content else topic.description
    topic.name, topic.description = name, description
    backend.store.topics.save(topic)
    return Reply(200, {"topic": _topic_json(topic)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.contacts.remove_topic(find_topic(backend, arguments["id"]))
    return Reply(200, {"success": True})


def _subscribers(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    topic, subscribed = find_topic(backend, arguments["id"]), call.flag("subscribed") is not False
    page, per_page = call.page(_SUBSCRIBERS_PER_PAGE)
    chosen = [(contact, backend.contacts.choice(contact, topic)) for contact in backend.store.contacts.all()]
    found = [(contact, choice) for contact, choice in chosen if (choice is None or choice.subscribed) == subscribed]
    shown = slice_page(found, page, per_page)
    data = [_subscriber_json(contact, topic, choice) for contact, choice in shown.items]
    return Reply(200, {"data": data, "meta": page_json(shown)})


def _subscriber_json(contact: Contact, topic: Topic, choice: TopicChoice | None) -> dict[str, Any]:
    # Who said nothing is subscribed from the moment on at which there were both.
    since = max(contact.created_at, topic.created_at) if choice is None else choice.updated_at
    return {
        "contactId": contact.number,
        "contactPublicId": contact.id,
        "email": contact.email,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "subscribedAt": iso(since),
    }


def _choices(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact = find_contact(backend, arguments["contact"])
    made = [(topic, backend.contacts.choice(contact, topic)) for topic in backend.store.topics.all()]
    found = [{**_choice_json(choice), "topic": _topic_json(topic)} for topic, choice in made if choice is not None]
    return Reply(200, {"subscriptions": found})


def _subscribe(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact, topic_id = find_contact(backend, arguments["contact"]), required_text(call.json(), "topic_id")
    return _choose(backend, call, contact, find_topic(backend, topic_id), subscribed=True)


def _unsubscribe(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    contact = find_contact(backend, arguments["contact"])
    return _choose(backend, call, contact, find_topic(backend, arguments["topic"]), subscribed=False)


def _choose(backend: Backend, call: Call, contact: Contact, topic: Topic, *, subscribed: bool) -> Reply:
    require_room_for_choice(backend, contact, topic)
    choice = backend.contacts.choose(contact, topic, subscribed, call.now)
    return Reply(200, {"subscription": _choice_json(choice)})


ROUTES = (
    Route("GET", "/subscription-topics", _list),
    Route("POST", "/subscription-topics", _create),
    Route("GET", "/subscription-topics/contacts/{contact}/subscriptions", _choices),
    Route("POST", "/subscription-topics/contacts/{contact}/subscriptions", _subscribe),
    Route("DELETE", "/subscription-topics/contacts/{contact}/subscriptions/{topic}", _unsubscribe),
    Route("GET", "/subscription-topics/{id}", _get),
    Route("PATCH", "/subscription-topics/{id}", _update),
    Route("DELETE", "/subscription-topics/{id}", _delete),
    Route("GET", "/subscription-topics/{id}/subscribers", _subscribers),
)
