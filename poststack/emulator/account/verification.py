"""Looks at the made-up DNS of domains when it is time to: for their verification, and for new DKIM keys."""

from __future__ import annotations

from collections.abc import Sequence

from poststack.emulator.account import dkim
from poststack.emulator.account.domains import PURPOSES, Domain, RemovedDomain, dns_records, new_dkim_key
from poststack.emulator.address_syntax import domain_name
from poststack.emulator.ids import IdSource
from poststack.emulator.notifying.deliveries import Deliveries
from poststack.emulator.receiving.mailboxes import remove_mailboxes_of
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store

__all__ = ["Domains"]

_ADVICE = frozenset({"dkim_rotation", "submission"})
_MAX_REMOVED = 1_000


class Domains:
    """The domains of one emulator. Those of the settings are there, verified, before anything else happens."""

    def __init__(self, store: Store, settings: Settings, deliveries: Deliveries, ids: IdSource) -> None:
        self._store = store
        self._settings = settings
        self._deliveries = deliveries
        self._ids = ids
        self._begun = False

    def run(self, now: float) -> None:
        """Do every step that is due."""
        if not self._begun:
            self._begun = True
            self._add_those_of_settings(now)
        table = self._store.domains
        while (domain := table.due(now)) is not None:
            if domain.verify_at is not None and domain.verify_at <= now:
                self._verify(domain, now)
            dkim.run(domain, now)
            table.save(domain)

    def begin_again(self) -> None:
        """Have the domains of the settings again, after everything was forgotten."""
        self._begun = False

    def new(self, name: str, now: float) -> Domain:
        """Return a new domain that is not kept yet. Names under `.invalid` begin without DNS records."""
        return Domain(
            number=self._store.next_number("domain"),
            id="dom_" + self._ids(18),
            name=name,
            created_at=now,
            dkim_key=new_dkim_key(self._ids),
            unpublished=[*PURPOSES] if f".{name}".endswith(".invalid") else [],
        )

    def keep(self, domain: Domain) -> None:
        """Keep a new domain."""
        removed = self._store.removed_domains.find("name", domain.name)
        if removed is not None:
            self._store.removed_domains.remove(removed)
        self._store.domains.save(domain)

    def remove(self, domain: Domain) -> None:
        """Forget a domain, but for its name."""
        self._store.domains.remove(domain)
        names = self._store.removed_domains
        names.save(RemovedDomain(self._store.next_number("removed_domain"), domain.name))
        if len(names) > _MAX_REMOVED:
            names.remove(names.all()[0])

    def queue_verification(self, domain: Domain, now: float) -> None:
        """Look at the DNS soon; a look that is already planned stays where it is."""
        if domain.verify_at is None:
            domain.verify_at = now + self._settings.verification_delay
            self._store.domains.save(domain)

    def set_dns(self, domain: Domain, unpublished: Sequence[str], now: float, *, readable: bool) -> None:
        """Change what the DNS has. It is looked at again only for a new DKIM key, unless somebody asks.

        Raises `ValueError` for what is no list of purposes.
        """
        if isinstance(unpublished, str) or not {*unpublished} <= {*PURPOSES}:
            raise ValueError(f"`unpublished` must be a list of purposes of records: {', '.join(PURPOSES)}.")
        domain.unpublished, domain.dns_readable = list(unpublished), readable
        if domain.rotation.state == "pending_dns":
            domain.rotation.look_at = now + self._settings.verification_delay
        self._store.domains.save(domain)

    def start_rotation(self, domain: Domain, now: float) -> None:
        """Stage a new DKIM key. Raises `RotationError` while a rotation is under way."""
        dkim.start(domain, new_dkim_key(self._ids), now, now + self._settings.verification_delay)
        self._store.domains.save(domain)

    def activate_rotation(self, domain: Domain, now: float, *, force: bool) -> None:
        """Sign with the new DKIM key. Raises `RotationError` and `DnsUnreadableError`."""
        try:
            dkim.activate(domain, now, force=force)
        finally:
            # Also a refusal may have looked at the DNS and seen the record for the first time.
            self._store.domains.save(domain)

    def cancel_rotation(self, domain: Domain) -> None:
        """Drop the new DKIM key. Raises `RotationError` when there is none, or when it signs already."""
        dkim.cancel(domain)
        self._store.domains.save(domain)

    def _verify(self, domain: Domain, now: float) -> None:
        domain.verify_at = None
        if not domain.dns_readable:
            return
        purposes = {record["purpose"] for record in dns_records(domain)}
        domain.seen = [
            purpose
            for purpose in PURPOSES
            if purpose in purposes
            and domain.published(purpose)
            # A new DKIM key has a look of its own.
            and (purpose != "dkim_rotation" or purpose in domain.seen)
        ]
        before = domain.status
        domain.status = "verified" if purposes - _ADVICE <= {*domain.seen} else "failed"
        if domain.status == "failed":
            domain.verified_at = None
        elif domain.verified_at is None:
            domain.verified_at = now
        if domain.status != before:
            data = {"domain_id": domain.number, "public_id": domain.id, "name": domain.name, "status": domain.status}
            self._deliveries.announce("domain." + domain.status, data, now)

    def _add_those_of_settings(self, now: float) -> None:
        names = [domain_name(text) or text.lower() for text in self._settings.domains or ()]
        for known in self._store.domains.all():
            if known.of_settings and known.name not in names:
                # An earlier run had other settings.
                remove_mailboxes_of(self._store, known.number)
                self._store.domains.remove(known)
        for name in names:
            domain = self._store.domains.find("name", name)
            if domain is None:
                domain = self.new(name, now)
                domain.inbound_enabled = True
            domain.unpublished, domain.of_settings = [], True
            domain.seen = [record["purpose"] for record in dns_records(domain) if record["purpose"] != "dkim_rotation"]
            domain.status, domain.verified_at = "verified", domain.verified_at or now
            self.keep(domain)
