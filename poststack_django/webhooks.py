"""The view that PostStack calls. Mount it with `include("poststack_django.urls")`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from poststack import WebhookEvent, WebhookSignatureError
from poststack.events import SIGNATURE_HEADER, construct_event
from poststack_django.database import is_recording
from poststack_django.settings import get_settings
from poststack_django.signals import tracking

if TYPE_CHECKING:
    from poststack_django.models import SentEmail

__all__ = ["WebhookView"]

Function = TypeVar("Function", bound=Callable[..., Any])

logger = logging.getLogger("poststack.django")


def _login_not_required(function: Function) -> Function:
    try:
        from django.contrib.auth.decorators import login_not_required
    except ImportError:  # pragma: no cover  # a project without django.contrib.auth has no such middleware either
        return function
    return login_not_required(function)


@method_decorator([csrf_exempt, _login_not_required, transaction.non_atomic_requests], name="dispatch")
class WebhookView(View):
    """Check the signature, store the event, bring its e-mail up to date, then send the signal `tracking`.

    Answers 200 once an event is stored, again for repeated ones, and for types it does not know; 401 when no signature
    matches, 400 for a signed body that is no event, 413 for a body over the limit, and 403 as long as no secret is
    configured. Options are given to `as_view(...)`.
    """

    http_method_names = ["post", "head", "options"]  # noqa: RUF012  # as the class above it has it

    secrets: Sequence[str] | None = None
    """Replaces `POSTSTACK["WEBHOOK_SECRETS"]`: the signing secrets of this endpoint, several during a rotation."""
    max_bytes: int = 1_000_000
    """Longest body that is read. Django's `DATA_UPLOAD_MAX_MEMORY_SIZE` applies as well."""

    def head(self, request: HttpRequest) -> HttpResponse:
        """Answer the probes that some set-up tools send."""
        return HttpResponse()

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest) -> HttpResponse:
        """Take one event."""
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
            event = construct_event(body, request.headers.get(SIGNATURE_HEADER), secrets)
        except WebhookSignatureError:
            logger.warning(
                "A webhook was refused: no signature matches. Compare WEBHOOK_SECRETS with the secret shown when "
                "the webhook was created or its secret rotated."
            )
            return _refusal(HTTPStatus.UNAUTHORIZED, "No signature matches.")
        except ValueError as error:
            logger.warning("A signed webhook was refused: %s", error)
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        self._take(event)
        return HttpResponse("ok", content_type="text/plain")

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

    def _take(self, event: WebhookEvent) -> None:
        if not is_recording():
            self._tell(event, None)
            return
        from poststack_django.event_records import record_event

        if not record_event(event, partial(self._tell, event)):
            logger.info("Event %s had been received before.", event.id)

    def _tell(self, event: WebhookEvent, email: SentEmail | None) -> None:
        logger.info("Event %s: %s for %s.", event.id, event.type, event.email_id)
        tracking.send_robust(sender=type(self), event=event, email=email)


def _refusal(status: HTTPStatus, reason: str) -> HttpResponse:
    return HttpResponse(reason, status=status, content_type="text/plain")
