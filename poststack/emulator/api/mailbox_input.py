"""Reading what mailboxes and their filters are to be. Everything is in camelCase here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast, get_args

from poststack.emulator.account.domains import Domain
from poststack.emulator.address_syntax import address_problem
from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import conflict, invalid, not_found, unprocessable
from poststack.emulator.api.domains import referenced_domain
from poststack.emulator.api.fields import boolean, integer, one_line, optional_text, required_text, short_text
from poststack.emulator.backend import Backend
from poststack.emulator.receiving.mailboxes import Filter, address_key, mailbox_at
from poststack.emulator.receiving.signatures import harmless_html
from poststack.types.mailboxes import FilterAction, FilterField, FilterOperator, ForwardMode

__all__ = [
    "CREATE_FIELDS",
    "SIGNATURE_FIELDS",
    "UPDATE_FIELDS",
    "changes_from",
    "domain_from",
    "filters_from",
    "free_address",
    "one_of",
    "password_from",
]

_MAX_DISPLAY_NAME = 200
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 8, 128
_MAX_QUOTA = 2**50
_MAX_FORWARDS = 10
_MAX_SIGNATURE = 20_000
_MAX_FILTERS = 50
_MAX_FILTER_NAME = 200
_MAX_FILTER_VALUE = 1_000
_MAX_FILTER_ARGUMENT = 200

_FORWARD_MODES: tuple[ForwardMode, ...] = get_args(ForwardMode)
_FILTER_FIELDS: tuple[FilterField, ...] = get_args(FilterField)
_FILTER_OPERATORS: tuple[FilterOperator, ...] = get_args(FilterOperator)
_FILTER_ACTIONS: tuple[FilterAction, ...] = get_args(FilterAction)

C = TypeVar("C", bound=str)


def one_of(content: Mapping[str, Any], name: str, choices: tuple[C, ...]) -> C:
    """Return a text that must be one of the choices; else 422."""
    value = required_text(content, name)
    for choice in choices:
        if value == choice:
            return choice
    raise unprocessable(f"`{name}` must be one of: {', '.join(choices)}.")


def domain_from(backend: Backend, content: Mapping[str, Any], *, public: bool) -> Domain:
    """Return the domain that `domainId` names by its number or, where that is `public`, by its `dom_…` id."""
    reference = content.get("domainId")
    if isinstance(reference, bool) or not isinstance(reference, (int, str) if public else int):
        raise invalid(f"`domainId` must be the integer id of a domain{' or its dom_… id' if public else ''}.")
    domain = referenced_domain(backend.store, str(reference))
    if domain is None:
        raise not_found("Domain")
    return domain


def free_address(backend: Backend, content: Mapping[str, Any], domain: Domain) -> str:
    """Return the address for `localPart` at a domain, which neither a mailbox nor an alias may have yet: 409."""
    local = one_line(required_text(content, "localPart"), "localPart")
    if "@" in local or "+" in local:
        raise unprocessable("`localPart` is what stands before the @, without a +: mail to name+suffix comes to name.")
    address = address_key(f"{local}@{domain.name}")
    if address_problem(address) is not None:
        raise unprocessable("`localPart` cannot stand before the @ of an address.")
    if mailbox_at(backend.store, address) is not None:
        raise conflict("Address already exists")
    return address


def password_from(content: Mapping[str, Any]) -> str:
    """Return a password of reasonable length, which is not to be kept; else 422."""
    password = required_text(content, "password")
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise unprocessable(f"`password` has from {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters.")
    if not password.isprintable():
        raise unprocessable("`password` must not contain control characters.")
    return password


def changes_from(
    content: Mapping[str, Any], fields: Mapping[str, tuple[str, Callable[[Mapping[str, Any], str], object]]]
) -> dict[str, object]:
    """Return the new values of those of these fields that are given, by the names of a mailbox's attributes."""
    return {attribute: read(content, name) for name, (attribute, read) in fields.items() if name in content}


def filters_from(backend: Backend, content: Mapping[str, Any], now: float) -> list[Filter]:
    """Return the filters of `rules`, each with a new id. Raises a 422 that names the place of a bad one."""
    rules = content.get("rules")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in cast("list[object]", rules)):
        raise invalid("`rules` must be an array of objects.")
    found = cast("list[dict[str, Any]]", rules)
    if len(found) > _MAX_FILTERS:
        raise unprocessable(f"`rules` holds more than {_MAX_FILTERS} rules.")
    read = [_filter(rule) for rule in found]
    return [Filter(id="mf_" + backend.ids(18), created_at=now, **rule) for rule in read]


def _filter(rule: Mapping[str, Any]) -> dict[str, Any]:
    action, enabled = one_of(rule, "action", _FILTER_ACTIONS), boolean(rule, "enabled")
    argument = short_text(optional_text(rule, "actionArg") or "", "actionArg", _MAX_FILTER_ARGUMENT)
    if action in {"fileinto", "addflag"} and not argument:
        raise unprocessable("`actionArg` must name the folder of `fileinto`, or the flag of `addflag`.")
    return {
        "name": short_text(required_text(rule, "name"), "name", _MAX_FILTER_NAME),
        "field": one_of(rule, "field", _FILTER_FIELDS),
        "operator": one_of(rule, "operator", _FILTER_OPERATORS),
        "value": short_text(required_text(rule, "value"), "value", _MAX_FILTER_VALUE),
        "action": action,
        "argument": argument or None,
        "enabled": enabled is not False,
    }


def _display_name(content: Mapping[str, Any], name: str) -> str | None:
    return short_text(optional_text(content, name) or "", name, _MAX_DISPLAY_NAME) or None


def _quota(content: Mapping[str, Any], name: str) -> int:
    quota = integer(content, name)
    if quota is None:
        raise invalid(f"`{name}` must be a whole number.")
    if not 1 <= quota <= _MAX_QUOTA:
        raise unprocessable(f"`{name}` must be from 1 to {_MAX_QUOTA} bytes.")
    return quota


def _flag(content: Mapping[str, Any], name: str) -> bool:
    value = boolean(content, name)
    if value is None:
        raise invalid(f"`{name}` must be true or false.")
    return value


def _status(content: Mapping[str, Any], name: str) -> str:
    return one_of(content, name, ("active", "suspended"))


def _forward_mode(content: Mapping[str, Any], name: str) -> str:
    return one_of(content, name, _FORWARD_MODES)


def _forward_to(content: Mapping[str, Any], name: str) -> list[str]:
    given = [text.strip() for text in (optional_text(content, name) or "").split(",")]
    if given == [""]:
        return []
    if len(given) > _MAX_FORWARDS:
        raise unprocessable(f"`{name}` holds more than {_MAX_FORWARDS} addresses.")
    addresses = [parse_address(text, name) for text in given]
    if any(address.name is not None for address in addresses):
        raise unprocessable(f"`{name}` takes bare addresses, without names, and commas between them.")
    return list({address.address.lower(): address.address for address in addresses}.values())


def _signature(content: Mapping[str, Any], name: str) -> str | None:
    signature = optional_text(content, name)
    if signature is not None and len(signature) > _MAX_SIGNATURE:
        raise unprocessable(f"`{name}` has at most {_MAX_SIGNATURE:,} characters.")
    return signature or None


def _signature_html(content: Mapping[str, Any], name: str) -> str | None:
    signature = _signature(content, name)
    return None if signature is None else harmless_html(signature).strip() or None


# What is read of an input, and the attribute of the mailbox that it becomes.
_Fields = Mapping[str, tuple[str, Callable[[Mapping[str, Any], str], object]]]
CREATE_FIELDS: Final[_Fields] = {
    "displayName": ("display_name", _display_name),
    "quotaBytes": ("quota_bytes", _quota),
    "webhookEnabled": ("webhook_enabled", _flag),
}
SIGNATURE_FIELDS: Final[_Fields] = {
    "signatureHtml": ("signature_html", _signature_html),
    "signatureText": ("signature_text", _signature),
}
UPDATE_FIELDS: Final[_Fields] = {
    **CREATE_FIELDS,
    **SIGNATURE_FIELDS,
    "status": ("status", _status),
    "forwardTo": ("forward_to", _forward_to),
    "forwardMode": ("forward_mode", _forward_mode),
    "forwardKeepCopy": ("forward_keep_copy", _flag),
}
