"""Closes a gap of Celery's Redis broker, in which a job is nowhere.

Kombu takes a job from the queue with `BRPOP`, and notes in the hash `unacked` that it has done so with a second
command. A worker that is killed in between loses the job.

Jobs of this package are noted in `unacked` before they are put into the queue, under the tag that the worker will use:
it overwrites the note when it has the job, and deletes it when it acknowledges. A note that nobody deletes is what
kombu knows from workers that died: after the visibility timeout, here twice that, some worker puts the job back into
its queue. A job that waits in the queue for longer has a second copy there, to which the API answers with the first
one's e-mail.

Kombu has no way to be told that, so three methods of its channels are wrapped, for messages of this package alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast
from weakref import WeakSet

from poststack_tasks.celery.headers import ENQUEUED_AT, GIVEN_UP

__all__ = ["close_gap", "close_gap_of_any_application"]

_MODULE: Final = "kombu.transport.redis"

_known: WeakSet[Any] = WeakSet()
_lock = threading.Lock()
_wrapped = False


def close_gap(app: Any) -> None:
    """See to it that jobs of this process which are published from now on survive, when the broker is Redis."""
    if app in _known:
        return
    _known.add(app)
    # Of whichever scheme, with Sentinel or without.
    if any(one.__module__ == _MODULE for one in app.connection_for_write().get_transport_cls().__mro__):
        _wrap(sys.modules[_MODULE].Channel)


def close_gap_of_any_application() -> None:
    """Do so where the application is not known, so that it may have Redis wherever redis-py is installed."""
    if _wrapped or (_MODULE not in sys.modules and find_spec("redis") is None):
        return
    with suppress(ImportError):  # A redis-py that kombu cannot work with.
        _wrap(import_module(_MODULE).Channel)


def _wrap(channel: Any) -> None:
    global _wrapped  # noqa: PLW0603  # it is kombu's class that is changed, and that is one for the process, too
    with _lock:
        if _wrapped:
            return
        _wrapped = True
        channel._inplace_augment_message = _noting(channel._inplace_augment_message)
        channel.basic_publish = _forgetting_what_failed(channel.basic_publish)
        channel._purge = _forgetting_what_is_purged(channel._purge)


def _noting(augment: Callable[..., None]) -> Callable[..., None]:
    """Wrap what gives a message its tag, the last that is done before it goes out."""

    @wraps(augment)
    def augmented(self: Any, message: dict[str, Any], exchange: str, routing_key: str) -> None:
        augment(self, message, exchange, routing_key)
        if not _is_ours(message) or not self.ack_emulation:
            return
        tag = message["properties"]["delivery_tag"]
        noted = _dumps([message, exchange, routing_key])
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.zadd(self.unacked_index_key, {tag: time.time() + self.visibility_timeout})
            pipe.hset(self.unacked_key, tag, noted)
            pipe.execute()

    return augmented


def _forgetting_what_failed(publish: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the publishing: who is told that it failed does not expect the job to turn up two hours later."""

    @wraps(publish)
    def published(self: Any, message: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return publish(self, message, *args, **kwargs)
        except Exception:
            tag = message.get("properties", {}).get("delivery_tag")
            if tag is not None and _is_ours(message):
                _forget(self, [tag])
            raise

    return published


def _forgetting_what_is_purged(purge: Callable[..., int]) -> Callable[..., int]:
    """Wrap the purging of a queue: what somebody has thrown away must not come back."""

    @wraps(purge)
    def purged(self: Any, queue: str) -> int:
        with self.conn_or_acquire() as client:
            # Kombu puts `global_keyprefix` before the keys of the commands that it knows, of which this is none.
            knows = "LRANGE" in getattr(client, "PREFIXED_SIMPLE_COMMANDS", ())
            prefix = "" if knows else self.global_keyprefix
            queues = [f"{prefix}{self._q_for_pri(queue, step)}" for step in self.priority_steps]
            waiting = [message for name in queues for message in client.lrange(name, 0, -1)]
        count = purge(self, queue)
        messages = [_loads(message) for message in waiting]
        _forget(self, [one["properties"]["delivery_tag"] for one in messages if _is_ours(one)])
        return count

    return purged


def _forget(channel: Any, tags: list[str]) -> None:
    if not tags:
        return
    try:
        with channel.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.zrem(channel.unacked_index_key, *tags)
            pipe.hdel(channel.unacked_key, *tags)
            pipe.execute()
    except channel.connection_errors:
        # Redis is away. In the worst case a job that was not wanted any more is done, once.
        return


def _is_ours(message: Mapping[str, Any]) -> bool:
    headers = cast("Mapping[str, Any]", message.get("headers") or {})
    # What was given up waits for a person.
    return ENQUEUED_AT in headers and GIVEN_UP not in headers


def _dumps(value: object) -> Any:
    return import_module("kombu.utils.json").dumps(value)


def _loads(value: Any) -> Any:
    return import_module("kombu.utils.json").loads(value)
