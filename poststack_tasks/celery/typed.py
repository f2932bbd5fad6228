"""What the tasks look like to a type checker: Celery itself has no types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poststack.types import BatchEmails, SendEmail
    from poststack_tasks.payload import Expires

__all__ = ["BatchTask", "EmailTask", "EventTask"]


class _Task(Protocol):
    """What all tasks of Celery have; anything else is there, too, at run time."""

    name: str

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Enqueue with options of Celery, such as `countdown`, `queue` or `expires`; return its `AsyncResult`."""
        ...

    def apply_async_on_commit(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Enqueue when Django's transaction is committed. What is wrong with the arguments is raised at once."""
        ...

    def si(self, *args: Any, **kwargs: Any) -> Any:
        """Return a signature that takes no result of the task before it in a chain."""
        ...

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run it here and now; return its `EagerResult`."""
        ...


class EmailTask(_Task, Protocol):
    """`send_email`."""

    def delay(self, payload: SendEmail, idempotency_key: str | None = None, expires: Expires | None = None) -> Any:
        """Enqueue an e-mail; return its `AsyncResult`.

        `idempotency_key` names what must not be sent twice, however often it is enqueued, such as `welcome/42`;
        without one a job is sent once. `expires` is when it is not wanted any more: seconds, a `timedelta` or a
        `datetime` with a time zone. Raises `poststack_tasks.JobError` for what is wrong with them.
        """
        ...

    def delay_on_commit(
        self, payload: SendEmail, idempotency_key: str | None = None, expires: Expires | None = None
    ) -> None:
        """Do so when Django's transaction is committed. What is wrong with the arguments is raised at once."""
        ...

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """Return a signature, for chains, groups and `beat`. Raises `JobError` for a payload that is no e-mail.

        In a chain the result of the task before becomes the payload; `si` takes none.
        """
        ...

    def __call__(self, payload: SendEmail, idempotency_key: str | None = None, expires: Expires | None = None) -> Any:
        """Send it here and now, in one attempt. Raises what the client raises."""
        ...


class BatchTask(_Task, Protocol):
    """`send_batch`."""

    def delay(
        self,
        payloads: Sequence[SendEmail] | BatchEmails,
        idempotency_key: str | None = None,
        expires: Expires | None = None,
    ) -> Any:
        """Enqueue 1 to 100 e-mails that are sent in one call; return its `AsyncResult`. See `EmailTask.delay`."""
        ...

    def delay_on_commit(
        self,
        payloads: Sequence[SendEmail] | BatchEmails,
        idempotency_key: str | None = None,
        expires: Expires | None = None,
    ) -> None:
        """Do so when Django's transaction is committed."""
        ...

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """Return a signature."""
        ...

    def __call__(
        self,
        payloads: Sequence[SendEmail] | BatchEmails,
        idempotency_key: str | None = None,
        expires: Expires | None = None,
    ) -> Any:
        """Send them here and now, in one attempt."""
        ...


class EventTask(_Task, Protocol):
    """`process_event`."""

    def delay(self, event: Mapping[str, Any]) -> Any:
        """Enqueue what `poststack_tasks.event_job(event)` returned; return its `AsyncResult`."""
        ...

    def delay_on_commit(self, event: Mapping[str, Any]) -> None:
        """Do so when Django's transaction is committed."""
        ...

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """Return a signature."""
        ...

    def __call__(self, event: Mapping[str, Any]) -> Any:
        """Call the handlers here and now."""
        ...
