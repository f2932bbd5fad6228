"""`/_emulator/domains/…`: what the DNS of a domain holds, which the API only reads."""

from __future__ import annotations

from collections.abc import Mapping

from poststack.emulator.account.domains import PURPOSES
from poststack.emulator.api.answers import Reply, unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.domains import domain_json, find_domain
from poststack.emulator.api.fields import boolean, texts
from poststack.emulator.api.routes import Route
from poststack.emulator.backend import Backend
from poststack.emulator.control.emails import PREFIX

__all__ = ["ROUTES"]


def _set_dns(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    domain, content = find_domain(backend, arguments), call.json()
    unpublished, readable = texts(content, "unpublished"), boolean(content, "readable")
    try:
        backend.domains.set_dns(domain, unpublished, call.now, readable=readable is not False)
    except ValueError as error:
        raise unprocessable(str(error)) from error
    missing = [purpose for purpose in PURPOSES if purpose in unpublished]
    return Reply(200, {"domain": domain_json(domain), "unpublished": missing, "readable": domain.dns_readable})


ROUTES = (Route("PUT", PREFIX + "/domains/{id}/dns", _set_dns),)
