"""Who broadcasts go to: contacts, the segments they are in, and the topics they chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poststack.emulator.tables import Kind

__all__ = ["CONTACTS", "SEGMENTS", "TOPICS", "TOPIC_CHOICES", "Contact", "Segment", "Topic", "TopicChoice"]


@dataclass
class Contact:
    """A person to write to. `id` is the public `con_…` id; `properties` are values by the names of properties."""

    number: int
    id: str
    email: str
    created_at: float
    updated_at: float
    first_name: str | None = None
    last_name: str | None = None
    unsubscribed: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    last_engaged_at: float | None = None
    opened: int = 0
    clicked: int = 0


@dataclass
class Segment:
    """A group of contacts: those that match `rules`, or without rules those with the numbers in `members`.

    `sizes` says how many members there were at the end of the days (`YYYY-MM-DD` in UTC) on which that changed.
    """

    number: int
    id: str
    name: str
    created_at: float
    updated_at: float
    rules: Mapping[str, Any] | None = None
    members: list[int] = field(default_factory=list[int])
    sizes: dict[str, int] = field(default_factory=dict[str, int])


@dataclass
class Topic:
    """What a contact can be subscribed to. Everybody is who did not say otherwise."""

    number: int
    id: str
    name: str
    created_at: float
    description: str | None = None


@dataclass
class TopicChoice:
    """What the contact with this number said about the topic with this number."""

    number: int
    topic: int
    contact: int
    subscribed: bool
    updated_at: float


CONTACTS = Kind(
    "contact", Contact, keys={"id": lambda contact: contact.id, "email": lambda contact: contact.email.lower()}
)
SEGMENTS = Kind("segment", Segment, keys={"id": lambda segment: segment.id})
TOPICS = Kind("topic", Topic, keys={"id": lambda topic: topic.id})
TOPIC_CHOICES = Kind("topic_choice", TopicChoice, keys={"pair": lambda choice: f"{choice.topic}/{choice.contact}"})
