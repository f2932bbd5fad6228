"""`/signup-forms`: forms by which people become contacts (`poststack-api` §4.14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from poststack.emulator.api.answers import RefusalError, Reply, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.contact_input import MAX_NAME
from poststack.emulator.api.contact_properties import options_of
from poststack.emulator.api.fields import boolean, optional_text, required_text, short_text, web_address
from poststack.emulator.api.routes import Route
from poststack.emulator.api.signing_up import submit
from poststack.emulator.api.subscription_topics import find_topic
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.audience.signup_forms import SignupForm
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.types.signup_forms import SignupFormFieldType

__all__ = ["ROUTES"]

_TYPES: tuple[str, ...] = get_args(SignupFormFieldType)
_MAX_FORMS = 1_000
_MAX_FIELDS = 10
_MAX_TEXT = 200
_MAX_MESSAGE = 2_000


def _find(backend: Backend, arguments: Mapping[str, str]) -> SignupForm:
    form = backend.store.signup_forms.find("id", arguments["id"])
    if form is None:
        raise not_found("Signup form", arguments["id"])
    return form


def _json(backend: Backend, form: SignupForm) -> dict[str, Any]:
    segment, topic = backend.store.segments.get(form.segment or 0), backend.store.topics.get(form.topic or 0)
    return {
        "id": form.number,
        "publicId": form.id,
        "name": form.name,
        "segmentId": None if segment is None else segment.number,
        "topicId": None if topic is None else topic.number,
        "fields": [dict(field) for field in form.fields],
        "successMessage": form.success_message,
        "redirectUrl": form.redirect_url,
        "active": form.active,
        "submissionCount": form.submissions,
        "createdAt": iso(form.created_at),
        "updatedAt": iso(form.updated_at),
    }


def _fields(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields: object = content.get("fields")
    if not isinstance(fields, list):
        raise invalid("`fields` must be an array.")
    given = cast("list[object]", fields)
    if not 1 <= len(given) <= _MAX_FIELDS:
        raise unprocessable(f"`fields` must hold 1 to {_MAX_FIELDS} fields.")
    found = [_placed(field, f"fields[{index}]") for index, field in enumerate(given)]
    if len({field["name"] for field in found}) < len(found):
        raise unprocessable("`fields` holds two fields of one name.")
    return found


def _placed(field: object, place: str) -> dict[str, Any]:
    if not isinstance(field, dict):
        raise invalid(f"`{place}` must be an object.")
    try:
        return _field(cast("dict[str, Any]", field))
    except RefusalError as refusal:
        raise RefusalError(refusal.status, f"`{place}`: {refusal.error}") from refusal


def _field(content: Mapping[str, Any]) -> dict[str, Any]:
    name = short_text(required_text(content, "name"), "name", MAX_NAME)
    label = short_text(required_text(content, "label"), "label", _MAX_TEXT)
    kind, placeholder = required_text(content, "type"), optional_text(content, "placeholder")
    if kind not in _TYPES:
        raise unprocessable(f"`type` must be one of {', '.join(_TYPES)}.")
    if name == "email" and kind != "email":
        raise unprocessable("the field `email` must be of the type email.")
    field: dict[str, Any] = {"name": name, "type": kind, "label": label}
    field["required"] = boolean(content, "required") or False
    options = options_of(content, select=kind == "select")
    if placeholder is not None:
        field["placeholder"] = short_text(placeholder, "placeholder", _MAX_TEXT)
    if options:
        field["options"] = options
    return field


def _settings(backend: Backend, content: Mapping[str, Any]) -> dict[str, Any]:
    """Read what both a new form and a change may say, by the names of the record; null is none."""
    found: dict[str, Any] = {}
    if "segment_id" in content:
        segment_id = optional_text(content, "segment_id")
        found["segment"] = None if segment_id is None else _segment_number(backend, segment_id)
    if "topic_id" in content:
        topic_id = optional_text(content, "topic_id")
        found["topic"] = None if topic_id is None else find_topic(backend, topic_id).number
    if "success_message" in content:
        message = optional_text(content, "success_message")
        if message is not None and len(message) > _MAX_MESSAGE:
            raise unprocessable(f"`success_message` has at most {_MAX_MESSAGE:,} characters.")
        found["success_message"] = message or None
    if "redirect_url" in content:
        url = optional_text(content, "redirect_url")
        found["redirect_url"] = None if url is None else web_address(url, "redirect_url")
    return found


def _segment_number(backend: Backend, segment_id: str) -> int:
    segment = backend.store.segments.find("id", segment_id)
    if segment is None:
        raise not_found("Segment", segment_id)
    if segment.rules is not None:
        raise unprocessable("`segment_id` names a segment with rules, to which nobody can be added.")
    return segment.number


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page = slice_page(backend.store.signup_forms.newest(), *call.page())
    return Reply(200, {"data": [_json(backend, form) for form in page.items], "meta": page_json(page)})


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    name = short_text(required_text(content, "name"), "name", _MAX_TEXT)
    fields, settings = _fields(content), _settings(backend, content)
    if len(backend.store.signup_forms) >= _MAX_FORMS:
        raise unprocessable(f"The emulator keeps at most {_MAX_FORMS:,} signup forms.")
    number = backend.store.next_number("signup_form")
    form = SignupForm(number, "sf_" + backend.ids(18), name, fields, call.now, call.now, **settings)
    backend.store.signup_forms.save(form)
    return Reply(201, {"signupForm": _json(backend, form)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"signupForm": _json(backend, _find(backend, arguments))})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    form, content = _find(backend, arguments), call.json()
    changes = _settings(backend, content)
    if "name" in content:
        changes["name"] = short_text(required_text(content, "name"), "name", _MAX_TEXT)
    if "fields" in content:
        changes["fields"] = _fields(content)
    if (active := boolean(content, "active")) is not None:
        changes["active"] = active
    for name, value in changes.items():
        setattr(form, name, value)
    if changes:
        form.updated_at = call.now
        backend.store.signup_forms.save(form)
    return Reply(200, {"signupForm": _json(backend, form)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.signup_forms.remove(_find(backend, arguments))
    return Reply(200, {"success": True})


def _submit(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, submit(backend, _find(backend, arguments), call.json(), call.now))


ROUTES = (
    Route("GET", "/signup-forms", _list),
    Route("POST", "/signup-forms", _create),
    Route("GET", "/signup-forms/{id}", _get),
    Route("PATCH", "/signup-forms/{id}", _update),
    Route("DELETE", "/signup-forms/{id}", _delete),
    Route("POST", "/signup-forms/{id}/submit", _submit, public=True),
)
