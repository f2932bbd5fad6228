# Written by tools/unasync.py from tests/client/_async/test_domains.py. Do not edit.
"""Sending domains: DNS records, verification, DKIM keys, and what they decide about sending."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from poststack.types import DnsRecord
from tests.conforming import checked

pytestmark = pytest.mark.anyio


def added(client: PostStack, name: str = "shop.example", **fields: Any) -> int:
    content: Any = {"name": name, **fields}
    return (client.domains.create(content))["domain"]["id"]


def verified(client: PostStack, emu: EmulatorSession, name: str = "shop.example") -> int:
    domain = added(client, name)
    client.domains.verify(domain)
    emu.clock.advance(1)
    return domain


def records(client: PostStack, domain: int) -> list[DnsRecord]:
    return (client.domains.get(domain))["domain"]["dnsRecords"]


def send(client: PostStack, sender: str = "a@shop.example", **fields: Any) -> None:
    email: Any = {"from": sender, "to": ["b@example.com"], "subject": "s", "text": "t", **fields}
    client.emails.send(email)


def refusal(method: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        method(*arguments, **options)
    return caught.value.status_code, caught.value.error


def test_a_domain_is_verified_after_a_while(client: PostStack, emu: EmulatorSession) -> None:
    created = (client.domains.create({"name": "shop.example"}))["domain"]

    queued = client.domains.verify(created["id"])
    emu.clock.advance(1)
    domain = (client.domains.get(created["id"]))["domain"]

    assert (created["status"], queued["domain"]["status"], domain["status"]) == ("pending", "pending", "verified")
    assert queued.get("queued") is True
    assert domain.get("verifiedAt") == "2026-01-01T00:00:01.000Z"
    assert not any(record["verified"] for record in created["dnsRecords"])
    assert all(record["verified"] for record in domain["dnsRecords"])


def test_the_records_to_publish_are_named(client: PostStack) -> None:
    domain = (client.domains.create({"name": "shop.example", "custom_return_path": "Mail"}))["domain"]
    records = {record["purpose"]: record for record in domain["dnsRecords"]}

    assert {purpose: (record["type"], record["name"]) for purpose, record in records.items()} == {
        "spf": ("TXT", "shop.example"),
        "dkim": ("TXT", "poststack._domainkey.shop.example"),
        "dmarc": ("TXT", "_dmarc.shop.example"),
        "return_path": ("CNAME", "mail.shop.example"),
    }
    assert "include:spf.poststack.dev" in records["spf"]["value"]
    assert records["dkim"]["value"].startswith("v=DKIM1; k=rsa; p=MII")


def test_receiving_needs_more_records(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)

    changed = (client.domains.update(domain, {"inbound_enabled": True}))["domain"]
    client.domains.verify(domain)
    emu.clock.advance(1)
    again = (client.domains.get(domain))["domain"]

    assert changed["status"] == "verified"
    assert {record["purpose"] for record in changed["dnsRecords"] if not record["verified"]} == {
        "mx",
        "imap",
        "submission",
    }
    assert all(record["verified"] for record in again["dnsRecords"])


@pytest.mark.parametrize("name", ["SHOP.Example", "shop.example"])
def test_a_domain_is_there_once(client: PostStack, name: str) -> None:
    added(client)

    assert refusal(added, client, name) == (409, "Domain already exists")


def test_names_are_kept_in_lower_case_and_ascii(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu, "Läden.example")
    client.domains.update(domain, {"click_tracking": True})
    send(client, "a@läden.EXAMPLE")

    assert (client.domains.get(domain))["domain"]["name"] == "xn--lden-loa.example"
    assert (client.emails.list({"domain_id": domain}))["meta"]["total"] == 1
    assert refusal(added, client, "xn--lden-loa.example") == (409, "Domain already exists")


@pytest.mark.parametrize(
    "name",
    ["example", "a b.example", "-a.example", "a..example", "a.example.", "[127.0.0.1]", "a@b.example",
     "a" * 64 + ".example", ".example", "a.example\r\nX: y", "a_b.example", "https://a.example", "ab.c" * 100],
)  # fmt: skip
def test_what_is_no_name_of_a_domain_is_refused(client: PostStack, name: str) -> None:
    status, error = refusal(added, client, name)

    assert (status, error) == (422, "`name` must be the name of a domain, such as example.com.")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"region": "mars"}, 422),
        ({"region": 1}, 400),
        ({"custom_return_path": "a b"}, 422),
        ({"custom_return_path": "a" * 64}, 422),
        ({"open_tracking": "yes"}, 400),
        ({"tls_mode": "never"}, 422),
        ({"name": None}, 400),
    ],
)
def test_bad_fields_of_a_new_domain_are_refused(client: PostStack, fields: dict[str, Any], status: int) -> None:
    assert (refusal(client.domains.create, {"name": "shop.example", **fields}))[0] == status
    assert (client.domains.list())["domains"] == []


def test_a_domain_is_changed(client: PostStack) -> None:
    domain = added(client, region="us-east-1", open_tracking=True, tls_mode="enforced")

    changed = (
        client.domains.update(
            domain,
            {
                "open_tracking": False,
                "click_tracking": True,
                "tracking_domain": "Links.shop.example",
                "tls_mode": "opportunistic",
                "catch_all": True,
                "stream_preference": "marketing",
                "bimi_logo_url": "https://shop.example/logo.svg",
            },
        )
    )["domain"]
    cleared = (client.domains.update(domain, {"tracking_domain": None, "bimi_logo_url": None}))["domain"]

    assert changed["region"] == "us-east-1"
    assert (changed["openTracking"], changed["clickTracking"], changed["catchAll"]) == (False, True, True)
    assert (changed.get("trackingDomain"), changed["tlsMode"]) == ("links.shop.example", "opportunistic")
    assert (changed.get("streamPreference"), changed.get("bimiLogoUrl")) == (
        "marketing",
        "https://shop.example/logo.svg",
    )
    assert (cleared.get("trackingDomain"), cleared.get("bimiLogoUrl")) == (None, None)
    assert cleared["clickTracking"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"tracking_domain": "no domain"}, 422),
        ({"bimi_logo_url": "http://shop.example/logo.svg"}, 422),
        ({"bimi_logo_url": "https://[shop"}, 422),
        ({"stream_preference": "loud"}, 422),
        ({"catch_all": None}, 400),
        ({"inbound_enabled": 1}, 400),
    ],
)
def test_a_refused_change_changes_nothing(client: PostStack, fields: dict[str, Any], status: int) -> None:
    domain = added(client)
    before = client.domains.get(domain)

    assert (refusal(client.domains.update, domain, {"click_tracking": True, **fields}))[0] == status
    assert client.domains.get(domain) == before


def test_domains_are_listed_until_they_are_deleted(client: PostStack) -> None:
    first, second = added(client, "a.example"), added(client, "b.example")
    client.domains.delete(first)

    assert [domain["id"] for domain in (client.domains.list())["domains"]] == [second]
    assert refusal(client.domains.get, first) == (404, "Domain not found")


def test_only_a_verified_domain_sends(client: PostStack, emu: EmulatorSession) -> None:
    domain = added(client)
    pending = refusal(send, client)
    client.domains.verify(domain)
    emu.clock.advance(1)
    send(client)
    client.domains.delete(domain)
    deleted = refusal(send, client)
    added(client)
    again = refusal(send, client)
    send(client, "a@other.example")

    assert {pending, deleted, again} == {(422, "Domain not verified")}
    assert [email.from_ for email in emu.sent] == ["a@shop.example", "a@other.example"]


def test_an_element_of_a_batch_is_refused_alone(client: PostStack, emu: EmulatorSession) -> None:
    added(client)

    answer = client.emails.batch(
        {
            "emails": [
                {"from": f"a@{name}", "to": ["b@example.com"], "subject": "s", "text": "t"}
                for name in ("shop.example", "other.example")
            ]
        }
    )

    assert answer["data"][0] == {"error": "Domain not verified"}
    assert "id" in answer["data"][1]


def test_names_under_invalid_fail(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu, "shop.invalid")
    found = (client.domains.get(domain))["domain"]

    assert (found["status"], found.get("verifiedAt")) == ("failed", None)
    assert not any(record["verified"] for record in found["dnsRecords"])


def test_the_domains_of_the_settings_are_there_and_the_only_ones() -> None:
    with emulator(Settings(domains=("Shop.example", "localhost"))) as emu:
        client = checked(emu.client())
        domains = (client.domains.list())["domains"]
        send(client, "a@shop.example")
        send(client, "root@localhost")

        assert [(domain["name"], domain["status"]) for domain in domains] == [
            ("shop.example", "verified"),
            ("localhost", "verified"),
        ]
        assert refusal(send, client, "a@other.example") == (422, "Domain not verified")


def test_webhooks_tell_what_came_of_a_verification(client: PostStack, emu: EmulatorSession) -> None:
    received: list[bytes] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        received.append(body)
        return 204

    emu.on_webhook(receive, events=["domain.verified", "domain.failed"])

    good, _ = verified(client, emu), verified(client, emu, "shop.invalid")
    client.domains.verify(good)
    emu.clock.advance(1)

    assert [(b'"domain.verified"' in body, b'"domain.failed"' in body) for body in received] == [
        (True, False),
        (False, True),
    ]
    assert b'"name":"shop.example"' in received[0]


def test_the_domain_says_what_is_tracked_when_the_email_does_not(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    client.domains.update(domain, {"open_tracking": True})

    send(client)
    send(client, tracking={"opens": False, "clicks": True})
    send(client, "a@other.example")

    tracked = [(email.message.track_opens, email.message.track_clicks) for email in emu.emulator.store.accepted()]
    assert tracked == [(True, False), (False, True), (None, None)]


def test_a_new_dkim_key_signs_once_its_record_has_spread(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    started = (client.domains.start_dkim_rotation(domain))["rotation"]
    emu.clock.advance(1)
    seen = [record["purpose"] for record in records(client, domain) if record["verified"]]
    early = refusal(client.domains.activate_dkim_rotation, domain)
    emu.clock.advance(3_600)
    changed = {record["name"] for record in records(client, domain)}
    again = refusal(client.domains.start_dkim_rotation, domain)
    emu.clock.advance(7 * 86_400)
    over = (client.domains.start_dkim_rotation(domain))["rotation"]

    assert (started["state"], started["activeSelector"]) == ("pending_dns", "poststack")
    assert started["pendingRecordName"] == "poststack2._domainkey.shop.example"
    assert (started["pendingRecordValue"] or "").endswith(started["pendingPublicKey"] or "nothing")
    assert "dkim_rotation" in seen
    assert early == (409, "The new key's record has not spread yet. Wait until activatesAfter, or force it.")
    assert {"poststack._domainkey.shop.example", "poststack2._domainkey.shop.example"} <= changed
    assert again[0] == 409
    assert (over["activeSelector"], over["pendingSelector"]) == ("poststack2", "poststack3")


def test_force_does_without_the_wait_but_not_without_the_record(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    emu.set_dns(domain, unpublished=["dkim_rotation"])
    client.domains.start_dkim_rotation(domain)
    emu.clock.advance(86_400)
    missing = refusal(client.domains.activate_dkim_rotation, domain, force=True)
    emu.set_dns(domain, readable=False)
    unreadable = refusal(client.domains.activate_dkim_rotation, domain, force=True)
    emu.set_dns(domain)
    activated = (client.domains.activate_dkim_rotation(domain, force=True))["rotation"]
    late = refusal(client.domains.cancel_dkim_rotation, domain)

    assert missing == (409, "The DNS does not have the new key's record yet. Publish pendingRecordName first.")
    assert unreadable[0] == 503
    assert (activated["state"], activated["activeSelector"]) == ("retiring", "poststack2")
    assert (activated["retiredSelector"], activated["pendingSelector"]) == ("poststack", None)
    assert late[0] == 409


def test_a_rotation_can_be_cancelled_before_the_new_key_signs(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    nothing = refusal(client.domains.cancel_dkim_rotation, domain)
    client.domains.start_dkim_rotation(domain)
    emu.clock.advance(1)

    cancelled = (client.domains.cancel_dkim_rotation(domain))["rotation"]
    emu.clock.advance(86_400)
    kept = records(client, domain)

    assert nothing[0] == 409
    assert (cancelled["state"], cancelled["activeSelector"]) == ("idle", "poststack")
    assert cancelled["pendingSelector"] is None
    assert "dkim_rotation" not in {record["purpose"] for record in kept}
    assert (refusal(client.domains.activate_dkim_rotation, domain))[0] == 409


def test_a_record_that_is_gone_again_holds_up_the_new_key(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    client.domains.start_dkim_rotation(domain)
    emu.clock.advance(1)
    emu.set_dns(domain, unpublished=["dkim_rotation"])
    emu.clock.advance(86_400)
    held_up = records(client, domain)
    emu.set_dns(domain)
    emu.clock.advance(1 + 3_600)
    changed = records(client, domain)

    assert [record["name"] for record in held_up if record["purpose"] == "dkim"] == [
        "poststack._domainkey.shop.example"
    ]
    assert [record["name"] for record in changed if record["purpose"] == "dkim"] == [
        "poststack2._domainkey.shop.example"
    ]


def test_an_unverified_domain_has_no_key_to_change(client: PostStack) -> None:
    domain = added(client)

    assert refusal(client.domains.start_dkim_rotation, domain) == (422, "Domain not verified")


@pytest.mark.parametrize("missing", ["spf", "dkim", "dmarc", "return_path"])
def test_a_domain_fails_without_one_of_its_records(client: PostStack, emu: EmulatorSession, missing: Any) -> None:
    domain = verified(client, emu)
    emu.set_dns(domain, unpublished=[missing])
    client.domains.verify(domain)
    emu.clock.advance(1)
    failed = (client.domains.get(domain))["domain"]
    refused = refusal(send, client)
    emu.set_dns(domain)
    client.domains.verify(domain)
    emu.clock.advance(1)
    send(client)

    assert failed["status"] == "failed"
    assert [record["purpose"] for record in failed["dnsRecords"] if not record["verified"]] == [missing]
    assert refused == (422, "Domain not verified")
    assert len(emu.sent) == 1


def test_a_dns_that_cannot_be_read_decides_nothing(client: PostStack, emu: EmulatorSession) -> None:
    domain = added(client)
    emu.set_dns(domain, readable=False)
    client.domains.verify(domain)
    emu.clock.advance(60)

    assert (client.domains.get(domain))["domain"]["status"] == "pending"


def test_the_dns_of_an_unknown_domain_cannot_be_changed(emu: EmulatorSession) -> None:
    with pytest.raises(KeyError):
        emu.set_dns(7)


def test_nobody_reports_to_an_emulator(client: PostStack) -> None:
    domain = added(client)

    reports = client.domains.get_dmarc_reports(domain, {"per_page": 5, "page": 2})

    assert reports["reports"] == []
    assert reports["pagination"] == {"page": 2, "perPage": 5, "total": 0, "totalPages": 0}
    assert not {report["id"] for report in client.domains.iterate_dmarc_reports(domain)}
    assert (client.domains.get_dmarc_stats(domain, 7))["totals"]["totalMessages"] == 0
    assert (client.domains.get_dmarc_sources(domain))["sources"] == []


def test_placement_counts_what_became_of_the_emails(client: PostStack, emu: EmulatorSession) -> None:
    domain = verified(client, emu)
    for to in ("ada@gmail.com", "bounce@gmail.com", "complain@example.com", "defer@yahoo.com", "fail@example.com"):
        send(client, to=[to])
    send(client, "a@other.example", to=["bounce@other.example"])
    send(client, scheduled_at="2026-02-01")
    emu.clock.advance(2)

    placement = client.domains.get_inbox_placement(domain)
    emu.clock.advance(8 * 86_400)
    later = client.domains.get_inbox_placement(domain, 7)

    assert placement["totals"] == {
        "sent": 5,
        "accepted": 2,
        "deferred": 1,
        "bounced": 1,
        "complained": 1,
        "acceptanceRate": 0.4,
        "complaintRate": 0.5,
        "avgSpamScore": 0.0,
    }
    assert {entry["provider"]: (entry["sent"], entry["accepted"]) for entry in placement["providers"]} == {
        "gmail": (2, 1),
        "other": (2, 1),
        "yahoo": (1, 0),
    }
    assert [(signal["bucket"], signal["provider"]) for signal in placement.get("senderSignals", [])] == [
        ("throttled", "yahoo")
    ]
    assert [(signal["bucket"], signal["messages"]) for signal in placement.get("recipientSignals", [])] == [
        ("recipient", 1)
    ]
    assert placement.get("windowDays") == 30
    assert later["totals"]["sent"] == 0
    assert later["totals"]["acceptanceRate"] is None


@pytest.mark.parametrize(
    ("reason", "bucket", "ownership"),
    [
        ("550 5.7.26 SPF and DKIM did not pass", "authentication", "sender"),
        ("550 5.7.1 Not wanted here", "policy", "sender"),
        ("554 5.6.0 Content refused", "content", "sender"),
        ("552 5.2.2 Over quota", "recipient", "recipient"),
        ("no", "unknown", "unknown"),
        ({"not": "a text"}, "unknown", "unknown"),
    ],
)
def test_signals_are_told_apart_by_what_the_server_answered(
    client: PostStack, emu: EmulatorSession, reason: Any, bucket: str, ownership: str
) -> None:
    domain = verified(client, emu)
    send(client)
    emu.simulate(emu.sent[0].id, "soft_bounced", metadata={"reason": reason})

    placement = client.domains.get_inbox_placement(domain)

    [signal] = [*placement.get("senderSignals", []), *placement.get("recipientSignals", [])]
    assert (signal["bucket"], signal["ownership"]) == (bucket, ownership)


def test_dedicated_addresses_are_not_simulated(client: PostStack) -> None:
    domain = added(client)

    assert (refusal(client.domains.assign_ip, domain, 1))[0] == 501
    assert (refusal(client.domains.unassign_ip, domain))[0] == 501
