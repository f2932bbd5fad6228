"""The workers of the tests: short timeouts, else as documented. arq does not look at what settings inherit."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from poststack import WebhookEvent
from poststack_tasks import arq as mail
from poststack_tasks import configure, on_event

arq: Any = import_module("arq")
connections: Any = import_module("arq.connections")
REDIS: Any = connections.RedisSettings.from_dsn(os.environ["REDIS_URL"])


if deadline := os.environ.get("POSTSTACK_TEST_DEADLINE"):
    configure(deadline=float(deadline))

if wrong := os.environ.get("POSTSTACK_TEST_WRONG"):
    configure(timeout=wrong)


@on_event("email.bounced")
async def remember(event: WebhookEvent) -> None:
    """Leave a trace that the test can see."""
    async with await arq.create_pool(REDIS) as redis:
        await redis.rpush("bounced", event.id)


class WorkerSettings:
    """Jobs of a worker that was killed are run again after the timeout and ten seconds."""

    functions = [  # noqa: RUF012
        arq.func(mail.send_email, name="poststack.send_email", timeout=1.5, max_tries=mail.MAX_TRIES),
        arq.func(mail.send_batch, name="poststack.send_batch", timeout=1.5, max_tries=mail.MAX_TRIES),
        arq.func(mail.process_event, name="poststack.process_event", timeout=1.5, max_tries=mail.MAX_TRIES),
    ]
    on_startup = mail.startup
    on_shutdown = mail.shutdown
    redis_settings = REDIS
    queue_name = os.environ["ARQ_QUEUE"]
    poll_delay = 0.1


class AsDocumented:
    """With the functions as they come."""

    functions = mail.functions
    on_startup = mail.startup
    on_shutdown = mail.shutdown
    redis_settings = REDIS
    queue_name = WorkerSettings.queue_name
    poll_delay = 0.1


class WithoutStartup:
    """Who forgets it has a client for each job."""

    functions = mail.functions
    redis_settings = REDIS
    queue_name = WorkerSettings.queue_name
    poll_delay = 0.1
