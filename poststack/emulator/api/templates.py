"""`/templates`: stored templates and how they render (`poststack-api` §4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poststack.emulator.api.answers import Reply, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.content import fill, variable_names
from poststack.emulator.api.fields import (
    object_of,
    one_line,
    optional_text,
    required_text,
    texts,
    texts_by_name,
)
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page, template_json
from poststack.emulator.backend import Backend
from poststack.emulator.model import Template

__all__ = ["ROUTES"]

_MAX_TEMPLATES = 1_000
_MAX_BODY = 1024 * 1024
_MAX_LINE = 998


@dataclass(frozen=True)
class _Preset:
    id: str
    name: str
    subject: str
    html: str

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "subject": self.subject,
            "html": self.html,
            "variables": variable_names(self.subject, self.html),
        }


_PRESETS = (
    _Preset("welcome", "Welcome", "Welcome, {{name}}", "<h1>Hello {{name}}</h1><p>Good to have you.</p>"),
    _Preset(
        "password-reset",
        "Password reset",
        "Set a new password",
        '<p>Follow this link to set a new password:</p><p><a href="{{reset_url}}">{{reset_url}}</a></p>',
    ),
    _Preset(
        "receipt",
        "Receipt",
        "Your receipt {{number}}",
        "<p>Thank you, {{name}}. You paid {{amount}}.</p>",
    ),
)


def _find(backend: Backend, arguments: Mapping[str, str]) -> Template:
    template = backend.store.templates.find("id", arguments["id"])
    if template is None:
        raise not_found("Template", arguments["id"])
    return template


def _body(content: Mapping[str, Any], name: str) -> str | None:
    value = optional_text(content, name)
    if value is not None and len(value) > _MAX_BODY:
        raise unprocessable(f"`{name}` of a template has at most {_MAX_BODY} characters.")
    return value


def _line(value: str, name: str) -> str:
    if len(value) > _MAX_LINE:
        raise unprocessable(f"`{name}` of a template has at most {_MAX_LINE} characters.")
    return one_line(value, name)


def _builder_type(content: Mapping[str, Any]) -> str:
    builder_type = optional_text(content, "builder_type") or "html"
    if builder_type not in {"html", "visual"}:
        raise unprocessable("`builder_type` must be html or visual.")
    return builder_type


def _keep(backend: Backend, now: float, **fields: Any) -> Template:
    if len(backend.store.templates) >= _MAX_TEMPLATES:
        raise unprocessable(f"The emulator keeps at most {_MAX_TEMPLATES} templates.")
    template = Template(
        number=backend.store.next_number("template"), id="tpl_" + backend.ids(18), created_at=now, **fields
    )
    backend.store.templates.save(template)
    return template


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    html = _body(content, "html")
    if html is None:
        raise invalid("`html` is required.")
    subject, text = required_text(content, "subject"), _body(content, "text")
    template = _keep(
        backend,
        call.now,
        name=_line(required_text(content, "name"), "name"),
        subject=_line(subject, "subject"),
        html=html,
        text=text,
        variables=texts(content, "variables") or variable_names(subject, html, text),
        builder_type=_builder_type(content),
        builder_blocks=object_of(content, "builder_blocks") or None,
    )
    return Reply(201, {"template": template_json(template)})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    search, published = call.query.get("search", "").casefold(), call.flag("published")
    found = [
        template
        for template in backend.store.templates.newest()
        if search in f"{template.name}\n{template.subject}".casefold() and published in {None, template.published}
    ]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [template_json(entry) for entry in page.items], "meta": page_json(page)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"template": template_json(_find(backend, arguments))})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    template, content = _find(backend, arguments), call.json()
    # Everything is read before anything is written, so that a refused change changes nothing.
    changes: dict[str, Any] = {
        name: _line(required_text(content, name), name) for name in ("name", "subject") if name in content
    }
    changes |= {name: _body(content, name) for name in ("html", "text") if name in content}
    if "html" in changes and changes["html"] is None:
        raise invalid("`html` must not be null.")
    if "builder_type" in content:
        changes["builder_type"] = _builder_type(content)
    if "builder_blocks" in content:
        changes["builder_blocks"] = object_of(content, "builder_blocks") or None
    if "variables" in content:
        changes["variables"] = texts(content, "variables")
    elif changes.keys() & {"subject", "html", "text"}:
        merged = {name: changes.get(name, getattr(template, name)) for name in ("subject", "html", "text")}
        changes["variables"] = variable_names(*merged.values())
    for name, value in changes.items():
        setattr(template, name, value)
    template.version += bool(changes)
    backend.store.templates.save(template)
    return Reply(200, {"template": template_json(template)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.templates.remove(_find(backend, arguments))
    return Reply(200, {"success": True})


def _publish(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _set_published(backend, arguments, published=True)


def _unpublish(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _set_published(backend, arguments, published=False)


def _set_published(backend: Backend, arguments: Mapping[str, str], *, published: bool) -> Reply:
    template = _find(backend, arguments)
    template.published = published
    backend.store.templates.save(template)
    return Reply(200, {"template": template_json(template)})


def _duplicate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    source = _find(backend, arguments)
    copy = _keep(
        backend,
        call.now,
        name=f"{source.name} (copy)"[:_MAX_LINE],
        subject=source.subject,
        html=source.html,
        text=source.text,
        variables=list(source.variables),
        builder_type=source.builder_type,
        builder_blocks=source.builder_blocks,
    )
    return Reply(201, {"template": template_json(copy)})


def _presets(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"data": [preset.json() for preset in _PRESETS]})


def _use_preset(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    preset = next((preset for preset in _PRESETS if preset.id == arguments["preset"]), None)
    if preset is None:
        raise not_found("Preset")
    names = variable_names(preset.subject, preset.html)
    template = _keep(backend, call.now, name=preset.name, subject=preset.subject, html=preset.html, variables=names)
    return Reply(201, {"template": template_json(template)})


def _render(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    template = _find(backend, arguments)
    variables = texts_by_name(call.optional_json(), "variables")
    used = variable_names(template.subject, template.html, template.text)
    rendered = {
        "subject": fill(template.subject, variables, escape=False),
        "html": fill(template.html, variables, escape=True),
        "text": None if template.text is None else fill(template.text, variables, escape=False),
        "missing_variables": [name for name in used if name not in variables],
        "template_variables": used,
    }
    return Reply(200, rendered)


ROUTES = (
    Route("POST", "/templates", _create),
    Route("GET", "/templates", _list),
    Route("GET", "/templates/presets", _presets),
    Route("POST", "/templates/presets/{preset}/use", _use_preset),
    Route("GET", "/templates/{id}", _get),
    Route("PATCH", "/templates/{id}", _update),
    Route("DELETE", "/templates/{id}", _delete),
    Route("POST", "/templates/{id}/publish", _publish),
    Route("POST", "/templates/{id}/unpublish", _unpublish),
    Route("POST", "/templates/{id}/duplicate", _duplicate),
    Route("POST", "/templates/{id}/render", _render),
)
