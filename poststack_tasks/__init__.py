"""PostStack for task queues: what to do with an e-mail that could not be sent. Needs no queue to be installed."""

from __future__ import annotations

from poststack_tasks.policy import Decision, GiveUp, Limits, RetryLater, Sent, decide

__all__ = ["Decision", "GiveUp", "Limits", "RetryLater", "Sent", "decide"]
