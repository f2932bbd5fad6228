"""The view that PostStack calls. Mount it with `include("poststack_django.urls")`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from poststack import WebhookEvent, WebhookSignatureError
from poststack.events import SIGNATURE_HEADER, construct_event
from poststack.receiving import WebhookAnswer
from poststack.receiving.sources import check_source, read_events
from poststack_django.database import is_recording
from poststack_django.receivers import call_all
from poststack_django.settings import get_settings

if TYPE_CHECKING:
    from poststack.providers.events import EventSource
    from poststack_django.models import SentEmail
    from poststack_django.telling import Turn

__all__ = ["WebhookView"]

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger("poststack.django")

OVERDUE_AT_A_TIME: Final = 2


def _login_not_required(function: Function) -> Function:
    try:
        from django.contrib.auth.decorators import login_not_required
    except ImportError:  # pragma: no cover  # a project without django.contrib.auth has no such middleware either
        return function
    return login_not_required(function)


@method_decorator([csrf_exempt, _login_not_required], name="dispatch")
class WebhookView(View):
    """Check the signature, store the event, bring its e-mail up to date, then call the receivers of its signals.

    Answers 200 once an event is stored, again for repeated ones, and for types it does not know; 401 when no signature
    matches, 400 for a signed body that is no event or is too old, 413 for a body over the limit, 403 as long as no
    secret is configured, and 503 when the database fails. Options are given to `as_view(...)`; several endpoints, each
    with secrets of its own, may share one project.
    """

    http_method_names = ["post", "head", "options"]  # noqa: RUF012  # as the class above it has it

    secrets: Sequence[str] | None = None
    """Replaces `POSTSTACK["WEBHOOK_SECRETS"]`: the signing secrets of this endpoint, several during a rotation."""
    source: EventSource | None = None
    """Takes the events of another provider, in place of PostStack's, such as
    `poststack.providers.events.PostmarkEvents(…)`. What the provider calls an e-mail is looked for as its `email_id`.
    A source has its own `max_age`."""
    max_bytes: int = 1_000_000
    """Longest body that is read. Django's `DATA_UPLOAD_MAX_MEMORY_SIZE` applies as well."""
    max_age: float | None = None
    """Replaces `POSTSTACK["WEBHOOK_MAX_AGE"]`: seconds after which an event that is not stored yet is refused. For
    retries to be taken it must be more than the day for which PostStack tries; `float("inf")` takes every age."""
    fail_on_receiver_error: bool = False
    """Whether to answer 500 as long as a receiver fails, so that PostStack delivers the event again. That calls only
    the receivers that failed. Without the app installed, nobody remembers which, and all are called."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """Return the view with these options. Raises `TypeError` and `ValueError` for a source that cannot be one."""
        check_source(initkwargs.get("source"), initkwargs.get("secrets"))
        view = super().as_view(**initkwargs)
        # In the transaction of a request, receivers would be told after the answer. Without an alias, Django's
        # decorator exempts from the default database's only.
        for alias in connections.settings:
            transaction.non_atomic_requests(using=alias)(view)
        return view

    def head(self, request: HttpRequest) -> HttpResponse:
        """Answer the probes that some set-up tools send."""
        return HttpResponse()

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest) -> HttpResponse:
        """Take the events of one call."""
        events = self._events(request)
        if isinstance(events, HttpResponse):
            return events
        # All are stored before any answer; the worst is what is answered.
        return max([self._stored(event) for event in events], key=_status, default=_answer(handled=True))

    def _stored(self, event: WebhookEvent) -> HttpResponse:
        try:
            return self._take(event)
        except DatabaseError as error:
            # Raised, it would be logged as an error. Those may be sent by e-mail, whose events would fail as well.
            logger.warning("Storing the event %s failed with %s.", event.id, type(error).__name__, exc_info=error)
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The event cannot be stored now.")

    def _events(self, request: HttpRequest) -> list[WebhookEvent] | HttpResponse:
        """Return the events of a call that is to be trusted, else the answer."""
        if self.source is None:
            return self._poststack_event(request)
        body = self._body(request)
        if isinstance(body, HttpResponse):
            return body
        events = read_events(self.source, body, request.headers, max_bytes=self.max_bytes)
        if not isinstance(events, WebhookAnswer):
            return events
        response = _refusal(HTTPStatus(events.status), events.text)
        for name, value in events.headers.items():
            response[name] = value
        return response

    @method_decorator(sensitive_variables())
    def _poststack_event(self, request: HttpRequest) -> list[WebhookEvent] | HttpResponse:
        secrets = self._secrets()
        if not secrets:
            logger.warning(
                "A webhook was refused: no secret is configured. Set POSTSTACK = {'WEBHOOK_SECRETS': ['…']} to the "
                "signing secret shown when the webhook was created."
            )
            return _refusal(HTTPStatus.FORBIDDEN, "This endpoint has no signing secret.")
        body = self._body(request)
        if isinstance(body, HttpResponse):
            return body
        try:
            return [construct_event(body, request.headers.get(SIGNATURE_HEADER), secrets)]
        except WebhookSignatureError:
            logger.warning(
                "A webhook was refused: no signature matches. Compare WEBHOOK_SECRETS with the secret shown when "
                "the webhook was created or its secret rotated."
            )
            return _refusal(HTTPStatus.UNAUTHORIZED, "No signature matches.")
        except ValueError as error:
            logger.warning("A signed webhook was refused: %s", error)
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))

    def _secrets(self) -> Sequence[str]:
        if self.secrets is None:
            return get_settings().webhook_secrets
        secrets = [self.secrets] if isinstance(self.secrets, str) else self.secrets
        return [secret for secret in secrets if secret]

    def _body(self, request: HttpRequest) -> bytes | HttpResponse:
        too_large = _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
        try:
            if int(request.headers.get("Content-Length") or 0) > self.max_bytes:
                return too_large
            return request.body if len(request.body) <= self.max_bytes else too_large
        except RequestDataTooBig:
            return too_large
        except (UnreadablePostError, ValueError):
            return _refusal(HTTPStatus.BAD_REQUEST, "The body cannot be read.")

    def _take(self, event: WebhookEvent) -> HttpResponse:
        if not is_recording():
            if self._is_too_old(event):
                return _too_old()
            handled = not call_all(event, None, WebhookView)
            return _answer(handled=handled or not self.fail_on_receiver_error)
        from poststack_django.choices import EventState
        from poststack_django.event_records import is_stored, record_event

        # One that is stored is no danger, and refusing it would count as a failure of this endpoint.
        if self._is_too_old(event) and not is_stored(event):
            return _too_old()
        told: list[bool] = []

        def tell(turn: Turn, email: SentEmail | None) -> None:
            logger.info("Event %s: %s for %s.", event.id, event.type, event.email_id)
            try:
                told.append(turn.tell(event, email, WebhookView))
            except DatabaseError as error:  # The event stays as if nobody had been told.
                logger.warning(
                    "Telling of the event %s failed with %s.", event.id, type(error).__name__, exc_info=error
                )

        recorded = record_event(event, tell, retry_failed=self.fail_on_receiver_error)
        if not recorded.is_new:
            logger.info("Event %s had been received before.", event.id)
        _tell_overdue()
        if not self.fail_on_receiver_error:
            return _answer(handled=True)
        if recorded.turn is None:  # Another process may be at it, or have died: the next delivery will know.
            return _answer(handled=recorded.stored.state in {EventState.HANDLED.value, EventState.EARLY.value})
        # Nothing is told yet inside a transaction that somebody has put around this view.
        return _answer(handled=all(told) if told else _in_transaction())

    def _is_too_old(self, event: WebhookEvent) -> bool:
        if self.source is not None:
            return False
        max_age = get_settings().webhook_max_age if self.max_age is None else self.max_age
        if max_age is None or max_age == float("inf"):
            return False
        # Without a time of its own, an event might be of any age.
        return event.timestamp is None or event.timestamp < timezone.now() - timedelta(seconds=max_age)


def _status(response: HttpResponse) -> int:
    return response.status_code


def _answer(*, handled: bool) -> HttpResponse:
    if handled:
        return HttpResponse("ok", content_type="text/plain")
    return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "A receiver failed.")


def _too_old() -> HttpResponse:
    logger.warning(
        "A signed webhook was refused: it is older than WEBHOOK_MAX_AGE. To take a replay of old events, raise that "
        "setting meanwhile."
    )
    return _refusal(HTTPStatus.BAD_REQUEST, "The event is too old.")


def _tell_overdue() -> None:
    """Clear up, with every event, more early ones than it can be itself: so they are dealt with without a command."""
    from poststack_django.telling import tell_overdue

    try:
        tell_overdue(OVERDUE_AT_A_TIME)
    except DatabaseError as error:  # The event itself is stored.
        logger.warning("Telling of early events failed with %s.", type(error).__name__, exc_info=error)


def _in_transaction() -> bool:
    from poststack_django.writing import database

    return connections[database()].in_atomic_block


def _refusal(status: HTTPStatus, reason: str) -> HttpResponse:
    response = HttpResponse(reason, status=status, content_type="text/plain")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Django logs these as errors, which `AdminEmailHandler` sends by e-mail: the events of that e-mail would come
        # here and fail as well, without end. The reason is in this package's own log.
        vars(response)["_has_been_logged"] = True
    return response
