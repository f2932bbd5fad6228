"""Mailboxes: addresses, what comes in and where it goes, what is signed, and who else may look."""

from __future__ import annotations

from typing import Any, cast

import pytest

from poststack import AsyncPostStack, PostStackError, attachments
from poststack.testing import EmulatorSession
from poststack.types import CreateMailbox, SetMailboxFilter

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"


async def added_domain(client: AsyncPostStack, emu: EmulatorSession, name: str = "shop.test") -> int:
    domain = (await client.domains.create({"name": name}))["domain"]["id"]
    await client.domains.update(domain, {"inbound_enabled": True})
    await client.domains.verify(domain)
    emu.clock.advance(1)
    return domain


async def made(client: AsyncPostStack, domain: int, name: str = "support", **update: Any) -> str:
    created = await client.mailboxes.create({"domainId": domain, "localPart": name, "password": PASSWORD})
    mailbox = created["mailbox"]["publicId"]
    if update:
        changes: Any = update
        await client.mailboxes.update(mailbox, changes)
    return mailbox


async def refusal(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        await method(*arguments)
    return caught.value.status_code, caught.value.error


def received(emu: EmulatorSession, to: str = "support@shop.test", **changes: Any) -> int:
    mail: dict[str, Any] = {"from_": "Ada <ada@customer.test>", "subject": "Where is it?", "text": "Hello", **changes}
    return emu.receive(to=to, **mail)


def rule(**changes: Any) -> SetMailboxFilter:
    content: SetMailboxFilter = {
        "name": "r",
        "field": "from",
        "operator": "contains",
        "value": "customer",
        "action": "discard",
    }
    return cast("SetMailboxFilter", {**content, **changes})


async def unread(client: AsyncPostStack) -> list[int | None]:
    return [item["inboxUnread"] for item in (await client.mailboxes.unread_summary())["items"]]


async def test_a_mailbox_is_made_on_a_domain(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = (await client.domains.create({"name": "shop.test"}))["domain"]
    plain = await client.mailboxes.create({"domainId": domain["id"], "localPart": "Info", "password": PASSWORD})
    given: CreateMailbox = {"domainId": domain.get("publicId", ""), "localPart": "b", "password": PASSWORD}
    other = await client.mailboxes.create(
        {**given, "displayName": "Shop", "quotaBytes": 5_000, "webhookEnabled": False}
    )
    found = await client.mailboxes.get(plain["mailbox"]["publicId"])

    assert found == plain
    assert found["mailbox"]["publicId"].startswith("mb_")
    assert found["mailbox"]["emailAddress"] == "info@shop.test"
    assert (found["mailbox"]["status"], found["mailbox"]["forwardMode"], found["mailbox"]["forwardKeepCopy"]) == (
        *("active", "relay"),
        True,
    )
    shown = other["mailbox"]
    assert (shown["displayName"], shown["quotaBytes"], shown["webhookEnabled"]) == ("Shop", 5_000, False)


async def test_what_a_mailbox_cannot_be_is_refused(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    mailbox = await made(client, domain)
    await client.mailboxes.create_alias({"domainId": domain, "localPart": "help", "destinationMailboxId": mailbox})
    good: dict[str, Any] = {"domainId": domain, "localPart": "new", "password": PASSWORD}
    statuses = [
        (await refusal(client.mailboxes.create, {**good, **change}))[0]
        for change in (
            {"domainId": 99},
            {"domainId": "dom_unknown"},
            {"domainId": True},
            {"localPart": "SUPPORT"},
            {"localPart": "help"},
            {"localPart": "a+b"},
            {"localPart": "a b"},
            {"localPart": ""},
            {"password": "short"},
            {"password": "x" * 129},
            {"password": "correct\nhorse"},
            {"quotaBytes": 0},
            {"quotaBytes": "1"},
        )
    ]

    assert statuses == [404, 404, 400, 409, 409, 422, 422, 400, 422, 422, 422, 422, 400]
    assert len((await client.mailboxes.list())["data"]) == 1


async def test_lists_come_in_pages_and_of_one_domain(client: AsyncPostStack, emu: EmulatorSession) -> None:
    shop, other = await added_domain(client, emu), await added_domain(client, emu, "other.test")
    ids = [await made(client, domain, name) for domain, name in ((shop, "a"), (shop, "b"), (other, "a"))]
    of_shop = await client.mailboxes.list({"domain_id": shop, "per_page": 1})
    of_nobody = await client.mailboxes.list({"domain_id": "dom_unknown"})

    assert [mailbox["publicId"] async for mailbox in client.mailboxes.iterate({"per_page": 2})] == ids
    assert (of_shop["data"][0]["publicId"], of_shop["meta"]["total"]) == (ids[0], 2)
    assert of_nobody["data"] == []


async def test_what_is_not_there_is_404(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailboxes, known = client.mailboxes, await made(client, await added_domain(client, emu))
    calls: list[tuple[Any, ...]] = [
        (mailboxes.get, "mb_no"),
        (mailboxes.update, "mb_no", {}),
        (mailboxes.delete, "mb_no"),
        (mailboxes.change_password, "mb_no", PASSWORD),
        (mailboxes.create_alias, {"domainId": 1, "localPart": "a", "destinationMailboxId": "mb_no"}),
        (mailboxes.create_alias, {"domainId": 9, "localPart": "a", "destinationMailboxId": known}),
        (mailboxes.delete_alias, 9),
        (mailboxes.list_filters, "mb_no"),
        (mailboxes.set_filters, "mb_no", []),
        (mailboxes.get_signature, "mb_no"),
        (mailboxes.set_signature, "mb_no", {}),
        (mailboxes.list_shares, "mb_no"),
        (mailboxes.grant_share, known, "mb_no"),
        (mailboxes.revoke_share, known, known),
    ]

    assert [(await refusal(*call))[0] for call in calls] == [404] * len(calls)


async def test_an_update_changes_what_is_given(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu), displayName="A", forwardTo="a@b.test , c@d.test")
    emu.clock.advance(5)
    changed = (await client.mailboxes.update(mailbox, {"displayName": None, "status": "suspended"}))["mailbox"]
    cleared = (await client.mailboxes.update(mailbox, {"forwardTo": ""}))["mailbox"]

    assert (changed["displayName"], changed["status"], changed["forwardTo"]) == (None, "suspended", "a@b.test,c@d.test")
    assert changed["updatedAt"] > changed["createdAt"]
    assert cleared["forwardTo"] is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "deleted"}, 422),
        ({"forwardTo": ",".join(f"a{n}@b.test" for n in range(11))}, 422),
        ({"forwardTo": "a@b.test,,c@d.test"}, 422),
        ({"forwardTo": "Ada <a@b.test>"}, 422),
        ({"forwardTo": "support+x@SHOP.test"}, 422),
        ({"forwardTo": ["a@b.test"]}, 400),
        ({"forwardMode": "copy"}, 422),
        ({"forwardKeepCopy": None}, 400),
        ({"quotaBytes": None}, 400),
        ({"signatureText": "x" * 20_001}, 422),
    ],
)
async def test_an_update_that_makes_no_sense_is_refused(
    client: AsyncPostStack, emu: EmulatorSession, change: Any, status: int
) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    before = await client.mailboxes.get(mailbox)

    assert (await refusal(client.mailboxes.update, mailbox, {"displayName": "New", **change}))[0] == status
    assert await client.mailboxes.get(mailbox) == before


async def test_mail_for_a_mailbox_its_alias_and_a_suffix_is_unread_there(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    domain = await added_domain(client, emu)
    mailbox = await made(client, domain)
    await made(client, domain, "other")
    alias = await client.mailboxes.create_alias(
        {"domainId": domain, "localPart": "Help", "destinationMailboxId": mailbox}
    )
    for address in ("Support@shop.test", "help@shop.test", "support+order-7@shop.test", "nobody@shop.test"):
        received(emu, address)
    emu.emulator.set_inbound_unread(1, False)

    assert alias["alias"]["aliasAddress"] == "help@shop.test"
    assert await unread(client) == [2, 0]
    assert [message.unread for message in emu.mailbox("help@shop.test")] == [False, True, True]
    with pytest.raises(KeyError):
        emu.mailbox("nobody@shop.test")


async def test_a_mail_to_both_addresses_of_a_mailbox_comes_in_once(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    domain = await added_domain(client, emu)
    mailbox = await made(client, domain, forwardTo="a@b.test")
    await client.mailboxes.create_alias({"domainId": domain, "localPart": "help", "destinationMailboxId": mailbox})
    emu.receive(from_="a@c.test", to=["support@shop.test", "help@shop.test"], subject="s", text="t")

    assert (await unread(client), len(emu.sent)) == ([1], 1)


async def test_aliases_are_listed_and_deleted(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    mailbox = await made(client, domain)
    for name in ("a", "b"):
        await client.mailboxes.create_alias({"domainId": domain, "localPart": name, "destinationMailboxId": mailbox})
    first = (await client.mailboxes.list_aliases({"per_page": 1}))["data"][0]
    taken = await refusal(
        client.mailboxes.create_alias, {"domainId": domain, "localPart": "a", "destinationMailboxId": mailbox}
    )
    await client.mailboxes.delete_alias(first["id"])

    assert taken[0] == 409
    assert [alias["aliasAddress"] async for alias in client.mailboxes.iterate_aliases()] == ["b@shop.test"]


async def test_filters_are_replaced_and_keep_their_order(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    await client.mailboxes.set_filters(mailbox, [rule(name="old")])
    stored = await client.mailboxes.set_filters(
        mailbox,
        [rule(name="x", action="fileinto", actionArg="Orders"), rule(name="y", action="stop", enabled=False)],
    )
    rules = stored["rules"]

    assert await client.mailboxes.list_filters(mailbox) == stored
    assert [(rule["name"], rule["position"], rule["enabled"]) for rule in rules] == [("x", 0, True), ("y", 1, False)]
    assert len({rule["publicId"] for rule in rules}) == 2
    assert (await client.mailboxes.set_filters(mailbox, []))["rules"] == []


@pytest.mark.parametrize(
    "rules",
    [
        [rule()] * 51,
        [rule(field="body")],
        [rule(operator="matches")],
        [rule(action="delete")],
        [rule(action="fileinto")],
        [rule(action="addflag", actionArg="")],
        [rule(name="a\nb")],
        [rule(value="x" * 1_001)],
    ],
)
async def test_filters_that_mean_nothing_are_refused_together(
    client: AsyncPostStack, emu: EmulatorSession, rules: list[SetMailboxFilter]
) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    await client.mailboxes.set_filters(mailbox, [rule(name="kept")])

    assert (await refusal(client.mailboxes.set_filters, mailbox, [rule(), *rules]))[0] == 422
    assert [kept["name"] for kept in (await client.mailboxes.list_filters(mailbox))["rules"]] == ["kept"]


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"field": "from", "operator": "contains", "value": "CUSTOMER"}, True),
        ({"field": "from", "operator": "is", "value": "ada@customer.test"}, True),
        ({"field": "from", "operator": "is", "value": "Ada <ada@customer.test>"}, True),
        ({"field": "from", "operator": "is", "value": "customer"}, False),
        ({"field": "from", "operator": "not_contains", "value": "ada"}, False),
        ({"field": "subject", "operator": "is", "value": "where is IT?"}, True),
        ({"field": "subject", "operator": "is_not", "value": "where"}, True),
        ({"field": "to", "operator": "is", "value": "support@shop.test"}, True),
        ({"field": "cc", "operator": "contains", "value": "boss"}, True),
        ({"field": "cc", "operator": "is_not", "value": "boss@customer.test"}, False),
        ({"field": "to", "operator": "contains", "value": "boss"}, False),
        ({"field": "any_recipient", "operator": "contains", "value": "boss"}, True),
    ],
)
async def test_a_filter_looks_at_its_field(
    client: AsyncPostStack, emu: EmulatorSession, condition: Any, applies: bool
) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    await client.mailboxes.set_filters(mailbox, [rule(**condition)])
    received(emu, cc=["boss@customer.test"])

    assert await unread(client) == [0 if applies else 1]


async def test_filters_run_in_order_until_one_ends_it(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    await client.mailboxes.set_filters(
        mailbox,
        [
            rule(action="addflag", actionArg="$Customer"),
            rule(action="discard", enabled=False),
            rule(action="fileinto", actionArg="Orders"),
            rule(action="addflag", actionArg="\\Seen", field="subject", value="seen"),
            rule(action="stop", field="subject", value="stop"),
            rule(action="discard", field="subject", value="?"),
        ],
    )
    for subject in ("plain", "stop?", "seen", "gone?"):
        received(emu, subject=subject)
    found = [
        (message.subject, message.folder, message.flags, message.unread) for message in emu.mailbox("support@shop.test")
    ]

    assert found == [
        ("plain", "Orders", ("$Customer",), True),
        ("stop?", "Orders", ("$Customer",), True),
        ("seen", "Orders", ("$Customer", "\\Seen"), False),
    ]
    assert await unread(client) == [0]
    assert len((await client.inbound_emails.list())["data"]) == 4


@pytest.mark.parametrize("change", [{"status": "suspended"}, {"quotaBytes": 1}])
async def test_a_suspended_or_full_mailbox_takes_nothing(
    client: AsyncPostStack, emu: EmulatorSession, change: Any
) -> None:
    await made(client, await added_domain(client, emu), **change)
    number = received(emu)

    assert await unread(client) == [0]
    assert (await client.inbound_emails.get(number))["inboundEmail"]["toAddress"] == "support@shop.test"


async def test_mail_is_relayed_as_it_came(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    await made(client, domain, forwardTo="a@b.test,c@d.test", displayName="Shop", signatureText="The shop")
    received(emu, text="{{signature}}", html="<p>Hi</p>", attachments=[attachments.from_bytes(b"%PDF", "a.pdf")])
    emu.clock.advance(1)
    first, second = emu.sent

    assert (first.to, second.to) == (["a@b.test"], ["c@d.test"])
    assert (first.from_, first.reply_to) == ("Shop <support@shop.test>", ["Ada <ada@customer.test>"])
    assert (first.subject, first.text, first.html) == ("Where is it?", "{{signature}}", "<p>Hi</p>")
    assert [(file.filename, file.content) for file in first.attachments] == [("a.pdf", b"%PDF")]
    assert first.status == "delivered"
    assert await unread(client) == [1]


async def test_mail_is_wrapped_as_a_forward(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    await made(client, domain, forwardTo="a@b.test", forwardMode="wrapped", forwardKeepCopy=False)
    received(emu)
    [email] = emu.sent

    assert email.subject == "Fwd: Where is it?"
    assert email.text is not None
    assert "Forwarded message" in email.text
    assert "Hello" in email.text
    assert await unread(client) == [0]


async def test_mailboxes_that_forward_to_each_other_stop(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    await made(client, domain, "a", forwardTo="b@shop.test")
    await made(client, domain, "b", forwardTo="a@shop.test")
    received(emu, "a@shop.test")
    for address in ("b@shop.test", "a@shop.test", "b@shop.test"):
        received(emu, address, headers=emu.sent[-1].headers)

    assert [email.to for email in emu.sent] == [["b@shop.test"], ["a@shop.test"]]
    assert await unread(client) == [2, 2]


async def test_what_cannot_be_forwarded_stays(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await made(client, await added_domain(client, emu), forwardTo="bounce@b.test", forwardKeepCopy=False)
    received(emu)
    emu.clock.advance(1)
    received(emu)

    assert len(emu.sent) == 1
    assert await unread(client) == [1]


async def test_a_discarded_mail_is_not_forwarded(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu), forwardTo="a@b.test")
    await client.mailboxes.set_filters(mailbox, [rule()])
    received(emu)

    assert emu.sent == []


@pytest.mark.parametrize(("enabled", "told"), [(True, 1), (False, 0)])
async def test_webhooks_hear_of_mail_for_a_mailbox_unless_it_says_no(
    client: AsyncPostStack, emu: EmulatorSession, enabled: bool, told: int
) -> None:
    calls: list[bytes] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        calls.append(body)
        return 200

    emu.on_webhook(receive, events=["email.inbound"])
    await made(client, await added_domain(client, emu), webhookEnabled=enabled)
    received(emu)

    assert len(calls) == told


SIGNED: dict[str, Any] = {"signatureText": "Your shop", "signatureHtml": "<b>Your shop</b>"}


async def sent_bodies(client: AsyncPostStack, emu: EmulatorSession, **changes: Any) -> tuple[str | None, str | None]:
    email: Any = {"from": "Shop <support@shop.test>", "to": ["a@b.test"], "subject": "s", **changes}
    await client.emails.send(email)
    return emu.sent[-1].text, emu.sent[-1].html


@pytest.mark.parametrize(
    ("changes", "text", "html"),
    [
        ({"text": "Hi\n", "html": "<p>Hi</p>"}, "Hi\n\n-- \nYour shop", "<p>Hi</p>\n<b>Your shop</b>"),
        ({"html": "<body>Hi</body></html>"}, None, "<body>Hi\n<b>Your shop</b></body></html>"),
        ({"text": "A {{ signature }} B {{n}}", "variables": {"n": "1"}}, "A Your shop B 1", None),
        ({"text": "A {{signature}} B", "signature": "none"}, "A  B", None),
        ({"text": "A", "signature": "none"}, "A", None),
        ({"text": "A {{signature}}", "variables": {"signature": "Mine"}}, "A Mine", None),
        ({"text": "A", "from": "support+x@SHOP.test", "signature": "auto"}, "A\n\n-- \nYour shop", None),
        ({"text": "A", "from": "other@shop.test"}, "A", None),
    ],
)
async def test_what_a_mailbox_sends_is_signed(
    client: AsyncPostStack, emu: EmulatorSession, changes: Any, text: str | None, html: str | None
) -> None:
    await made(client, await added_domain(client, emu), **SIGNED)

    assert await sent_bodies(client, emu, **changes) == (text, html)


async def test_replies_are_signed_and_drafts_say_so(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    number = received(emu)
    before = await client.inbound_emails.draft_reply(number)
    await client.mailboxes.set_signature(mailbox, {"signatureText": "Your shop"})
    after = await client.inbound_emails.draft_reply(number)
    await client.inbound_emails.reply(number, {"from": "support@shop.test", "text": "Soon"})

    assert (before.get("signs_automatically"), after.get("signs_automatically")) == (False, True)
    assert emu.sent[-1].text == "Soon\n\n-- \nYour shop"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>A &amp; B</p>", "<p>A &amp; B</p>"),
        ("<script>alert(1)</script><style>p{}</style>Hi<!-- no -->", "Hi"),
        ('<a href="https://x.test" onclick="y">z</a>', '<a href="https://x.test">z</a>'),
        ('<a href=" java\nscript:alert(1)">z</a>', "<a>z</a>"),
        ("<<script></script>script>x", "&lt;script>x"),
        ("<script>only", None),
        ("", None),
    ],
)
async def test_signatures_are_kept_without_what_could_run(
    client: AsyncPostStack, emu: EmulatorSession, given: str, kept: str | None
) -> None:
    mailbox = await made(client, await added_domain(client, emu), signatureText="T")
    answer = await client.mailboxes.set_signature(mailbox, {"signatureHtml": given})

    assert answer == {"signatureHtml": kept, "signatureText": "T"}
    assert await client.mailboxes.get_signature(mailbox) == answer
    assert (await client.mailboxes.set_signature(mailbox, {"signatureText": None}))["signatureText"] is None


async def test_a_share_is_granted_once_and_revoked(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    one, two = await made(client, domain, "one"), await made(client, domain, "two")
    granted = (await client.mailboxes.grant_share(one, two))["share"]
    again = await refusal(client.mailboxes.grant_share, one, two, "admin")
    itself = await refusal(client.mailboxes.grant_share, one, one)
    unknown = await refusal(client.mailboxes.grant_share, two, one, "owner")
    [listed] = (await client.mailboxes.list_shares(one))["shares"]
    await client.mailboxes.revoke_share(one, two)

    assert (again[0], itself[0], unknown[0]) == (409, 422, 422)
    assert (granted["access"], granted["id"]) == ("read", listed["id"])
    assert listed["sharedWithEmail"] == "two@shop.test"
    assert (await client.mailboxes.list_shares(one))["shares"] == []


async def test_a_deleted_mailbox_leaves_nothing_but_its_mail(client: AsyncPostStack, emu: EmulatorSession) -> None:
    domain = await added_domain(client, emu)
    one, two = await made(client, domain, "one"), await made(client, domain, "two")
    await client.mailboxes.create_alias({"domainId": domain, "localPart": "a", "destinationMailboxId": one})
    await client.mailboxes.grant_share(two, one)
    number = received(emu, "one@shop.test")
    await client.mailboxes.delete(one)

    assert (await refusal(client.mailboxes.get, one))[0] == 404
    assert (await client.mailboxes.list_aliases())["data"] == []
    assert (await client.mailboxes.list_shares(two))["shares"] == []
    assert (await client.inbound_emails.get(number))["inboundEmail"]["id"] == number
    await made(client, domain, "a")


async def test_mailboxes_go_with_their_domain(client: AsyncPostStack, emu: EmulatorSession) -> None:
    shop, other = await added_domain(client, emu), await added_domain(client, emu, "other.test")
    await made(client, shop)
    kept = await made(client, other)
    await client.mailboxes.create_alias({"domainId": shop, "localPart": "x", "destinationMailboxId": kept})
    await client.domains.delete(shop)

    assert [mailbox["publicId"] for mailbox in (await client.mailboxes.list())["data"]] == [kept]
    assert (await client.mailboxes.list_aliases())["data"] == []


async def test_a_key_for_one_domain_changes_mailboxes_of_that_one_only(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    shop, other = await added_domain(client, emu), await added_domain(client, emu, "other.test")
    mailbox = await made(client, other)
    key = await client.api_keys.create(
        {"name": "k", "permission": "full_access", "allow_full_access": True, "domain_id": str(shop), "mode": "test"}
    )
    scoped = emu.async_client(api_key=key["key"])
    statuses = [
        (await refusal(*call))[0]
        for call in (
            (scoped.mailboxes.create, {"domainId": other, "localPart": "x", "password": PASSWORD}),
            (scoped.mailboxes.update, mailbox, {"forwardTo": "a@b.test"}),
            (scoped.mailboxes.change_password, mailbox, PASSWORD),
            (scoped.mailboxes.delete, mailbox),
        )
    ]
    await made(scoped, shop)

    assert statuses == [403, 403, 403, 403]


async def test_a_new_password_takes_the_place_of_the_old_one(client: AsyncPostStack, emu: EmulatorSession) -> None:
    mailbox = await made(client, await added_domain(client, emu))
    first = emu.emulator.store.mailboxes.all()[0].password
    await client.mailboxes.change_password(mailbox, "battery staple")
    second = emu.emulator.store.mailboxes.all()[0].password

    assert first != second
    assert PASSWORD not in first
    assert (await refusal(client.mailboxes.change_password, mailbox, "1234567"))[0] == 422
