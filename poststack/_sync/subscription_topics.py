# Written by tools/unasync.py from poststack/_async/subscription_topics.py. Do not edit.
"""Topics that contacts can decline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Page, Success
from poststack.types.subscription_topics import (
    ContactSubscriptionAnswer,
    ContactSubscriptions,
    SubscriptionTopicAnswer,
    SubscriptionTopicDetail,
    SubscriptionTopicList,
    TopicSubscriber,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack._sync.session import Session
    from poststack.types.subscription_topics import (
        CreateSubscriptionTopic,
        TopicSubscriberQuery,
        UpdateSubscriptionTopic,
    )

__all__ = ["SubscriptionTopics"]


class SubscriptionTopics:
    """Let contacts decline some mail and get the rest. Topics have `top_…` ids, contacts `con_…` ids.

    Whoever said nothing is subscribed. Only sends honour idempotency keys: a `create` that failed without an answer may
    have taken effect, and its retries can make a second topic. Subscribing and unsubscribing are harmless to repeat.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def list(self, *, timeout: float | None = None) -> SubscriptionTopicList:
        """Return all topics."""
        return self._session.call(Request("GET", "/subscription-topics", SubscriptionTopicList), timeout)

    def create(self, input: CreateSubscriptionTopic, *, timeout: float | None = None) -> SubscriptionTopicAnswer:
        """Make a topic, to which all contacts are subscribed at first."""
        return self._session.call(Request("POST", "/subscription-topics", SubscriptionTopicAnswer, body=input), timeout)

    def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a topic."""
        return self._session.call(Request("DELETE", f"/subscription-topics/{segment(id)}", Success), timeout)

    def get_contact_subscriptions(self, contact_id: str, *, timeout: float | None = None) -> ContactSubscriptions:
        """Return what a contact said about topics. One that is not in it is wanted."""
        return self._session.call(
            Request("GET", f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions", ContactSubscriptions),
            timeout,
        )

    def subscribe(self, contact_id: str, topic_id: str, *, timeout: float | None = None) -> ContactSubscriptionAnswer:
        """Note that a contact wants a topic."""
        return self._session.call(
            Request(
                "POST",
                f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions",
                ContactSubscriptionAnswer,
                body={"topic_id": topic_id},
            ),
            timeout,
        )

    def unsubscribe(self, contact_id: str, topic_id: str, *, timeout: float | None = None) -> ContactSubscriptionAnswer:
        """Note that a contact does not want a topic: broadcasts on it leave the contact out."""
        return self._session.call(
            Request(
                "DELETE",
                f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions/{segment(topic_id)}",
                ContactSubscriptionAnswer,
            ),
            timeout,
        )

    def get(self, id: str, *, timeout: float | None = None) -> SubscriptionTopicDetail:
        """Return one topic, and how many contacts want it and do not."""
        return self._session.call(
            Request("GET", f"/subscription-topics/{segment(id)}", SubscriptionTopicDetail), timeout
        )

    def update(
        self, id: str, input: UpdateSubscriptionTopic, *, timeout: float | None = None
    ) -> SubscriptionTopicAnswer:
        """Change the name or the description."""
        return self._session.call(
            Request("PATCH", f"/subscription-topics/{segment(id)}", SubscriptionTopicAnswer, body=input), timeout
        )

    def list_subscribers(
        self, id: str, params: TopicSubscriberQuery | None = None, *, timeout: float | None = None
    ) -> Page[TopicSubscriber]:
        """Return one page of the contacts who want a topic, or who do not."""
        return self._session.call(
            Request("GET", f"/subscription-topics/{segment(id)}/subscribers", Page[TopicSubscriber], query=params),
            timeout,
        )

    def iterate_subscribers(
        self, id: str, params: TopicSubscriberQuery | None = None, *, timeout: float | None = None
    ) -> Iterator[TopicSubscriber]:
        """Yield the contacts of all pages of `list_subscribers`."""
        return self._session.iterate(
            Listing(f"/subscription-topics/{segment(id)}/subscribers", TopicSubscriber, query=params), timeout
        )
