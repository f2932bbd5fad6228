"""What the steps of a workflow say in their `config` (poststack-api §4.13 leaves it open).

Only `template_id` of an e-mail, `delay` of a wait and `event` of a custom trigger are known from the service; the rest
is the emulator's own reading, listed in `docs/emulator.md`. What is not understood is refused, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import RefusalError, invalid, unprocessable
from poststack.emulator.api.call import Caller
from poststack.emulator.api.compose import compose
from poststack.emulator.api.fields import required_text, texts_by_name, web_address
from poststack.emulator.api.segment_rules import rules_from
from poststack.emulator.api.senders import check_scope
from poststack.emulator.audience import membership
from poststack.emulator.audience.placeholders import placeholders
from poststack.emulator.audience.records import Contact
from poststack.emulator.audience.rules import RulesError
from poststack.emulator.outreach import workflow_graph
from poststack.emulator.outreach.workflows import Workflow

if TYPE_CHECKING:
    from poststack.emulator.backend import Backend

__all__ = [
    "MAX_EVENT",
    "check_senders",
    "custom_event",
    "email_payload",
    "meets",
    "problems",
    "wait_seconds",
    "webhook_url",
]

MAX_EVENT = 200

# A send payload without what a workflow decides: to whom and when.
_EMAIL_KEYS = (
    "template_id",
    "from",
    "subject",
    "html",
    "text",
    "reply_to",
    "variables",
    "headers",
    "tags",
    "tracking",
    "unsubscribe",
    "signature",
)
_DELAY = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_MAX_DELAY_DAYS = 365
# Whoever it is, the rules on the content of an e-mail are the same.
_ANYBODY = Contact(number=0, id="con_", email="somebody@example.com", created_at=0.0, updated_at=0.0)


def problems(backend: Backend, workflow: Workflow, caller: Caller) -> list[RefusalError]:
    """Return what keeps the workflow from being activated, by the steps that are to blame; nothing when it can be.

    Each is a 422, or a 403 where the caller's key is not for the sender of an e-mail.
    """
    found = [unprocessable(problem) for problem in workflow_graph.problems(workflow.nodes, workflow.edges)]
    if problem := _problem(partial(_check_trigger, workflow)):
        found.insert(0, problem)
    for node in workflow.nodes:
        if problem := _problem(partial(_CHECKS[node.type], backend, node.config, caller)):
            status = 403 if problem.status == 403 else 422
            found.append(RefusalError(status, f"Node `{node.id}`: {problem.error}"))
    return found


def check_senders(backend: Backend, workflow: Workflow, caller: Caller) -> None:
    """Raise a 403 when a step sends from a domain that the caller's key is not for."""
    for node in workflow.nodes:
        sender = node.config.get("from") or backend.settings.workflow_sender
        # Without a sender the run fails at that step, whoever began it.
        if node.type == "send_email" and isinstance(sender, str):
            check_scope(backend, parse_address(sender, "from"), caller)


def custom_event(workflow: Workflow) -> str | None:
    """Return the name of the event that begins runs of this workflow, if it is one of your own."""
    event = (workflow.trigger_config or {}).get("event")
    return event if workflow.trigger_type == "custom" and isinstance(event, str) else None


def email_payload(backend: Backend, config: Mapping[str, Any], contact: Contact) -> dict[str, Any]:
    """Return the send payload of a step for one contact, whose fields fill in variables that the step does not set."""
    _only(config, *_EMAIL_KEYS)
    sender = backend.settings.workflow_sender
    if not config.get("from") and sender is None:
        raise invalid("`from` is required, unless the emulator has a workflow_sender.")
    variables = {**placeholders(contact), **texts_by_name(config, "variables")}
    return {"from": sender, **config, "to": [contact.email], "variables": variables}


def meets(backend: Backend, config: Mapping[str, Any], contact: Contact, now: float) -> bool:
    """Return whether the rules of a step, which are those of a segment, choose this contact."""
    _only(config, "operator", "conditions")
    try:
        return membership.meets(backend.store, rules_from(config), contact, now)
    except RulesError as error:
        raise unprocessable(str(error)) from error


def wait_seconds(config: Mapping[str, Any]) -> float:
    """Return how long a step waits."""
    _only(config, "delay")
    match = _DELAY.fullmatch(required_text(config, "delay"))
    seconds = 0.0 if match is None else int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= _MAX_DELAY_DAYS * _SECONDS["d"]:
        raise unprocessable(
            f"`delay` must be a whole number and a unit (s, m, h, d or w), such as 3d; at most {_MAX_DELAY_DAYS}d."
        )
    return seconds


def webhook_url(config: Mapping[str, Any]) -> str:
    """Return where a step posts to."""
    _only(config, "url")
    return web_address(required_text(config, "url"), "url")


def _check_trigger(workflow: Workflow) -> None:
    config = workflow.trigger_config or {}
    try:
        _only(config, *(("event",) if workflow.trigger_type == "custom" else ()))
        if workflow.trigger_type == "custom" and len(required_text(config, "event")) > MAX_EVENT:
            raise unprocessable(f"`event` has at most {MAX_EVENT} characters.")
    except RefusalError as refusal:
        raise unprocessable(f"`trigger_config`: {refusal.error}") from refusal


def _check_email(backend: Backend, config: Mapping[str, Any], caller: Caller) -> None:
    compose(backend, email_payload(backend, config, _ANYBODY), caller)


_CHECKS: Mapping[str, Callable[[Backend, Mapping[str, Any], Caller], object]] = {
    "trigger": lambda backend, config, caller: _only(config),
    "send_email": _check_email,
    "wait": lambda backend, config, caller: wait_seconds(config),
    "webhook": lambda backend, config, caller: webhook_url(config),
    "condition": lambda backend, config, caller: meets(backend, config, _ANYBODY, 0.0),
}


def _only(config: Mapping[str, Any], *names: str) -> None:
    unknown = next((name for name in config if name not in names), None)
    if unknown is not None:
        known = f"knows only: {', '.join(names)}" if names else "knows no settings here"
        raise unprocessable(f"`{unknown[:50]}` is not understood. The emulator {known}.")


def _problem(check: Callable[[], object]) -> RefusalError | None:
    try:
        check()
    except RefusalError as refusal:
        return refusal
    return None
