"""The route that PostStack calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from poststack.receiving import LARGEST_BODY, WebhookReceiver, webhook_secrets
from poststack.receiving.sources import check_source
from poststack_flask.receivers import Receivers
from poststack_flask.state import app_at_work, state_of

if TYPE_CHECKING:
    from flask import Flask
    from flask.blueprints import BlueprintSetupState

    from poststack.providers.events import EventSource
    from poststack.receiving import EventHandlers, EventStore, Secrets

__all__ = ["BLUEPRINT", "MountedWebhook", "mounted_webhook", "webhook_blueprint"]

BLUEPRINT: Final = "poststack"
SECRETS: Final = "_poststack_secrets"
CHUNK: Final = 64 * 1024


def webhook_blueprint(
    handlers: EventHandlers,
    *,
    path: str,
    name: str = BLUEPRINT,
    secrets: Secrets = None,
    source: EventSource | None = None,
    store: EventStore | None = None,
    max_age: float | None = None,
    max_bytes: int = LARGEST_BODY,
) -> Blueprint:
    """Return a blueprint with one route; see `FlaskPostStack.webhook_blueprint`."""
    check_source(source, secrets)
    own_secrets = webhook_secrets(secrets)
    if secrets is not None and not own_secrets:
        raise ValueError("The webhook's secrets are empty. Leave them out to use POSTSTACK_WEBHOOK_SECRETS.")
    blueprint = Blueprint(name, __name__)

    def webhook(**_values: object) -> Response:
        if request.method == "HEAD":  # Some set-up tools look whether there is something.
            return Response()
        app = app_at_work()
        state = state_of(app)
        receivers = Receivers(app, handlers)
        age = state.settings.webhook_max_age if max_age is None else max_age
        receiver = WebhookReceiver(
            None if source is not None else own_secrets or state.settings.webhook_secrets,
            source=source,
            store=store or state.event_store,
            max_age=None if age == float("inf") else age,
            max_bytes=max_bytes,
            handlers=receivers,
            call=receivers.call,
        )
        answer = receiver.receive(_raw_body(max_bytes), headers=dict(request.headers.items()))
        return Response(answer.text, answer.status, answer.headers, mimetype="text/plain")

    def mount(mounting: BlueprintSetupState) -> None:
        # With host matching, a rule without a host is for no host; a blueprint cannot be registered with one.
        host = {"host": "<_host>"} if mounting.app.url_map.host_matching else {}
        mounting.add_url_rule(path, "webhook", webhook, methods=["POST", "HEAD"], strict_slashes=False, **host)

    # PostStack's events, which the emulator and tests post, are taken where there is no other source.
    setattr(webhook, SECRETS, own_secrets if source is None else None)
    blueprint.record(mount)
    # Runs before every `before_request`, so before CSRFProtect too, whichever of us was initialised first.
    blueprint.url_value_preprocessor(_exempt_from_csrf)
    return blueprint


class MountedWebhook(NamedTuple):
    """Where an application takes webhooks, and the secrets that it takes there."""

    path: str
    secrets: tuple[str, ...]
    subdomain: str | None

    def __repr__(self) -> str:
        """Return the path; the secrets stay secret."""
        return f"MountedWebhook({self.path!r})"


def mounted_webhook(app: Flask, path: str | None = None) -> MountedWebhook | None:
    """Return the webhook at a path, or the first one; `None` when there is none, or none that has a secret."""
    for rule in app.url_map.iter_rules():
        # A rule may have no view, or have it later.
        own: object = getattr(app.view_functions.get(rule.endpoint), SECRETS, None)
        if isinstance(own, tuple) and path in {None, rule.rule}:
            secrets = cast("tuple[str, ...]", own) or state_of(app).settings.webhook_secrets
            if secrets:
                return MountedWebhook(rule.rule, secrets, rule.subdomain or None)
    return None


def _exempt_from_csrf(endpoint: str | None, values: dict[str, Any] | None) -> None:
    protection: object = current_app.extensions.get("csrf")
    exempt = getattr(protection, "exempt", None)
    if callable(exempt) and endpoint is not None:
        exempt(current_app.view_functions[endpoint])


def _raw_body(most: int) -> bytes:
    """Return the body as it came, and at most one byte more than is taken.

    Nothing is read of one that says it is longer. The limits of the application and of the request apply besides.
    """
    if request.content_length is not None:
        if request.content_length > most:
            raise RequestEntityTooLarge
        return request.get_data()
    # Sent in chunks. Where something has read and kept it before us, the stream is empty.
    parts: list[bytes] = []
    left = most + 1
    while left > 0 and (part := request.stream.read(min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts) or request.get_data()
