"""`/domains`: verification by DNS records, DKIM keys, DMARC reports, placement (`poststack-api` §4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from poststack.emulator.account.dkim import DnsUnreadableError, RotationError
from poststack.emulator.account.domains import Domain, dkim_record, dns_records
from poststack.emulator.account.placement import placement
from poststack.emulator.address_syntax import domain_name
from poststack.emulator.api.answers import RefusalError, Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import boolean, one_line, optional_text, record_number, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.receiving.mailboxes import remove_mailboxes_of
from poststack.emulator.store import Store
from poststack.types import DkimRotation, Region, StreamPreference, TlsMode
from poststack.types import Domain as DomainJson

__all__ = ["ROUTES", "domain_json", "find_domain", "referenced_domain"]

_MAX_DOMAINS = 1_000
_MAX_URL = 2_000
_MAX_DAYS = 365
_DEFAULT_DAYS = 30
_LABELS = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,3}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def domain_json(domain: Domain) -> DomainJson:
    """Write a domain with its DNS records."""
    return {
        "id": domain.number,
        "publicId": domain.id,
        "name": domain.name,
        "status": domain.status,
        "region": domain.region,
        "dnsRecords": dns_records(domain),
        "openTracking": domain.open_tracking,
        "clickTracking": domain.click_tracking,
        "trackingDomain": domain.tracking_domain,
        "catchAll": domain.catch_all,
        "inboundEnabled": domain.inbound_enabled,
        "tlsMode": domain.tls_mode,
        "streamPreference": domain.stream_preference,
        "bimiLogoUrl": domain.bimi_logo_url,
        "verifiedAt": _iso(domain.verified_at),
        "createdAt": iso(domain.created_at),
    }


def referenced_domain(store: Store, reference: str) -> Domain | None:
    """Return the domain that a field names, by its `dom_…` id or by its number as text."""
    number = record_number(reference)
    return store.domains.find("id", reference) if number is None else store.domains.get(number)


def find_domain(backend: Backend, arguments: Mapping[str, str]) -> Domain:
    """Return the domain that the path names by its number, or raise a 404."""
    number = record_number(arguments["id"])
    domain = None if number is None else backend.store.domains.get(number)
    if domain is None:
        raise not_found("Domain", arguments["id"])
    return domain


def _changeable(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Domain:
    domain = find_domain(backend, arguments)
    if call.caller.domain not in {None, domain.number}:
        raise RefusalError(403, "A key for one domain changes no other domain.")
    return domain


def _rotation_json(domain: Domain) -> DkimRotation:
    rotation = domain.rotation
    name, value = None, None
    if rotation.selector is not None and rotation.key is not None:
        name, value = dkim_record(domain, rotation.selector, rotation.key)
    return {
        "domainId": domain.number,
        "state": rotation.state,
        "activeSelector": domain.dkim_selector,
        "pendingSelector": rotation.selector,
        "pendingPublicKey": rotation.key,
        "pendingRecordName": name,
        "pendingRecordValue": value,
        "startedAt": _iso(rotation.started_at),
        "publishedAt": _iso(rotation.published_at),
        "activatesAfter": _iso(rotation.activates_after),
        "retiredSelector": rotation.retired_selector,
        "retireAfter": _iso(rotation.retire_after),
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _choice(content: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    value = required_text(content, name)
    if value not in choices:
        raise unprocessable(f"`{name}` must be one of: {', '.join(choices)}.")
    return value


def _region(content: Mapping[str, Any], name: str) -> str:
    return _choice(content, name, get_args(Region))


def _tls_mode(content: Mapping[str, Any], name: str) -> str:
    return _choice(content, name, get_args(TlsMode))


def _stream_preference(content: Mapping[str, Any], name: str) -> str:
    return _choice(content, name, get_args(StreamPreference))


def _flag(content: Mapping[str, Any], name: str) -> bool:
    value = boolean(content, name)
    if value is None:
        raise invalid(f"`{name}` must be true or false.")
    return value


def _return_path(content: Mapping[str, Any], name: str) -> str:
    value = required_text(content, name).lower()
    if not _LABELS.fullmatch(value):
        raise unprocessable(f"`{name}` must be the part before the domain, such as bounces.")
    return value


def _tracking_domain(content: Mapping[str, Any], name: str) -> str | None:
    value = optional_text(content, name)
    return None if value is None else _checked_name(value, name)


def _logo(content: Mapping[str, Any], name: str) -> str | None:
    value = optional_text(content, name)
    if value is None:
        return None
    try:
        usable = urlsplit(one_line(value, name)).scheme == "https" and bool(urlsplit(value).hostname)
    except ValueError:
        usable = False
    if not usable or len(value) > _MAX_URL or not value.isprintable() or " " in value:
        raise unprocessable(f"`{name}` must be an https address.")
    return value


# What `create` and `update` take, and the attribute of the record that it becomes.
_Reader = Callable[[Mapping[str, Any], str], object]
_CREATE: Final[Mapping[str, tuple[str, _Reader]]] = {
    "region": ("region", _region),
    "custom_return_path": ("return_path", _return_path),
    "open_tracking": ("open_tracking", _flag),
    "click_tracking": ("click_tracking", _flag),
    "tls_mode": ("tls_mode", _tls_mode),
}
_UPDATE: Final[Mapping[str, tuple[str, _Reader]]] = {
    "open_tracking": ("open_tracking", _flag),
    "click_tracking": ("click_tracking", _flag),
    "tracking_domain": ("tracking_domain", _tracking_domain),
    "tls_mode": ("tls_mode", _tls_mode),
    "inbound_enabled": ("inbound_enabled", _flag),
    "catch_all": ("catch_all", _flag),
    "stream_preference": ("stream_preference", _stream_preference),
    "bimi_logo_url": ("bimi_logo_url", _logo),
}


def _read(content: Mapping[str, Any], fields: Mapping[str, tuple[str, _Reader]]) -> dict[str, object]:
    return {attribute: read(content, name) for name, (attribute, read) in fields.items() if name in content}


def _checked_name(text: str, field: str) -> str:
    name = domain_name(text)
    # No top-level domain is a number, but the end of an IP address is.
    if name is None or "." not in name or name.rpartition(".")[2].isdigit():
        raise unprocessable(f"`{field}` must be the name of a domain, such as example.com.")
    return name


def _change(domain: Domain, changes: Mapping[str, object]) -> None:
    for attribute, value in changes.items():
        setattr(domain, attribute, value)


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    if call.caller.domain is not None:
        raise RefusalError(403, "A key for one domain adds no domains.")
    content, table = call.json(), backend.store.domains
    name = _checked_name(required_text(content, "name"), "name")
    changes = _read({field: value for field, value in content.items() if value is not None}, _CREATE)
    if table.find("name", name) is not None:
        raise conflict("Domain already exists")
    if len(table) >= _MAX_DOMAINS:
        raise unprocessable(f"The emulator keeps at most {_MAX_DOMAINS} domains.")
    domain = backend.domains.new(name, call.now)
    _change(domain, changes)
    backend.domains.keep(domain)
    return Reply(201, {"domain": domain_json(domain)})


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"domains": [domain_json(domain) for domain in backend.store.domains.all()]})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"domain": domain_json(find_domain(backend, arguments))})


def _verify(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    backend.domains.queue_verification(domain, call.now)
    return Reply(200, {"queued": True, "domain": domain_json(domain)})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    _change(domain, _read(call.json(), _UPDATE))
    backend.store.domains.save(domain)
    return Reply(200, {"domain": domain_json(domain)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    remove_mailboxes_of(backend.store, domain.number)
    backend.domains.remove(domain)
    return Reply(200, {"success": True})


def _start_rotation(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    if domain.status != "verified":
        raise unprocessable("Domain not verified")
    return _rotated(domain, lambda: backend.domains.start_rotation(domain, call.now))


def _activate_rotation(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    force = call.flag("force") is True
    return _rotated(domain, lambda: backend.domains.activate_rotation(domain, call.now, force=force))


def _cancel_rotation(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain = _changeable(backend, call, arguments)
    return _rotated(domain, lambda: backend.domains.cancel_rotation(domain))


def _rotated(domain: Domain, step: Callable[[], None]) -> Reply:
    try:
        step()
    except RotationError as error:
        raise conflict(str(error)) from error
    except DnsUnreadableError as error:
        raise RefusalError(503, str(error)) from error
    return Reply(200, {"rotation": _rotation_json(domain)})


def _days(call: Call) -> int:
    text = call.query.get("days", "")
    days = record_number(text) if text else _DEFAULT_DAYS
    if days is None:
        raise invalid("`days` must be a whole number.")
    return min(_MAX_DAYS, max(1, days))


# Nobody reports to an emulator, so there is nothing in these answers, which is the truth.


def _dmarc_reports(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    find_domain(backend, arguments)
    # This list alone reads `perPage`, and ignores `per_page`.
    page, per_page = replace(call, query={**call.query, "per_page": call.query.get("perPage", "")}).page()
    meta = {"page": page, "perPage": per_page, "total": 0, "totalPages": 0}
    return Reply(200, {"reports": [], "pagination": meta})


def _dmarc_stats(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    find_domain(backend, arguments)
    _days(call)
    totals = {"totalMessages": 0, "passed": 0, "spfPassed": 0, "dkimPassed": 0}
    return Reply(200, {"totals": totals, "daily": []})


def _dmarc_sources(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    find_domain(backend, arguments)
    _days(call)
    return Reply(200, {"sources": []})


def _placement(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain, days = find_domain(backend, arguments), _days(call)
    since = call.now - days * 86_400
    sent = (email for email in backend.store.accepted() if domain_name(email.message.from_.domain) == domain.name)
    return Reply(200, placement([email for email in sent if email.created_at >= since], days))


ROUTES = (
    Route("POST", "/domains", _create),
    Route("GET", "/domains", _list),
    Route("GET", "/domains/{id}", _get),
    Route("POST", "/domains/{id}/verify", _verify),
    Route("PATCH", "/domains/{id}", _update),
    Route("DELETE", "/domains/{id}", _delete),
    Route("POST", "/domains/{id}/dkim/rotate", _start_rotation),
    Route("POST", "/domains/{id}/dkim/rotate/activate", _activate_rotation),
    Route("DELETE", "/domains/{id}/dkim/rotate", _cancel_rotation),
    Route("GET", "/domains/{id}/dmarc/reports", _dmarc_reports),
    Route("GET", "/domains/{id}/dmarc/stats", _dmarc_stats),
    Route("GET", "/domains/{id}/dmarc/sources", _dmarc_sources),
    Route("GET", "/domains/{id}/placement", _placement),
)
