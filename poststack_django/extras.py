"""What PostStack can do and Django's messages have no field for: attributes of the message, and defaults for them.

    attribute        value                                          sent
    tags             list of texts                                  yes, the defaults' first
    template_id      `tpl_…`                                        yes
    variables        names and texts for the template               yes, over the defaults'
    scheduled_at     datetime, or ISO 8601 text                     yes, in UTC
    idempotency_key  text of at most 255 characters                 yes
    unsubscribe      True or False                                  yes
    tracking         {"opens": bool, "clicks": bool}, or one bool   yes, over the defaults'
    signature        "auto" or "none"                               yes
    metadata         JSON of your own                               no: stored with the row
    related_to       a saved object of yours, or several            no: stored with the row
    sensitive        True or False                                  no: says how long the content is kept
    expires_after    timedelta, or seconds                          no: says how long the outbox may try

An attribute that is absent or None is as in the defaults. `ValueError` names what cannot be sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils import timezone as django_timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise

from poststack.mime import refuse_line_breaks
from poststack_django.headers import default_headers, merged_headers
from poststack_django.outgoing import Related
from poststack_django.querysets import model_label, object_key

if TYPE_CHECKING:
    from poststack.types import SendEmail

__all__ = [
    "DEFAULTABLE",
    "LONGEST_IDEMPOTENCY_KEY",
    "add_extras",
    "expires_after",
    "is_sensitive",
    "merged_defaults",
    "metadata_of",
    "related_to",
]

LONGEST_IDEMPOTENCY_KEY: Final = 255
DEFAULTABLE: Final = (
    "expires_after",
    "headers",
    "metadata",
    "sensitive",
    "signature",
    "tags",
    "tracking",
    "unsubscribe",
    "variables",
)
"""What `SEND_DEFAULTS` and the option `send_defaults` may hold."""

# What other packages call it: a message that was written for them must not lose half of what it says.
_FOREIGN: Final = {
    "envelope_sender": "PostStack handles bounces itself; leave it out.",
    "esp_extra": "Use the attributes of poststack_django.message.PostStackEmail.",
    "merge_data": "Send one message for each recipient; several go in one call.",
    "merge_global_data": "Its name here is `variables`.",
    "merge_headers": "Send one message for each recipient; several go in one call.",
    "merge_metadata": "Send one message for each recipient; several go in one call.",
    "send_at": "Its name here is `scheduled_at`.",
    "track_clicks": "Its name here is `tracking`, such as {'clicks': True}.",
    "track_opens": "Its name here is `tracking`, such as {'opens': True}.",
}


def add_extras(payload: SendEmail, message: object, defaults: Mapping[str, Any]) -> None:
    """Add what the message's attributes and the defaults say to the call. Raises `ValueError`."""
    for name, hint in _FOREIGN.items():
        if _given(message, name) not in (None, {}, [], ""):
            raise ValueError(f"The message has `{name}`, which PostStack does not know. {hint}")
    found: dict[str, object] = {
        "tags": list(dict.fromkeys([*_tags(defaults.get("tags")), *_tags(_given(message, "tags"))])),
        "template_id": _line(_given(message, "template_id"), "template_id") or None,
        "variables": {**_variables(defaults.get("variables")), **_variables(_given(message, "variables"))},
        "scheduled_at": _moment(_given(message, "scheduled_at")),
        "unsubscribe": _flag(_chosen(message, defaults, "unsubscribe"), "unsubscribe"),
        "tracking": {**_tracking(defaults.get("tracking")), **_tracking(_given(message, "tracking"))},
        "signature": _signature(_chosen(message, defaults, "signature")),
        "idempotency_key": _idempotency_key(_given(message, "idempotency_key")),
    }
    payload.update(cast("SendEmail", {name: value for name, value in found.items() if value not in (None, [], {})}))
    if defaults.get("headers"):
        payload["headers"] = merged_headers(default_headers(defaults["headers"]), payload.get("headers", {}))


def metadata_of(message: object, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message's own notes over those of the defaults. Raises `ValueError` if they are no JSON."""
    merged: dict[str, Any] = {}
    for given in (defaults.get("metadata"), _given(message, "metadata")):
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(f"`metadata` is a dictionary, not {type(given).__name__}.")
        merged.update(cast("Mapping[str, Any]", given or {}))
    try:
        copied: dict[str, Any] = json.loads(json.dumps(merged, allow_nan=False, cls=DjangoJSONEncoder))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("`metadata` holds something that is no JSON: use texts, numbers, dates, lists.") from None
    return copied


def related_to(message: object) -> list[Related]:
    """Return the objects that the message is about, by model and key. Raises `ValueError` for unsaved ones."""
    given = _given(message, "related_to")
    if given is None:
        return []
    instances = [given] if isinstance(given, Model) else given
    if isinstance(instances, (str, Mapping)) or not isinstance(instances, Iterable):
        raise ValueError(f"`related_to` is a model instance or a list of them, not {type(given).__name__}.")
    found: list[Related] = []
    for instance in cast("Iterable[object]", instances):
        if not isinstance(instance, Model):
            raise ValueError(f"`related_to` holds a {type(instance).__name__}; give model instances.")
        if instance.pk is None:
            raise ValueError(f"`related_to` holds an unsaved {type(instance).__name__}. Save it first.")
        found.append(Related(model_label(instance), object_key(instance)))
    return found


def is_sensitive(message: object, defaults: Mapping[str, Any]) -> bool:
    """Return whether the content of the message is to be kept no longer than needed. Raises `ValueError`."""
    return _flag(_chosen(message, defaults, "sensitive"), "sensitive") or False


def expires_after(message: object, defaults: Mapping[str, Any]) -> timedelta | None:
    """Return how long the outbox may take to send the message, `None` for no limit. Raises `ValueError`."""
    given = _chosen(message, defaults, "expires_after")
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        given = timedelta(seconds=given)
    if not isinstance(given, timedelta) or given <= timedelta(0):
        raise ValueError("`expires_after` is a timedelta, or a number of seconds, over 0.")
    return given


def merged_defaults(settings: Mapping[str, Any], own: object) -> Mapping[str, Any]:
    """Return the settings' defaults, each replaced by that of the mailer's own which has the same name.

    Raises `ImproperlyConfigured` for one that no message could be sent with.
    """
    if own is not None and not isinstance(own, Mapping):
        raise ImproperlyConfigured(f"The option send_defaults is a dictionary, not {type(own).__name__}.")
    merged = {**settings, **cast("Mapping[str, Any]", own or {})}
    for name in merged:
        if name not in DEFAULTABLE:
            raise ImproperlyConfigured(
                f"SEND_DEFAULTS, or the option send_defaults, has an unknown key {name!r}. The keys are "
                f"{', '.join(DEFAULTABLE)}."
            )
    headers: object = merged.get("headers")
    try:
        if headers is not None and not isinstance(headers, Mapping):
            raise ValueError(f"`headers` is a dictionary, not {type(headers).__name__}.")
        add_extras(cast("SendEmail", {}), object(), merged)
        metadata_of(object(), merged)
        is_sensitive(object(), merged)
        expires_after(object(), merged)
    except ValueError as error:
        raise ImproperlyConfigured(f"SEND_DEFAULTS, or the option send_defaults: {error}") from error
    return merged


def _given(message: object, name: str) -> object:
    value: object = getattr(message, name, None)
    # Messages of anymail's classes hold its class UNSET where nothing was given.
    return None if isinstance(value, type) and value.__name__ == "UNSET" else value


def _chosen(message: object, defaults: Mapping[str, Any], name: str) -> object:
    own = _given(message, name)
    return defaults.get(name) if own is None else own


def _line(value: object, field: str) -> str | None:
    if value is None:
        return None
    # `str` has something to say of these, too, and nobody means that.
    if isinstance(value, (bool, bytes, Mapping, list, tuple, set)):
        raise ValueError(f"`{field}` is text, not {type(cast('object', value)).__name__}.")
    text = str(value)
    refuse_line_breaks(text, field)
    return text


def _tags(given: Any) -> list[str]:
    if given is None:
        return []
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise ValueError("`tags` is a list of texts.")
    tags = [_line(tag, "tags") for tag in cast("Iterable[object]", given)]
    if None in tags:
        raise ValueError("`tags` holds None; it is a list of texts.")
    return cast("list[str]", tags)


def _variables(given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"`variables` is a dictionary of names and texts, not {type(given).__name__}.")
    found: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        if value is None or isinstance(value, (bytes, Mapping, list, tuple, set)):
            raise ValueError(f"`variables[{name!r}]` is text, not {type(cast('object', value)).__name__}.")
        found[str(name)] = str(value)
    return found


def _moment(given: object) -> str | None:
    if given is None:
        return None
    moment = given
    if isinstance(given, (str, Promise)):
        try:
            moment = parse_datetime(str(given).strip())
        except ValueError:
            moment = None
    if not isinstance(moment, datetime):
        raise ValueError(
            "`scheduled_at` is a datetime, or text such as '2027-01-31T09:00:00Z'; "
            f"what was given is {'no date and time' if isinstance(given, (str, Promise)) else type(given).__name__}."
        )
    if django_timezone.is_naive(moment):
        moment = django_timezone.make_aware(moment)
    try:
        return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("`scheduled_at` is outside of the years 1 to 9999 in UTC.") from None


def _flag(given: object, field: str) -> bool | None:
    if given is not None and not isinstance(given, bool):
        raise ValueError(f"`{field}` is True or False, not {type(given).__name__}.")
    return given


def _tracking(given: object) -> dict[str, bool]:
    if given is None:
        return {}
    if isinstance(given, bool):
        return {"opens": given, "clicks": given}
    if not isinstance(given, Mapping):
        raise ValueError(f"`tracking` is such as {{'opens': True}}, not {type(given).__name__}.")
    fields = cast("Mapping[object, object]", given)
    for name, value in fields.items():
        if name not in ("opens", "clicks") or not isinstance(value, bool):
            raise ValueError("`tracking` has the keys 'opens' and 'clicks', each True or False.")
    return {str(name): bool(value) for name, value in fields.items()}


def _signature(given: object) -> str | None:
    if given is None:
        return None
    if given not in ("auto", "none"):
        raise ValueError("`signature` is 'auto' or 'none'.")
    return str(given)


def _idempotency_key(given: object) -> str | None:
    key = _line(given, "idempotency_key")
    if key is not None and len(key) > LONGEST_IDEMPOTENCY_KEY:
        raise ValueError(f"`idempotency_key` has {len(key)} characters; {LONGEST_IDEMPOTENCY_KEY} are stored.")
    return key or None
