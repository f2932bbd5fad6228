"""`/emails`: send, batch, list, get, schedule, events, insights, previews (`poststack-api` §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from poststack.emulator.api.answers import RefusalError, Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.compose import compose
from poststack.emulator.api.content import insights, spam_report
from poststack.emulator.api.fields import moment, record_number, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.senders import check_scope
from poststack.emulator.api.sending import send
from poststack.emulator.api.wire import email_json, event_json, full_email_json, page_json
from poststack.emulator.backend import Backend
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.model import Email
from poststack.emulator.search import EmailSearch
from poststack.emulator.store import Store

__all__ = ["ROUTES", "find_email", "search_from"]

_MAX_BATCH = 100
_PREVIEW_RECIPIENTS = 5


def search_from(store: Store, query: Mapping[str, str]) -> EmailSearch:
    """Read the filters of a list from the query; an empty one is no filter."""
    given = {name: value for name, value in query.items() if value}
    since, until = given.get("date_from"), given.get("date_to")
    return EmailSearch(
        status=given.get("status"),
        domain=_domain(store, given["domain_id"]) if "domain_id" in given else None,
        to=given.get("to"),
        from_=given.get("from"),
        subject=given.get("subject"),
        tag=given.get("tag"),
        since=None if since is None else moment(since, "date_from"),
        until=None if until is None else moment(until, "date_to", end_of_day=True),
        provider=given.get("provider"),
        country=given.get("country"),
        device=given.get("device"),
    )


def _domain(store: Store, text: str) -> str:
    number = record_number(text)
    if number is None:
        raise invalid("`domain_id` must be a whole number.")
    domain = store.domains.get(number)
    # No e-mail comes from a domain without a name.
    return "" if domain is None else domain.name


def find_email(backend: Backend, arguments: Mapping[str, str]) -> Email:
    """Return the e-mail that the path names by its `em_…` id, or raise a 404."""
    email = backend.store.email(arguments["id"])
    if email is None:
        raise not_found("Email")
    return email


def _changeable(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Email:
    email = find_email(backend, arguments)
    check_scope(backend, email.message.from_, call.caller)
    return email


def _send(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(202, send(backend, call, call.json()))


def _batch(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    emails: object = call.json().get("emails")
    if not isinstance(emails, list):
        raise invalid("`emails` must be an array.")
    elements = cast("list[object]", emails)
    if not elements:
        raise unprocessable("A batch holds at least one e-mail.")
    if len(elements) > _MAX_BATCH:
        raise unprocessable(f"Batch size exceeds limit: at most {_MAX_BATCH} e-mails.")
    return Reply(202, {"data": [_element(backend, call, index, item) for index, item in enumerate(elements)]})


def _element(backend: Backend, call: Call, index: int, payload: object) -> dict[str, Any]:
    if not isinstance(payload, dict):
        return {"error": "Each e-mail must be an object."}
    try:
        answer = send(backend, call, cast("dict[str, Any]", payload), index=index)
    except RefusalError as refusal:
        # `code` appears only where the API has a specific one (quotas), which these are not.
        return {"error": refusal.error}
    answer.pop("test_mode", None)
    return answer


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    page, per_page = call.page()
    found = backend.store.emails(search_from(backend.store, call.query), page=page, per_page=per_page)
    return Reply(200, {"data": [email_json(email) for email in found.items], "meta": page_json(found)})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"email": full_email_json(find_email(backend, arguments))})


def _reschedule(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email = _changeable(backend, call, arguments)
    scheduled_at = moment(required_text(call.json(), "scheduled_at"), "scheduled_at")
    try:
        backend.lifecycle.reschedule(email, scheduled_at)
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"success": True})


def _cancel(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    try:
        backend.lifecycle.cancel(_changeable(backend, call, arguments), call.now)
    except NotPossibleError as error:
        raise conflict(str(error)) from error
    return Reply(200, {"success": True})


def _events(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    email = find_email(backend, arguments)
    return Reply(200, {"events": [event_json(email, event) for event in email.events]})


def _insights(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"warnings": insights(find_email(backend, arguments).message)})


def _preview(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    message = compose(backend, call.json(), call.caller, max_recipients=_PREVIEW_RECIPIENTS)
    preview = {
        "rendered_subject": message.subject,
        "rendered_html": message.html,
        "rendered_text": message.text,
        "size": {
            "html_bytes": len((message.html or "").encode()),
            "text_bytes": len((message.text or "").encode()),
        },
        "spam": spam_report(message.spam),
        "warnings": insights(message),
    }
    return Reply(200, preview)


def _spam_preview(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    message = compose(backend, call.json(), call.caller, max_recipients=_PREVIEW_RECIPIENTS)
    return Reply(200, spam_report(message.spam))


ROUTES = (
    Route("POST", "/emails", _send, sending=True),
    Route("POST", "/emails/send", _send, sending=True),
    Route("POST", "/emails/batch", _batch, sending=True),
    Route("POST", "/emails/preview", _preview),
    Route("POST", "/emails/spam-preview", _spam_preview),
    Route("GET", "/emails", _list),
    Route("GET", "/emails/{id}", _get, sending=True),
    Route("PATCH", "/emails/{id}", _reschedule),
    Route("POST", "/emails/{id}/cancel", _cancel),
    Route("GET", "/emails/{id}/events", _events, sending=True),
    Route("GET", "/emails/{id}/insights", _insights),
)
