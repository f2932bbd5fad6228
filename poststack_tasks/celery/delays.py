"""How long each broker can put a job off."""

from __future__ import annotations

import math
from typing import Any, Final

__all__ = ["countdown"]

VISIBILITY_TIMEOUT: Final = 3_600.0
"""Seconds after which these brokers hand an unacknowledged job to another worker, unless they are told otherwise."""
_WITH_VISIBILITY_TIMEOUT: Final = ("redis", "rediss", "sentinel", "valkey", "sqs")
_IN_WHOLE_SECONDS: Final = ("amqp", "amqps", "pyamqp", "librabbitmq")
"""Where RabbitMQ itself puts jobs off, with quorum queues, Celery cuts fractions off, and refuses 0.x seconds."""


def countdown(app: Any, delay: float) -> float:
    """Return the delay in seconds as the broker of this application can have it; it may be a shorter one."""
    scheme = str(app.conf.broker_url or app.conf.broker_read_url or "amqp").partition(":")[0].partition("+")[0]
    if scheme in _IN_WHOLE_SECONDS:
        return math.ceil(delay)
    if scheme not in _WITH_VISIBILITY_TIMEOUT:
        return delay
    # So long a job may wait in a worker before the broker takes that worker for dead.
    options: dict[str, Any] = app.conf.broker_transport_options or {}
    return min(delay, float(options.get("visibility_timeout", VISIBILITY_TIMEOUT)) / 2)
