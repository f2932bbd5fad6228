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
    from collections.abc import AsyncIterator

    from poststack._async.session import AsyncSession
    from poststack.types.subscription_topics import (
        CreateSubscriptionTopic,
        TopicSubscriberQuery,
        UpdateSubscriptionTopic,
    )

__all__ = ["AsyncSubscriptionTopics"]


class AsyncSubscriptionTopics:
    """Let contacts decline some mail and get the rest. Topics have `top_…` ids, contacts `con_…` ids.

    Whoever said nothing is subscribed. Only sends honour idempotency keys: a `create` that failed without an answer may
    have taken effect, and its retries can make a second topic. Subscribing and unsubscribing are harmless to repeat.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def list(self, *, timeout: float | None = None) -> SubscriptionTopicList:
        """Return all topics."""
        return await self._session.call(Request("GET", "/subscription-topics", SubscriptionTopicList), timeout)

    async def create(self, input: CreateSubscriptionTopic, *, timeout: float | None = None) -> SubscriptionTopicAnswer:
        """Make a topic, to which all contacts are subscribed at first."""
        return await self._session.call(
            Request("POST", "/subscription-topics", SubscriptionTopicAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a topic."""
        return await self._session.call(Request("DELETE", f"/subscription-topics/{segment(id)}", Success), timeout)

    async def get_contact_subscriptions(self, contact_id: str, *, timeout: float | None = None) -> ContactSubscriptions:
        """Return what a contact said about topics. One that is not in it is wanted."""
        return await self._session.call(
            Request("GET", f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions", ContactSubscriptions),
            timeout,
        )

    async def subscribe(
        self, contact_id: str, topic_id: str, *, timeout: float | None = None
    ) -> ContactSubscriptionAnswer:
        """Note that a contact wants a topic."""
        return await self._session.call(
            Request(
                "POST",
                f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions",
                ContactSubscriptionAnswer,
                body={"topic_id": topic_id},
            ),
            timeout,
        )

    async def unsubscribe(
        self, contact_id: str, topic_id: str, *, timeout: float | None = None
    ) -> ContactSubscriptionAnswer:
        """Note that a contact does not want a topic: broadcasts on it leave the contact out."""
        return await self._session.call(
            Request(
                "DELETE",
                f"/subscription-topics/contacts/{segment(contact_id)}/subscriptions/{segment(topic_id)}",
                ContactSubscriptionAnswer,
            ),
            timeout,
        )

    async def get(self, id: str, *, timeout: float | None = None) -> SubscriptionTopicDetail:
        """Return one topic, and how many contacts want it and do not."""
        return await self._session.call(
            Request("GET", f"/subscription-topics/{segment(id)}", SubscriptionTopicDetail), timeout
        )

    async def update(
        self, id: str, input: UpdateSubscriptionTopic, *, timeout: float | None = None
    ) -> SubscriptionTopicAnswer:
        """Change the name or the description."""
        return await self._session.call(
            Request("PATCH", f"/subscription-topics/{segment(id)}", SubscriptionTopicAnswer, body=input), timeout
        )

    async def list_subscribers(
        self, id: str, params: TopicSubscriberQuery | None = None, *, timeout: float | None = None
    ) -> Page[TopicSubscriber]:
        """Return one page of the contacts who want a topic, or who do not."""
        return await self._session.call(
            Request("GET", f"/subscription-topics/{segment(id)}/subscribers", Page[TopicSubscriber], query=params),
            timeout,
        )

    def iterate_subscribers(
        self, id: str, params: TopicSubscriberQuery | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[TopicSubscriber]:
        """Yield the contacts of all pages of `list_subscribers`."""
        return self._session.iterate(
            Listing(f"/subscription-topics/{segment(id)}/subscribers", TopicSubscriber, query=params), timeout
        )
