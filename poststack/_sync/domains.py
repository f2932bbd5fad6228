# Written by tools/unasync.py from poststack/_async/domains.py. Do not edit.
"""Sending domains: DNS records, DKIM keys, DMARC reports, inbox placement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Listing, Request, segment
from poststack.types.common import Success
from poststack.types.domains import (
    DkimRotationAnswer,
    DmarcReport,
    DmarcReports,
    DmarcSources,
    DmarcStats,
    DomainAnswer,
    DomainList,
    DomainVerification,
    InboxPlacement,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poststack._sync.session import Session
    from poststack.types.common import PageQuery
    from poststack.types.domains import CreateDomain, DmarcReportQuery, UpdateDomain

__all__ = ["Domains"]


class Domains:
    """Set up the domains that e-mails are sent from. Ids are integers, not the `dom_…` ids that some objects carry.

    Only sends honour idempotency keys: a `create` or `start_dkim_rotation` that failed without an answer may have taken
    effect, and a retry of `create` is then refused with 409. Look with `list` or `get` before you repeat one.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def create(self, input: CreateDomain, *, timeout: float | None = None) -> DomainAnswer:
        """Add a domain. Publish its `dnsRecords`, then `verify`. Refused with 409 when the domain is there already."""
        return self._session.call(Request("POST", "/domains", DomainAnswer, body=input), timeout)

    def list(self, params: PageQuery | None = None, *, timeout: float | None = None) -> DomainList:
        """Return all domains. The API ignores `params`."""
        return self._session.call(Request("GET", "/domains", DomainList, query=params), timeout)

    def get(self, id: int, *, timeout: float | None = None) -> DomainAnswer:
        """Return one domain with its DNS records."""
        return self._session.call(Request("GET", f"/domains/{segment(id)}", DomainAnswer), timeout)

    def verify(self, id: int, *, timeout: float | None = None) -> DomainVerification:
        """Have the API look for the DNS records. It does so later: `get` tells the outcome. Harmless to repeat."""
        return self._session.call(Request("POST", f"/domains/{segment(id)}/verify", DomainVerification), timeout)

    def update(self, id: int, input: UpdateDomain, *, timeout: float | None = None) -> DomainAnswer:
        """Change the given fields of a domain."""
        return self._session.call(Request("PATCH", f"/domains/{segment(id)}", DomainAnswer, body=input), timeout)

    def delete(self, id: int, *, timeout: float | None = None) -> Success:
        """Remove a domain: sends from it are refused from now on."""
        return self._session.call(Request("DELETE", f"/domains/{segment(id)}", Success), timeout)

    def assign_ip(self, id: int, ip_address_id: int, *, timeout: float | None = None) -> Success:
        """Send a domain's mail from a dedicated IP address of the team. Harmless to repeat."""
        return self._session.call(
            Request("POST", f"/domains/{segment(id)}/ip", Success, body={"ipAddressId": ip_address_id}), timeout
        )

    def unassign_ip(self, id: int, *, timeout: float | None = None) -> Success:
        """Send a domain's mail from shared addresses again."""
        return self._session.call(Request("DELETE", f"/domains/{segment(id)}/ip", Success), timeout)

    def get_dmarc_reports(
        self, id: int, params: DmarcReportQuery | None = None, *, timeout: float | None = None
    ) -> DmarcReports:
        """Return one page of the DMARC reports that receiving providers sent."""
        return self._session.call(
            Request("GET", f"/domains/{segment(id)}/dmarc/reports", DmarcReports, query=_report_query(params)), timeout
        )

    def iterate_dmarc_reports(
        self, id: int, params: DmarcReportQuery | None = None, *, timeout: float | None = None
    ) -> Iterator[DmarcReport]:
        """Yield the DMARC reports of all pages."""
        path, query = f"/domains/{segment(id)}/dmarc/reports", _report_query(params)
        return self._session.iterate(
            Listing(path, DmarcReport, query=query, items="reports", meta="pagination"), timeout
        )

    def get_dmarc_stats(self, id: int, days: int | None = None, *, timeout: float | None = None) -> DmarcStats:
        """Return what the DMARC reports of the last `days` add up to, by day too."""
        return self._session.call(
            Request("GET", f"/domains/{segment(id)}/dmarc/stats", DmarcStats, query={"days": days}), timeout
        )

    def get_dmarc_sources(self, id: int, days: int | None = None, *, timeout: float | None = None) -> DmarcSources:
        """Return the IP addresses that sent in the domain's name in the last `days`, and whether DMARC let them."""
        return self._session.call(
            Request("GET", f"/domains/{segment(id)}/dmarc/sources", DmarcSources, query={"days": days}), timeout
        )

    def start_dkim_rotation(self, id: int, *, timeout: float | None = None) -> DkimRotationAnswer:
        """Make a new DKIM key and return the record to publish. The old key signs until the new one is activated."""
        return self._session.call(Request("POST", f"/domains/{segment(id)}/dkim/rotate", DkimRotationAnswer), timeout)

    def activate_dkim_rotation(
        self, id: int, *, force: bool = False, timeout: float | None = None
    ) -> DkimRotationAnswer:
        """Sign with the new DKIM key. Refused with 409 until its record is seen, and with 503 when DNS cannot be read.

        `force` does without the wait for the record to spread, never without the record.
        """
        query = {"force": "true"} if force else None
        return self._session.call(
            Request("POST", f"/domains/{segment(id)}/dkim/rotate/activate", DkimRotationAnswer, query=query), timeout
        )

    def cancel_dkim_rotation(self, id: int, *, timeout: float | None = None) -> DkimRotationAnswer:
        """Drop the new DKIM key and stay with the old one."""
        return self._session.call(Request("DELETE", f"/domains/{segment(id)}/dkim/rotate", DkimRotationAnswer), timeout)

    def get_inbox_placement(self, id: int, days: int | None = None, *, timeout: float | None = None) -> InboxPlacement:
        """Return what receiving providers did with the domain's mail in the last `days`."""
        return self._session.call(
            Request("GET", f"/domains/{segment(id)}/placement", InboxPlacement, query={"days": days}), timeout
        )


def _report_query(params: DmarcReportQuery | None) -> dict[str, object]:
    # Every other endpoint reads per_page; this one reads perPage and ignores per_page.
    query: dict[str, object] = {**(params or {})}
    if "per_page" in query:
        query.setdefault("perPage", query.pop("per_page"))
    return query
