"""`/mailboxes` and their signatures at `/webmail` (`poststack-api` §4.10). There is no IMAP and no webmail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from poststack.emulator.api.answers import RefusalError, Reply, conflict, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.domains import referenced_domain
from poststack.emulator.api.fields import record_number, required_text
from poststack.emulator.api.mailbox_input import (
    CREATE_FIELDS,
    SIGNATURE_FIELDS,
    UPDATE_FIELDS,
    changes_from,
    domain_from,
    filters_from,
    free_address,
    one_of,
    password_from,
)
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.receiving.mailboxes import Alias, Mailbox, Share, mailbox_at, remove_mailbox
from poststack.emulator.receiving.mailroom import unread_counts
from poststack.emulator.receiving.passwords import hashed
from poststack.types.mailboxes import Mailbox as MailboxJson
from poststack.types.mailboxes import (
    MailboxAlias,
    MailboxFilter,
    MailboxShare,
    MailboxShareGrant,
    MailboxSignature,
    ShareAccess,
)

__all__ = ["ROUTES", "find_mailbox", "mailbox_json"]

_TEAM = 1
_MAX_MAILBOXES = 1_000
_MAX_ALIASES = 5_000
_MAX_SHARES = 10_000
_SHARE_ACCESS: tuple[ShareAccess, ...] = get_args(ShareAccess)


def mailbox_json(mailbox: Mailbox) -> MailboxJson:
    """Write a mailbox, without its password and filters."""
    return {
        "id": mailbox.number,
        "publicId": mailbox.id,
        "teamId": _TEAM,
        "domainId": mailbox.domain,
        "emailAddress": mailbox.address,
        "displayName": mailbox.display_name,
        "quotaBytes": mailbox.quota_bytes,
        "status": mailbox.status,
        "webhookEnabled": mailbox.webhook_enabled,
        "forwardTo": ",".join(mailbox.forward_to) or None,
        "forwardMode": mailbox.forward_mode,
        "forwardKeepCopy": mailbox.forward_keep_copy,
        "signatureHtml": mailbox.signature_html,
        "signatureText": mailbox.signature_text,
        "lastLoginAt": None if mailbox.last_login_at is None else iso(mailbox.last_login_at),
        "createdAt": iso(mailbox.created_at),
        "updatedAt": iso(mailbox.updated_at),
    }


def find_mailbox(backend: Backend, mailbox_id: str) -> Mailbox:
    """Return the mailbox with this `mb_…` id, or raise a 404."""
    mailbox = backend.store.mailboxes.find("id", mailbox_id)
    if mailbox is None:
        raise not_found("Mailbox", mailbox_id)
    return mailbox


def _to_change(backend: Backend, call: Call, mailbox_id: str) -> Mailbox:
    mailbox = find_mailbox(backend, mailbox_id)
    _check_scope(call, mailbox.domain)
    return mailbox


def _check_scope(call: Call, domain: int) -> None:
    # A mailbox sends by itself, so a key for one domain must not set up those of another.
    if call.caller.domain not in {None, domain}:
        raise RefusalError(403, "API key does not have permission for mailboxes of this domain")


def _alias_json(alias: Alias) -> MailboxAlias:
    return {
        "id": alias.number,
        "teamId": _TEAM,
        "domainId": alias.domain,
        "aliasAddress": alias.address,
        "destinationMailboxId": alias.mailbox,
        "createdAt": iso(alias.created_at),
    }


def _filters_reply(mailbox: Mailbox) -> Reply:
    rules: list[MailboxFilter] = [
        {
            "publicId": rule.id,
            "position": position,
            "name": rule.name,
            "field": rule.field,
            "operator": rule.operator,
            "value": rule.value,
            "action": rule.action,
            "actionArg": rule.argument,
            "enabled": rule.enabled,
            "createdAt": iso(rule.created_at),
            "updatedAt": iso(rule.created_at),
        }
        for position, rule in enumerate(mailbox.filters)
    ]
    return Reply(200, {"rules": rules})


def _signature_reply(mailbox: Mailbox) -> Reply:
    signature: MailboxSignature = {
        "signatureHtml": mailbox.signature_html,
        "signatureText": mailbox.signature_text,
    }
    return Reply(200, signature)


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content, table = call.json(), backend.store.mailboxes
    domain, password = domain_from(backend, content, public=True), password_from(content)
    _check_scope(call, domain.number)
    given = {name: value for name, value in content.items() if value is not None}
    changes, address = changes_from(given, CREATE_FIELDS), free_address(backend, content, domain)
    if len(table) >= _MAX_MAILBOXES:
        raise unprocessable(f"The emulator keeps at most {_MAX_MAILBOXES:,} mailboxes.")
    mailbox = Mailbox(
        number=backend.store.next_number("mailbox"),
        id="mb_" + backend.ids(18),
        domain=domain.number,
        address=address,
        password=hashed(password),
        created_at=call.now,
        updated_at=call.now,
        test_mode=call.test_mode,
    )
    _change(backend, mailbox, changes, call.now)
    return Reply(201, {"mailbox": mailbox_json(mailbox)})


def _change(backend: Backend, mailbox: Mailbox, changes: Mapping[str, object], now: float) -> None:
    for attribute, value in changes.items():
        setattr(mailbox, attribute, value)
    mailbox.updated_at = now
    backend.store.mailboxes.save(mailbox)


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    found, reference = backend.store.mailboxes.all(), call.query.get("domain_id", "")
    if reference:
        domain = referenced_domain(backend.store, reference)
        found = [mailbox for mailbox in found if domain is not None and mailbox.domain == domain.number]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [mailbox_json(mailbox) for mailbox in page.items], "meta": page_json(page)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"mailbox": mailbox_json(find_mailbox(backend, arguments["id"]))})


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = _to_change(backend, call, arguments["id"])
    changes = changes_from(call.json(), UPDATE_FIELDS)
    targets: Any = changes.get("forward_to", ())
    if any(mailbox_at(backend.store, address) is mailbox for address in targets):
        raise unprocessable("`forwardTo` must not name an address of the mailbox itself.")
    _change(backend, mailbox, changes, call.now)
    return Reply(200, {"mailbox": mailbox_json(mailbox)})


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    remove_mailbox(backend.store, _to_change(backend, call, arguments["id"]))
    return Reply(200, {"success": True})


def _change_password(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = _to_change(backend, call, arguments["id"])
    _change(backend, mailbox, {"password": hashed(password_from(call.json()))}, call.now)
    return Reply(200, {"success": True})


def _create_alias(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content, table = call.json(), backend.store.mailbox_aliases
    domain = domain_from(backend, content, public=False)
    mailbox = _to_change(backend, call, required_text(content, "destinationMailboxId"))
    _check_scope(call, domain.number)
    address = free_address(backend, content, domain)
    if len(table) >= _MAX_ALIASES:
        raise unprocessable(f"The emulator keeps at most {_MAX_ALIASES:,} aliases.")
    number = backend.store.next_number("mailbox_alias")
    alias = Alias(number, domain.number, address, mailbox.number, call.now)
    table.save(alias)
    return Reply(201, {"alias": _alias_json(alias)})


def _list_aliases(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page = slice_page(backend.store.mailbox_aliases.all(), *call.page())
    return Reply(200, {"data": [_alias_json(alias) for alias in page.items], "meta": page_json(page)})


def _delete_alias(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    number = record_number(arguments["id"])
    alias = None if number is None else backend.store.mailbox_aliases.get(number)
    if alias is None:
        raise not_found("Alias", arguments["id"])
    _check_scope(call, alias.domain)
    backend.store.mailbox_aliases.remove(alias)
    return Reply(200, {"success": True})


def _list_filters(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _filters_reply(find_mailbox(backend, arguments["id"]))


def _set_filters(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = _to_change(backend, call, arguments["id"])
    _change(backend, mailbox, {"filters": filters_from(backend, call.json(), call.now)}, call.now)
    return _filters_reply(mailbox)


def _get_signature(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _signature_reply(find_mailbox(backend, arguments["id"]))


def _set_signature(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = _to_change(backend, call, arguments["id"])
    _change(backend, mailbox, changes_from(call.json(), SIGNATURE_FIELDS), call.now)
    return _signature_reply(mailbox)


def _unread_summary(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    unread = unread_counts(backend.store)
    items = [
        {"mailboxId": mailbox.number, "mailboxPublicId": mailbox.id, "inboxUnread": unread[mailbox.number]}
        for mailbox in backend.store.mailboxes.all()
    ]
    return Reply(200, {"items": items})


def _list_shares(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox = find_mailbox(backend, arguments["id"])
    shares: list[MailboxShare] = []
    for share in backend.store.mailbox_shares.all():
        other = backend.store.mailboxes.get(share.shared_with)
        if share.mailbox == mailbox.number and other is not None:
            shares.append(
                {
                    "id": share.number,
                    "sharedWithMailboxId": share.shared_with,
                    "sharedWithEmail": other.address,
                    "access": share.access,
                    "createdAt": iso(share.created_at),
                }
            )
    return Reply(200, {"shares": shares})


def _grant_share(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox, content, table = _to_change(backend, call, arguments["id"]), call.json(), backend.store.mailbox_shares
    other = find_mailbox(backend, required_text(content, "sharedWithMailboxId"))
    access: ShareAccess = one_of(content, "access", _SHARE_ACCESS) if content.get("access") is not None else "read"
    if other is mailbox:
        raise unprocessable("A mailbox cannot be shared with itself.")
    if table.find("pair", f"{mailbox.number}/{other.number}") is not None:
        raise conflict("Mailbox is already shared")
    if len(table) >= _MAX_SHARES:
        raise unprocessable(f"The emulator keeps at most {_MAX_SHARES:,} shares.")
    share = Share(backend.store.next_number("mailbox_share"), mailbox.number, other.number, access, call.now)
    table.save(share)
    granted: MailboxShareGrant = {
        "id": share.number,
        "mailboxId": mailbox.number,
        "sharedWithMailboxId": other.number,
        "access": access,
        "createdAt": iso(call.now),
        "updatedAt": iso(call.now),
    }
    return Reply(201, {"share": granted})


def _revoke_share(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    mailbox, other = _to_change(backend, call, arguments["id"]), find_mailbox(backend, arguments["target"])
    share = backend.store.mailbox_shares.find("pair", f"{mailbox.number}/{other.number}")
    if share is None:
        raise not_found("Share")
    backend.store.mailbox_shares.remove(share)
    return Reply(200, {"success": True})


ROUTES = (
    Route("POST", "/mailboxes", _create),
    Route("GET", "/mailboxes", _list),
    Route("GET", "/mailboxes/{id}", _get),
    Route("PATCH", "/mailboxes/{id}", _update),
    Route("DELETE", "/mailboxes/{id}", _delete),
    Route("POST", "/mailboxes/{id}/password", _change_password),
    Route("POST", "/mailboxes/aliases", _create_alias),
    Route("GET", "/mailboxes/aliases", _list_aliases),
    Route("DELETE", "/mailboxes/aliases/{id}", _delete_alias),
    Route("GET", "/mailboxes/{id}/filters", _list_filters),
    Route("PUT", "/mailboxes/{id}/filters", _set_filters),
    Route("GET", "/webmail/{id}/signature", _get_signature),
    Route("PUT", "/webmail/{id}/signature", _set_signature),
    Route("GET", "/mailboxes/unread-summary", _unread_summary),
    Route("GET", "/mailboxes/{id}/shares", _list_shares),
    Route("POST", "/mailboxes/{id}/shares", _grant_share),
    Route("DELETE", "/mailboxes/{id}/shares/{target}", _revoke_share),
)
