"""Topics that contacts can decline (poststack-api §4.12)."""

from typing import Literal

from poststack.types.common import NotRequired, PageQuery, TypedDict

__all__ = [
    "ContactSubscription",
    "ContactSubscriptionAnswer",
    "ContactSubscriptions",
    "CreateSubscriptionTopic",
    "SubscriptionTopic",
    "SubscriptionTopicAnswer",
    "SubscriptionTopicDetail",
    "SubscriptionTopicList",
    "TopicSubscriber",
    "TopicSubscriberQuery",
    "UpdateSubscriptionTopic",
]


class SubscriptionTopic(TypedDict):
    """A topic. `publicId` is the `top_…` id that every method takes; `id` is internal."""

    id: int
    publicId: str
    name: str
    description: NotRequired[str | None]
    createdAt: str


class SubscriptionTopicAnswer(TypedDict):
    """One topic."""

    topic: SubscriptionTopic


class SubscriptionTopicDetail(SubscriptionTopicAnswer):
    """One topic and how many want it."""

    subscriberCount: NotRequired[int]
    unsubscribedCount: NotRequired[int]


class SubscriptionTopicList(TypedDict):
    """All topics."""

    topics: list[SubscriptionTopic]


class CreateSubscriptionTopic(TypedDict):
    """A new topic."""

    name: str
    description: NotRequired[str]


class UpdateSubscriptionTopic(TypedDict, total=False):
    """What to change; a `description` of `None` takes it away."""

    name: str
    description: str | None


class ContactSubscription(TypedDict):
    """What a contact said about a topic. Who said nothing is subscribed, and has none of these."""

    id: int
    topicId: int
    contactId: int
    subscribed: bool
    updatedAt: str
    topic: NotRequired[SubscriptionTopic]
    """In the answer of `get_contact_subscriptions` only."""


class ContactSubscriptionAnswer(TypedDict):
    """One subscription."""

    subscription: ContactSubscription


class ContactSubscriptions(TypedDict):
    """All that a contact said."""

    subscriptions: list[ContactSubscription]


class TopicSubscriberQuery(PageQuery, total=False):
    """Whom to list: those who want the topic, or with `"false"` those who do not. 50 a page unless given."""

    subscribed: Literal["true", "false"]


class TopicSubscriber(TypedDict):
    """A contact and when it subscribed."""

    contactId: int
    contactPublicId: str
    email: str
    firstName: str | None
    lastName: str | None
    subscribedAt: str
