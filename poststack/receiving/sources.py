"""What a call says whose events another provider tells, or what to answer if it is not to be trusted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from poststack.errors import WebhookSignatureError
from poststack.receiving.checking import WebhookAnswer
from poststack.transports.base import TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poststack.events import WebhookEvent
    from poststack.providers.events.base import AsyncEventSource, EventSource, ProviderEvents
    from poststack.receiving.checking import Secrets

__all__ = ["acheck_source", "aread_events", "check_source", "read_events"]

logger: logging.Logger = logging.getLogger("poststack.webhooks")


def check_source(source: object, secrets: Secrets) -> None:
    """Raise `TypeError` for what is no source, `ValueError` for one beside the secrets of PostStack's own events."""
    if source is not None and not hasattr(source, "read"):
        raise TypeError(f"{type(source).__name__} is no EventSource: it has no method `read`.")
    _check_alone(source, secrets)


def acheck_source(source: object, secrets: Secrets) -> None:
    """Raise what `check_source` does; a source may be one that waits."""
    if source is not None and not hasattr(source, "read") and not hasattr(source, "aread"):
        raise TypeError(f"{type(source).__name__} is no EventSource: it has neither `read` nor `aread`.")
    _check_alone(source, secrets)


def _check_alone(source: object, secrets: Secrets) -> None:
    if source is not None and secrets is not None:
        raise ValueError("Give `secrets` for PostStack's events or a `source` for another provider's, not both.")


def read_events(
    source: EventSource, body: bytes, headers: Mapping[str, str], *, max_bytes: int
) -> list[WebhookEvent] | WebhookAnswer:
    """Return the events of a call that is to be trusted, else what to answer."""
    if len(body) > max_bytes:
        return WebhookAnswer(413, "The body is too large.")
    try:
        return source.read(body, headers)
    except (ValueError, TransportError) as error:
        return _refusal(source, error)


async def aread_events(
    source: EventSource | AsyncEventSource, body: bytes, headers: Mapping[str, str], *, max_bytes: int
) -> list[WebhookEvent] | WebhookAnswer:
    """Return the events of a call that is to be trusted, else what to answer."""
    if len(body) > max_bytes:
        return WebhookAnswer(413, "The body is too large.")
    try:
        reader: Any = source
        events: list[WebhookEvent] = (
            await reader.aread(body, headers) if hasattr(source, "aread") else reader.read(body, headers)
        )
    except (ValueError, TransportError) as error:
        return _refusal(source, error)
    return events


def _refusal(source: object, error: Exception) -> WebhookAnswer:
    title = getattr(source, "title", type(source).__name__)
    logger.warning("A webhook of %s was refused: %s", title, error)
    if not isinstance(error, ValueError):
        return WebhookAnswer(503, "The call cannot be checked now.")
    refusal: Any = getattr(source, "refusal", None)
    if refusal is not None:
        return cast("ProviderEvents", source).refusal(error)
    return WebhookAnswer(401 if isinstance(error, WebhookSignatureError) else 400, str(error))
