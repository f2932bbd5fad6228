"""Domains that e-mails are sent from, and the DNS records that prove them. There is no DNS here: it is made up.

In the DNS of a domain is every record it needs, but for the purposes in `unpublished`. Names under `.invalid`, which no
DNS ever holds, begin with nothing published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from poststack.emulator.ids import IdSource
from poststack.emulator.tables import Kind
from poststack.types import (
    DkimRotationState,
    DnsPurpose,
    DnsRecord,
    DnsRecordType,
    DomainStatus,
    Region,
    StreamPreference,
    TlsMode,
)

__all__ = [
    "DOMAINS",
    "PURPOSES",
    "REMOVED_DOMAINS",
    "Domain",
    "RemovedDomain",
    "Rotation",
    "dkim_record",
    "dns_records",
    "new_dkim_key",
]

PURPOSES: tuple[DnsPurpose, ...] = get_args(DnsPurpose)

# What every public RSA key of 2,048 bits with the usual exponent begins and ends with; between them is the modulus.
_KEY_START, _KEY_END, _MODULUS = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA", "IDAQAB", 342


@dataclass
class Rotation:
    """How far the change of a domain's DKIM key is. `look_at` is when the DNS is looked at for the new key's record."""

    state: DkimRotationState = "idle"
    selector: str | None = None
    key: str | None = None
    started_at: float | None = None
    look_at: float | None = None
    published_at: float | None = None
    activates_after: float | None = None
    retired_selector: str | None = None
    retired_key: str | None = None
    retire_after: float | None = None

    @property
    def due(self) -> float | None:
        """When time brings the next step."""
        return {"pending_dns": self.look_at, "ready": self.activates_after, "retiring": self.retire_after}.get(
            self.state
        )


@dataclass
class Domain:
    """A domain. `id` is the public `dom_…` id, `name` is in lower case and ASCII.

    `seen` are the purposes of the records that the last look at the DNS found; `verify_at` is when the next one is.
    `of_settings` says that it is there because the settings name it.
    """

    number: int
    id: str
    name: str
    created_at: float
    dkim_key: str
    dkim_selector: str = "poststack"
    dkim_keys: int = 1
    region: Region = "eu-west-1"
    return_path: str = "bounces"
    open_tracking: bool = False
    click_tracking: bool = False
    tracking_domain: str | None = None
    tls_mode: TlsMode = "opportunistic"
    inbound_enabled: bool = False
    catch_all: bool = False
    stream_preference: StreamPreference = "any"
    bimi_logo_url: str | None = None
    status: DomainStatus = "pending"
    verified_at: float | None = None
    verify_at: float | None = None
    seen: list[str] = field(default_factory=list[str])
    unpublished: list[str] = field(default_factory=list[str])
    dns_readable: bool = True
    of_settings: bool = False
    rotation: Rotation = field(default_factory=Rotation)

    @property
    def due(self) -> float | None:
        """When something is to happen to it next."""
        return min((at for at in (self.verify_at, self.rotation.due) if at is not None), default=None)

    def published(self, purpose: str) -> bool:
        """Whether the DNS has the records of this purpose."""
        return purpose not in self.unpublished


@dataclass
class RemovedDomain:
    """The name of a domain that was deleted, from which nothing is sent until it is added again."""

    number: int
    name: str


def new_dkim_key(ids: IdSource) -> str:
    """Return a made-up public key: it has the form of one, and nothing is signed with it."""
    return _KEY_START + ids(_MODULUS) + _KEY_END


def dkim_record(domain: Domain, selector: str, key: str) -> tuple[str, str]:
    """Return name and value of the TXT record of a DKIM key."""
    return f"{selector}._domainkey.{domain.name}", f"v=DKIM1; k=rsa; p={key}"


def dns_records(domain: Domain) -> list[DnsRecord]:
    """Return what is to be published for a domain; each record says whether the last look at the DNS found it."""
    name, rotation = domain.name, domain.rotation

    def record(kind: DnsRecordType, name: str, value: str, purpose: DnsPurpose) -> DnsRecord:
        return {"type": kind, "name": name, "value": value, "purpose": purpose, "verified": purpose in domain.seen}

    records = [
        record("TXT", name, "v=spf1 include:spf.poststack.dev ~all", "spf"),
        record("TXT", *dkim_record(domain, domain.dkim_selector, domain.dkim_key), "dkim"),
        record("TXT", f"_dmarc.{name}", "v=DMARC1; p=none;", "dmarc"),
        record("CNAME", f"{domain.return_path}.{name}", "bounces.poststack.dev", "return_path"),
    ]
    for selector, key in ((rotation.selector, rotation.key), (rotation.retired_selector, rotation.retired_key)):
        if selector is not None and key is not None:
            records.append(record("TXT", *dkim_record(domain, selector, key), "dkim_rotation"))
    if domain.inbound_enabled:
        records += [
            record("MX", name, "10 inbound.poststack.dev", "mx"),
            record("SRV", f"_imaps._tcp.{name}", "0 1 993 imap.poststack.dev", "imap"),
            record("SRV", f"_submissions._tcp.{name}", "0 1 465 smtp.poststack.dev", "submission"),
        ]
    return records


def _domain_from(*, rotation: Mapping[str, Any], **content: Any) -> Domain:
    return Domain(rotation=Rotation(**rotation), **content)


DOMAINS = Kind(
    "domain",
    _domain_from,
    keys={"id": lambda domain: domain.id, "name": lambda domain: domain.name},
    due=lambda domain: domain.due,
)
REMOVED_DOMAINS = Kind("removed_domain", RemovedDomain, keys={"name": lambda domain: domain.name})
