"""`/email-validations`: what can be said of an address without asking anybody (`poststack-api` §4.15).

The service asks DNS and mail servers; the emulator asks nobody. So most addresses are `unknown`, and what the emulator
claims follows from the address itself, from a bounce that happened here, or from a word that stands for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poststack.emulator.address_syntax import address_problem
from poststack.emulator.api.answers import Reply, invalid, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import required_text, texts
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.fates import magic_word
from poststack.types import ValidationResult, ValidationRisk

__all__ = ["MAGIC_RESULTS", "ROUTES"]

_MAX_BATCH = 100
_MAX_LENGTH = 1_000

MAGIC_RESULTS: Mapping[str, ValidationResult] = {
    "deliverable": "deliverable",
    "undeliverable": "undeliverable",
    "risky": "risky",
    "unknown": "unknown",
    "bounce": "undeliverable",
    "fail": "undeliverable",
    "complain": "risky",
    "defer": "unknown",
}
"""Results by the part before the @, chosen as the fates of e-mails are; their domains count as receiving mail."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FREE = _words("""
    163.com aol.com fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com
    hotmail.co.uk hotmail.com hotmail.de hotmail.fr hotmail.it icloud.com laposte.net libero.it live.com mac.com
    mail.com mail.ru me.com msn.com orange.fr outlook.com outlook.de outlook.fr posteo.de proton.me protonmail.com
    qq.com seznam.cz t-online.de tutanota.com web.de wp.pl yahoo.co.uk yahoo.com yahoo.de yahoo.fr yandex.ru ymail.com
    zoho.com
    """)
_DISPOSABLE = _words("""
    10minutemail.com dispostable.com fakeinbox.com getnada.com guerrillamail.com guerrillamail.info guerrillamail.net
    maildrop.cc mailinator.com mailnesia.com mintemail.com mohmal.com sharklasers.com spam4.me spamgourmet.com
    temp-mail.org tempmail.com throwawaymail.com trashmail.com trashmail.de wegwerfemail.de yopmail.com
    """)
_ROLES = _words("""
    abuse accounts admin administrator billing careers compliance contact enquiries feedback finance help helpdesk
    hostmaster hr info inquiries it jobs legal mail marketing media news newsletter no-reply noc noreply office orders
    postmaster press privacy root sales security service shop spam staff subscribe support sysadmin team tech
    unsubscribe usenet webmaster www
    """)


def _validation(backend: Backend, email: str) -> dict[str, Any]:
    right = len(email) <= _MAX_LENGTH and address_problem(email) is None
    local, _, domain = email.lower().rpartition("@") if right else ("", "", "")
    magic = MAGIC_RESULTS.get(magic_word(email)) if right else None
    # Other names that are in no DNS, such as shop.test and example.com, stand for real ones in development. A name that
    # ends in .invalid says itself what it is (RFC 6761).
    possible = right and domain.rpartition(".")[2] != "invalid"
    checks = {
        "syntax": right,
        "mx": possible and (domain in _FREE or domain in _DISPOSABLE or magic is not None),
        "disposable": domain in _DISPOSABLE,
        "role": local.partition("+")[0] in _ROLES,
        "free": domain in _FREE,
    }
    suppression = backend.store.suppression(email)
    if not possible or (suppression is not None and suppression.reason == "hard_bounce"):
        result: ValidationResult = "undeliverable"
    else:
        result = magic or ("risky" if checks["disposable"] else "unknown")
    return {"email": email, "result": result, "checks": checks, "risk": _risk(result, checks)}


def _risk(result: ValidationResult, checks: Mapping[str, bool]) -> ValidationRisk:
    if result == "undeliverable" or checks["disposable"]:
        return "high"
    if result == "risky" or checks["role"] or not checks["mx"]:
        return "medium"
    return "low"


def _validate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, _validation(backend, required_text(call.json(), "email")))


def _validate_batch(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    if content.get("emails") is None:
        raise invalid("`emails` is required, an array of addresses.")
    emails = texts(content, "emails")
    if len(emails) > _MAX_BATCH:
        raise unprocessable(f"`emails` holds more than {_MAX_BATCH} addresses.")
    return Reply(200, {"results": [_validation(backend, email) for email in emails]})


ROUTES = (
    Route("POST", "/email-validations", _validate),
    Route("POST", "/email-validations/batch", _validate_batch),
)
