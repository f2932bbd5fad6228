"""Addresses that the API no longer sends to (poststack-api §4.8)."""

from typing import Literal

from poststack.types.common import TypedDict

__all__ = ["AddSuppression", "Suppression", "SuppressionReason"]

SuppressionReason = Literal["hard_bounce", "complaint", "unsubscribe", "manual"]


class Suppression(TypedDict):
    """One address and why it is suppressed."""

    id: int
    email: str
    reason: SuppressionReason
    createdAt: str


class AddSuppression(TypedDict):
    """An address to stop sending to."""

    email: str
    reason: SuppressionReason
