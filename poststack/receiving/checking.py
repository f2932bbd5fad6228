"""Whether a webhook call is to be trusted, and what to answer if not. No I/O."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, cast

from poststack.errors import WebhookSignatureError
from poststack.events import construct_event

if TYPE_CHECKING:
    from poststack.events import WebhookEvent

__all__ = [
    "LARGEST_BODY",
    "MAX_AGE",
    "BasicChallenge",
    "HiddenText",
    "Secrets",
    "WebhookAnswer",
    "check_webhook",
    "webhook_secrets",
]

LARGEST_BODY: Final = 1_000_000
"""Bytes."""
MAX_AGE: Final = 3 * 86_400.0
"""Seconds. PostStack tries for one day."""

logger: logging.Logger = logging.getLogger("poststack.webhooks")


class WebhookAnswer(NamedTuple):
    """What to answer PostStack. Anything but a status of 2xx makes it deliver the event again, for a day."""

    status: int
    text: str

    @property
    def headers(self) -> dict[str, str]:
        """Return what to answer beside the text; without a source of another provider's events nothing."""
        return {}


class BasicChallenge(WebhookAnswer):
    """An answer that asks for user and password: some callers send theirs only after it."""

    @property
    def headers(self) -> dict[str, str]:
        """Return the challenge (RFC 7617 §2)."""
        return {"WWW-Authenticate": 'Basic realm="webhooks", charset="UTF-8"'}


class HiddenText(Protocol):
    """A text that does not show itself, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


Secrets: TypeAlias = "str | HiddenText | Iterable[str | HiddenText] | None"


def webhook_secrets(given: Secrets) -> tuple[str, ...]:
    """Return the secrets of a setting: one, several, or several in one text with commas between; blank ones are none.

    Raises `ValueError` for what is no text.
    """
    value = cast("object", () if given is None else given)  # It may come from any settings.
    is_several = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    found: list[str] = []
    for one in cast("Iterable[object]", value if is_several else (value,)):
        text = cast("HiddenText", one).get_secret_value() if hasattr(one, "get_secret_value") else one
        if not isinstance(text, str):
            raise ValueError(f"A webhook secret is text, not {type(text).__name__}.")
        found += [stripped for part in text.split(",") if (stripped := part.strip())]
    return tuple(found)


def check_webhook(
    body: bytes,
    signature: str | None,
    secrets: Secrets,
    *,
    max_age: float | None = MAX_AGE,
    max_bytes: int = LARGEST_BODY,
) -> WebhookEvent | WebhookAnswer:
    """Return the event of a call that is to be trusted, else what to answer: 401, 400, 413, or 403 without a secret.

    `max_age` is in seconds: an older event, or one without a time, is refused, because the signature says nothing about
    when a call was made. `None` takes every age.
    """
    known = webhook_secrets(secrets)
    if not known:
        logger.warning("A webhook was refused: no secret is configured. Set the one shown when it was created.")
        return WebhookAnswer(403, "This endpoint has no signing secret.")
    if len(body) > max_bytes:
        return WebhookAnswer(413, "The body is too large.")
    try:
        event = construct_event(body, signature, known)
    except WebhookSignatureError:
        logger.warning(
            "A webhook was refused: no signature matches. Compare the secret with the one shown when the webhook was "
            "created or its secret rotated."
        )
        return WebhookAnswer(401, "No signature matches.")
    except ValueError as error:
        logger.warning("A signed webhook was refused: %s", error)
        return WebhookAnswer(400, str(error))
    if max_age is not None and (event.timestamp is None or event.timestamp.timestamp() < time.time() - max_age):
        logger.warning("The signed event %s was refused: it is older than %.0f seconds.", event.id, max_age)
        return WebhookAnswer(400, "The event is too old.")
    return event
