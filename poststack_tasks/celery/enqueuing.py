"""What happens when a task is enqueued: its arguments are checked, and nothing of them is shown in events and logs.

These functions become methods of the tasks. They are no base class, because a task with one of its own would not be of
the application's task class any more: Django's `delay_on_commit`, or Flask's application context, would be lost.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from poststack_tasks.celery.canvas import has_payload, refuse_result_of_task_before
from poststack_tasks.celery.headers import ENQUEUED_AT
from poststack_tasks.celery.redis_broker import close_gap
from poststack_tasks.celery.serializers import check_serializer
from poststack_tasks.celery.unknown_settings import warn_of_unknown_settings
from poststack_tasks.configuration import current_settings
from poststack_tasks.events import event_of
from poststack_tasks.payload import check_batch_key, check_key, checked_job, checked_jobs, expiry_of

__all__ = [
    "HIDDEN_ARGUMENTS",
    "Prepare",
    "enqueuing_methods",
    "prepared_batch",
    "prepared_email",
    "prepared_event",
]

HIDDEN_ARGUMENTS: Final[Mapping[str, str]] = {"argsrepr": "(…)", "kwargsrepr": "{…}"}
"""What events, logs and dashboards show instead of addresses and bodies."""

Prepared = tuple[tuple[Any, ...], dict[str, Any]]
Prepare = Callable[..., Prepared]


def prepared_email(
    conf: Mapping[str, Any], payload: object, idempotency_key: object = None, expires: object = None
) -> Prepared:
    """Return the arguments of a job for one e-mail. Raises `JobError`."""
    email = checked_job(payload, largest=current_settings(conf).largest_job)
    return (email,), _options(check_key(dict(email), idempotency_key), expires)


def prepared_batch(
    conf: Mapping[str, Any], payloads: object, idempotency_key: object = None, expires: object = None
) -> Prepared:
    """Return the arguments of a job for several e-mails. Raises `JobError`."""
    emails = checked_jobs(payloads, largest=current_settings(conf).largest_job)
    return (emails,), _options(check_batch_key(idempotency_key), expires)


def prepared_event(conf: Mapping[str, Any], event: object) -> Prepared:
    """Return the arguments of a job for an event. Raises `JobError`."""
    event_of(event)
    return (dict(cast("Mapping[str, Any]", event)),), {}


def _options(key: str | None, expires: object) -> dict[str, Any]:
    # The moment is fixed here: a worker cannot know when a number of seconds began.
    options = {"idempotency_key": key, "expires": expiry_of(expires, time.time())}
    return {name: value for name, value in options.items() if value is not None}


def enqueuing_methods(prepare: Prepare) -> dict[str, Callable[..., Any]]:
    """Return the methods that replace those of the task class with the same names, and call them."""
    parameters = inspect.signature(prepare).replace(parameters=list(inspect.signature(prepare).parameters.values())[1:])
    payload_name = next(iter(parameters.parameters))

    def prepared(task: Any, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> Prepared:
        refuse_result_of_task_before(payload_name, args or (), kwargs or {})
        bound = parameters.bind(*(args or ()), **(kwargs or {}))  # Raises `TypeError`, as a call would.
        return prepare(task.app.conf, *bound.args, **bound.kwargs)

    def apply_async(
        self: Any,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        check_serializer(self, options)
        warn_of_unknown_settings(self.app)
        headers = dict(options.get("headers") or {})
        if ENQUEUED_AT not in headers:  # It is not one that is tried again.
            args, kwargs = prepared(self, args, kwargs)
            headers[ENQUEUED_AT] = time.time()
        if not self.app.conf.task_always_eager:
            close_gap(self.app)
        return _next(self, apply_async)(args, kwargs, *more, **{**options, **HIDDEN_ARGUMENTS, "headers": headers})

    def delay_on_commit(self: Any, *args: Any, **kwargs: Any) -> None:
        args, kwargs = prepared(self, args, kwargs)
        _next(self, delay_on_commit)(*args, **kwargs)

    def apply_async_on_commit(
        self: Any, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        check_serializer(self, options)
        args, kwargs = prepared(self, args, kwargs)
        _next(self, apply_async_on_commit)(args, kwargs, **options)

    def checked(task: Any, signature: Any) -> Any:
        # With the header it is a job that is tried again, of which Celery makes a signature, too.
        is_new = ENQUEUED_AT not in (signature.options.get("headers") or {})
        if is_new and has_payload(payload_name, signature.args, signature.kwargs, immutable=signature.immutable):
            prepared(task, signature.args, signature.kwargs)
        return signature  # As it is: the moment of `expires` is fixed when the job is enqueued.

    def signature(self: Any, *args: Any, **options: Any) -> Any:
        return checked(self, _next(self, signature)(*args, **options))

    def subtask(self: Any, *args: Any, **options: Any) -> Any:
        return checked(self, _next(self, subtask)(*args, **options))

    def map(self: Any, *_: Any, **__: Any) -> None:
        raise _no_job_of_its_own(self, "map")

    def starmap(self: Any, *_: Any, **__: Any) -> None:
        raise _no_job_of_its_own(self, "starmap")

    def chunks(self: Any, *_: Any, **__: Any) -> None:
        raise _no_job_of_its_own(self, "chunks")

    methods: tuple[Callable[..., Any], ...] = (
        apply_async,
        delay_on_commit,
        apply_async_on_commit,
        signature,
        subtask,
        map,
        starmap,
        chunks,
    )
    return {method.__name__: method for method in methods}


def _no_job_of_its_own(task: Any, method: str) -> TypeError:
    # Celery runs these within a job of its own, which would show the e-mails, try none again, and send all of them once
    # more when it is delivered again.
    return TypeError(
        f"{task.name}.{method} would have no jobs of their own, which might run twice or not at all. Use "
        "send_batch, or group(send_email.s(email) for email in …)."
    )


def _next(task: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method that ours replaces: that of the application's own task class."""
    name: str = method.__name__
    classes = type(task).__mro__
    own = next(index for index, one in enumerate(classes) if one.__dict__.get(name) is method)
    for one in classes[own + 1 :]:
        if name in one.__dict__:
            bound: Callable[..., Any] = one.__dict__[name].__get__(task, type(task))
            return bound
    raise AttributeError(
        f"{task.name}.{name} needs Celery's Django integration: the Celery application of a Django project has it when "
        "DJANGO_SETTINGS_MODULE is set before the application is made."
    )
