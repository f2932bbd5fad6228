"""What Celery's broker keeps of jobs that were given up: a queue of them, and the way back where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from queue import Empty
from typing import Any, Final

from poststack_tasks.celery.giving_up import given_up_queue
from poststack_tasks.celery.headers import ENQUEUED_AT, FIRST_ATTEMPT_AT, GIVEN_UP
from poststack_tasks.celery.redis_broker import close_gap
from poststack_tasks.configuration import current_settings
from poststack_tasks.failed import FailedJob, shown_message

__all__ = ["CeleryFailedJobs"]

_PROPERTIES: Final = ("correlation_id", "reply_to", "priority", "expiration")


class CeleryFailedJobs:
    """The jobs in the queue `poststack.given_up` of an application's broker.

    While they are looked at, the broker holds them for this process. The others go back when it closes.
    When it is killed, RabbitMQ takes them back at once, and Redis after the visibility timeout.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        settings = current_settings(app.conf)
        close_gap(app)
        # With confirmations, a message is acknowledged here only when the broker has it elsewhere.
        self._connection = app.connection_for_write(transport_options=_confirming(app))
        self._channel = self._connection.channel()
        self._queue = given_up_queue(settings)(self._channel)
        if hasattr(self._channel, "_q_for_pri"):  # It is Redis.
            self._channel._get = partial(_taken_from_redis, self._channel)
        self._held: dict[str, list[Any]] = {}
        self._others: list[Any] = []

    def all(self) -> Sequence[FailedJob]:
        """Return those of this package, oldest first."""
        self._queue.declare()
        found: list[FailedJob] = []
        while (message := self._next()) is not None:
            headers: Mapping[str, Any] = message.headers or {}
            # Put there by somebody else, who knows why; or it cannot be unpacked here.
            if message.errors or not isinstance(headers.get(GIVEN_UP), Mapping):
                self._others.append(message)
                continue
            job = _shown(headers)
            # The same job may be there twice: a worker that was killed after it had given up gave up again.
            self._held.setdefault(job.id, []).append(message)
            if len(self._held[job.id]) == 1:
                found.append(job)
        return sorted(found, key=lambda job: job.failed_at or 0.0)

    def retry(self, job: FailedJob, *, enqueued_at: float | None = None) -> bool:
        """Put one back into its queue; see `FailedJobs`. Raises `LookupError` when the broker has no such queue."""
        messages = self._held.get(job.id)
        if not messages:
            return False
        self._publish(messages[0], enqueued_at)
        # Whoever is killed here has the job in both queues; its key keeps it from being sent twice.
        for message in messages:
            message.ack()
        del self._held[job.id]
        return True

    def drop(self, job: FailedJob) -> bool:
        """Delete one for good; see `FailedJobs`."""
        messages = self._held.pop(job.id, ())
        for message in messages:
            message.ack()
        return bool(messages)

    def close(self) -> None:
        """Give the others back to the broker."""
        try:
            for message in [*self._others, *(message for messages in self._held.values() for message in messages)]:
                message.requeue()
        finally:
            self._connection.release()

    def _next(self) -> Any:
        """Return the next message, also one that cannot be unpacked: the queue's own `get` would raise that."""
        message = self._channel.basic_get(queue=self._queue.name, no_ack=False)
        unpacked = getattr(self._channel, "message_to_python", None)
        return unpacked(message) if message is not None and unpacked is not None else message

    def _publish(self, message: Any, enqueued_at: float | None) -> None:
        headers = dict(message.headers)
        why: Mapping[str, Any] = headers.pop(GIVEN_UP)
        headers.pop(FIRST_ATTEMPT_AT, None)
        headers |= {"retries": 0, "ignore_result": why.get("ignore_result", False)}
        if enqueued_at is not None:
            headers[ENQUEUED_AT] = enqueued_at
        exchange, routing_key = why.get("exchange") or "", why.get("routing_key") or ""
        self._declare(exchange, routing_key)
        returned: list[object] = []

        def note(error: object, *_: object) -> None:
            returned.append(error)

        # Only AMQP tells. The others have queues for all that is declared.
        if (events := getattr(self._channel, "events", None)) is not None:
            events["basic_return"].add(note)
        producer = import_module("kombu").Producer(self._channel, auto_declare=False)
        properties = {name: value for name in _PROPERTIES if (value := message.properties.get(name)) is not None}
        # As it is: what a broker has must not depend on what this process can decode.
        producer.publish(
            message.body,
            exchange=exchange,
            routing_key=routing_key,
            headers=headers,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            compression=headers.pop("compression", None),
            delivery_mode=2,
            mandatory=True,
            **properties,
        )
        if returned:
            raise LookupError(
                f"The broker has no queue for the routing key {routing_key!r} of the exchange {exchange!r}. Start a "
                "worker for it once, which makes it."
            )

    def _declare(self, exchange: str, routing_key: str) -> None:
        """Declare the queue, as the worker does: a broker in Redis would drop what has no queue."""
        for queue in self._app.amqp.queues.values():
            named = {queue.routing_key, queue.name} if not exchange else {queue.routing_key}
            if routing_key in named and (not exchange or queue.exchange.name == exchange):
                queue(self._channel).declare()


def _confirming(app: Any) -> dict[str, Any]:
    url = str(app.conf.broker_write_url or app.conf.broker_url or "")
    return {"confirm_publish": True} if url.startswith(("amqp:", "amqps:", "pyamqp:")) else {}


def _taken_from_redis(channel: Any, queue: str) -> Any:
    """Take the next message, as kombu's `_get` does, which would lose what is no message: that is put back."""
    # Only commands to which kombu adds the prefix that its option `global_keyprefix` sets.
    with channel.conn_or_acquire() as client:
        for step in channel.priority_steps:
            key = channel._q_for_pri(queue, step)
            for _ in range(client.llen(key)):
                if (item := client.rpop(key)) is None:
                    break
                if (message := _message_in(item, channel)) is not None:
                    return message
                client.lpush(key, item)
    raise Empty


def _message_in(item: Any, channel: Any) -> Any:
    """Return the message that kombu can read from this, `None` when it cannot."""
    try:
        message = import_module("kombu.utils.json").loads(item)
        where = channel.Message(message, channel=channel).delivery_info
        known = isinstance(where["exchange"], str) and isinstance(where["routing_key"], str)
    except Exception:  # noqa: BLE001  # it may be anything, and so may what it makes of kombu
        return None
    return message if known else None


def _shown(headers: Mapping[str, Any]) -> FailedJob:
    why: Mapping[str, Any] = headers[GIVEN_UP]
    return FailedJob(
        id=str(headers.get("id")),
        function=str(headers.get("task")).rpartition(".")[2],
        queue=str(why.get("routing_key")),
        reason=str(why.get("reason")),
        failed_at=why.get("at"),
        enqueued_at=headers.get(ENQUEUED_AT),
        attempts=why.get("attempts"),
        error=why.get("error"),
        status=why.get("status"),
        code=why.get("code"),
        # Those of earlier versions have neither.
        message=shown_message(why.get("message")),
        expires_at=why.get("expires_at"),
    )
