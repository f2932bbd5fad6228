"""`/api-keys`: keys for what a part of an application may do (`poststack-api` §4.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from poststack.emulator.account.api_keys import ApiKey
from poststack.emulator.api.answers import RefusalError, Reply, not_found, unprocessable
from poststack.emulator.api.call import Call, Caller
from poststack.emulator.api.domains import referenced_domain
from poststack.emulator.api.fields import boolean, one_line, optional_text, record_number, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.types import ApiKey as ApiKeyJson
from poststack.types import ApiKeyMode, ApiKeyPermission

__all__ = ["ROUTES"]

_MAX_KEYS = 1_000
_MAX_NAME = 200
_PERMISSIONS: tuple[ApiKeyPermission, ...] = get_args(ApiKeyPermission)
_MODES: tuple[ApiKeyMode, ...] = get_args(ApiKeyMode)


def _json(key: ApiKey) -> ApiKeyJson:
    return {
        "id": key.number,
        "name": key.name,
        "keyPrefix": key.prefix,
        "permission": key.permission,
        "mode": key.mode,
        "domainId": key.domain,
        "lastUsedAt": None if key.last_used_at is None else iso(key.last_used_at),
        "expiresAt": None,
        "createdAt": iso(key.created_at),
    }


def _find(backend: Backend, call: Call, arguments: Mapping[str, str]) -> ApiKey:
    number = record_number(arguments["id"])
    key = None if number is None else backend.store.api_keys.get(number)
    if key is None:
        raise not_found("API key", arguments["id"])
    if not _in_scope(call.caller, key):
        raise RefusalError(403, "A key for one domain only reaches the keys for the same domain.")
    return key


def _in_scope(caller: Caller, key: ApiKey) -> bool:
    return caller.domain is None or key.domain == caller.domain


def _name(content: Mapping[str, Any]) -> str:
    name = one_line(required_text(content, "name"), "name")
    if len(name) > _MAX_NAME:
        raise unprocessable(f"`name` is longer than {_MAX_NAME} characters.")
    return name


def _permission(content: Mapping[str, Any]) -> ApiKeyPermission:
    given = required_text(content, "permission")
    for permission in _PERMISSIONS:
        if given == permission:
            return permission
    raise unprocessable("`permission` must be full_access or sending_access.")


def _mode(content: Mapping[str, Any]) -> ApiKeyMode:
    given = optional_text(content, "mode")
    for mode in _MODES:
        if given == mode:
            return mode
    if given is None:
        return "live"
    raise unprocessable("`mode` must be live or test.")


def _domain(backend: Backend, content: Mapping[str, Any]) -> int | None:
    reference = optional_text(content, "domain_id")
    if reference is None:
        return None
    domain = referenced_domain(backend.store, reference)
    if domain is None:
        raise not_found("Domain")
    return domain.number


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content, keys = call.json(), backend.store.api_keys
    name, permission, mode = _name(content), _permission(content), _mode(content)
    domain, allowed = _domain(backend, content), boolean(content, "allow_full_access")
    if permission == "full_access" and not allowed:
        raise RefusalError(403, "A key that makes a full_access key must say so: set `allow_full_access` to true.")
    if call.caller.domain is not None and domain != call.caller.domain:
        raise RefusalError(403, "A key for one domain only makes keys for the same domain. Give its `domain_id`.")
    if len(keys) >= _MAX_KEYS:
        raise unprocessable(f"The emulator keeps at most {_MAX_KEYS} API keys. Revoke some.")
    key = ApiKey(backend.store.next_number("api_key"), name, permission, mode, call.now, domain=domain)
    secret = key.replace_secret(backend.ids)
    keys.save(key)
    return Reply(201, {**_json(key), "key": secret})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"keys": [_json(key) for key in backend.store.api_keys.all() if _in_scope(call.caller, key)]})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, _json(_find(backend, call, arguments)))


def _rename(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    key, content = _find(backend, call, arguments), call.json()
    key.name = _name(content) if "name" in content else key.name
    backend.store.api_keys.save(key)
    return Reply(200, _json(key))


def _revoke(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    backend.store.api_keys.remove(_find(backend, call, arguments))
    return Reply(200, {"success": True})


def _rotate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    key = _find(backend, call, arguments)
    secret = key.replace_secret(backend.ids)
    backend.store.api_keys.save(key)
    return Reply(200, {**_json(key), "key": secret})


ROUTES = (
    Route("POST", "/api-keys", _create),
    Route("GET", "/api-keys", _list),
    Route("GET", "/api-keys/{id}", _get),
    # The Terraform provider renames keys; no method of the SDKs does.
    Route("PATCH", "/api-keys/{id}", _rename),
    Route("DELETE", "/api-keys/{id}", _revoke),
    Route("POST", "/api-keys/{id}/rotate", _rotate),
)
