"""API keys: what each may do, for how long, and that nobody can read it again."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession, Settings, emulator
from poststack.types import NewApiKey
from tests.client.workflow_graphs import chain, mail, node
from tests.conforming import checked

pytestmark = pytest.mark.anyio


async def made(client: AsyncPostStack, **fields: Any) -> NewApiKey:
    content: Any = {"name": "worker", "permission": "sending_access", "mode": "test", **fields}
    return await client.api_keys.create(content)


def using(emu: EmulatorSession, key: NewApiKey) -> AsyncPostStack:
    return checked(emu.async_client(api_key=key["key"], max_retries=0))


async def verified(client: AsyncPostStack, emu: EmulatorSession, name: str) -> int:
    domain = (await client.domains.create({"name": name}))["domain"]["id"]
    await client.domains.verify(domain)
    emu.clock.advance(1)
    return domain


async def send(client: AsyncPostStack, sender: str = "a@shop.example", **fields: Any) -> str:
    email: Any = {"from": sender, "to": ["b@example.com"], "subject": "s", "text": "t", **fields}
    return (await client.emails.send(email))["id"]


async def refusal(method: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        await method(*arguments, **options)
    return caught.value.status_code, caught.value.error


async def answered(method: Any, *arguments: Any) -> int:
    try:
        await method(*arguments)
    except PostStackError as error:
        return error.status_code
    return 200


async def test_a_key_is_shown_once(client: AsyncPostStack) -> None:
    key = await made(client)

    found = await client.api_keys.get(key["id"])

    assert key["key"].startswith(found.get("keyPrefix", "nothing"))
    assert len(key["key"]) - len(found.get("keyPrefix", "")) >= 24
    assert found == {name: value for name, value in key.items() if name != "key"}
    assert (await client.api_keys.list())["keys"] == [found]


async def test_a_sending_key_sends_and_sees_what_became_of_it(client: AsyncPostStack, emu: EmulatorSession) -> None:
    sender = using(emu, await made(client))

    email = await send(sender)
    batch: Any = {"emails": [{"from": "a@b.example", "to": ["b@example.com"], "subject": "s", "text": "t"}]}
    await sender.emails.batch(batch)
    emu.clock.advance(1)

    assert (await sender.emails.get(email))["email"]["status"] == "delivered"
    assert (await sender.emails.get_events(email))["events"][0]["eventType"] == "queued"
    assert len(emu.sent) == 2


async def test_a_sending_key_does_nothing_else(client: AsyncPostStack, emu: EmulatorSession) -> None:
    key = await made(client)
    sender = using(emu, key)
    refused = (403, "API key does not have permission")

    assert await refusal(sender.emails.list) == refused
    assert await refusal(sender.domains.list) == refused
    assert await refusal(sender.api_keys.rotate, key["id"]) == refused
    assert await refusal(sender.suppressions.add, {"email": "a@example.com", "reason": "manual"}) == refused
    assert await refusal(made, sender) == refused


async def test_a_full_access_key_does_everything(client: AsyncPostStack, emu: EmulatorSession) -> None:
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True))

    assert len((await admin.api_keys.list())["keys"]) == 1


@pytest.mark.parametrize("said", [{}, {"allow_full_access": False}, {"allow_full_access": None}])
async def test_a_key_makes_one_with_full_access_only_when_told_to(client: AsyncPostStack, said: dict[str, Any]) -> None:
    status, error = await refusal(made, client, permission="full_access", **said)

    assert (status, "allow_full_access" in error) == (403, True)
    assert (await client.api_keys.list())["keys"] == []


async def test_a_revoked_key_is_refused_though_any_test_key_is_accepted(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    key = await made(client)
    await client.api_keys.revoke(key["id"])

    assert (await refusal(send, using(emu, key)))[0] == 401
    assert await refusal(client.api_keys.get, key["id"]) == (404, "API key not found")


async def test_a_replaced_key_is_refused_at_once_and_the_new_one_accepted(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    key = await made(client)
    await send(using(emu, key))

    new = await client.api_keys.rotate(key["id"])

    assert (await refusal(send, using(emu, key)))[0] == 401
    await send(using(emu, new))
    assert (new["id"], new.get("permission")) == (key["id"], "sending_access")
    assert new.get("keyPrefix") != key.get("keyPrefix")
    assert new.get("lastUsedAt") is None


@pytest.mark.parametrize("reference", ["publicId", "id"])
async def test_a_key_for_a_domain_sends_from_there_only(
    client: AsyncPostStack, emu: EmulatorSession, reference: str
) -> None:
    number = await verified(client, emu, "shop.example")
    await verified(client, emu, "other.example")
    domain: dict[str, Any] = {**(await client.domains.get(number))["domain"]}
    key = await made(client, domain_id=str(domain[reference]))
    sender = using(emu, key)

    await send(sender, "Shop <a+orders@SHOP.example>")

    assert key.get("domainId") == number
    for elsewhere in ("a@other.example", "a@unknown.example", "a@mail.shop.example", "shop.example@other.example"):
        assert await refusal(send, sender, elsewhere) == (
            403,
            "API key does not have permission to send from this domain",
        )
    assert len(emu.sent) == 1


async def test_a_key_for_a_domain_fails_the_other_elements_of_a_batch_alone(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    sender = using(emu, await made(client, domain_id=str(number)))
    batch: Any = {
        "emails": [
            {"from": f"a@{name}", "to": ["b@example.com"], "subject": "s", "text": "t"}
            for name in ("other.example", "shop.example")
        ]
    }

    answer = await sender.emails.batch(batch)

    assert answer["data"][0] == {"error": "API key does not have permission to send from this domain"}
    assert "id" in answer["data"][1]


async def test_a_key_for_a_domain_previews_from_there_only_and_makes_no_key_for_others(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))
    preview: Any = {"from": "a@other.example", "to": ["b@example.com"], "subject": "s", "text": "t"}

    assert (await refusal(admin.emails.preview, preview))[0] == 403
    assert (await refusal(admin.emails.spam_preview, preview))[0] == 403
    assert (await refusal(made, admin))[0] == 403
    assert (await made(admin, domain_id=str(number))).get("domainId") == number


async def test_a_key_for_a_domain_reaches_no_other_key(client: AsyncPostStack, emu: EmulatorSession) -> None:
    number = await verified(client, emu, "shop.example")
    other = await verified(client, emu, "other.example")
    own = await made(client, permission="full_access", allow_full_access=True, domain_id=str(number))
    admin = using(emu, own)
    beyond = [
        await made(client),
        await made(client, permission="full_access", allow_full_access=True),
        await made(client, domain_id=str(other)),
    ]
    beside = await made(client, domain_id=str(number))

    for key in beyond:
        for method in (admin.api_keys.get, admin.api_keys.rotate, admin.api_keys.revoke):
            assert (await refusal(method, key["id"]))[0] == 403
        await using(emu, key).emails.get(await send(client))
    assert [key["id"] for key in (await admin.api_keys.list())["keys"]] == [own["id"], beside["id"]]
    assert (await admin.api_keys.rotate(beside["id"])).get("domainId") == number
    await admin.api_keys.revoke(beside["id"])
    assert len((await client.api_keys.list())["keys"]) == 4


async def test_a_key_for_a_domain_changes_no_other_domain(client: AsyncPostStack, emu: EmulatorSession) -> None:
    number = await verified(client, emu, "shop.example")
    other = await verified(client, emu, "other.example")
    before = (await client.domains.get(other))["domain"]
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))

    for method in (
        admin.domains.verify,
        admin.domains.delete,
        admin.domains.start_dkim_rotation,
        admin.domains.activate_dkim_rotation,
        admin.domains.cancel_dkim_rotation,
    ):
        assert (await refusal(method, other))[0] == 403
    assert (await refusal(admin.domains.update, other, {"open_tracking": True}))[0] == 403
    assert (await refusal(admin.domains.create, {"name": "new.example"}))[0] == 403

    assert (await admin.domains.get(other))["domain"] == before
    assert len((await client.domains.list())["domains"]) == 2
    await admin.domains.update(number, {"open_tracking": True})
    await admin.domains.start_dkim_rotation(number)
    await admin.domains.delete(number)


async def test_a_key_for_a_domain_moves_and_cancels_no_email_of_another(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))
    foreign = await send(client, "a@other.example", scheduled_at="2100-01-01T00:00:00Z")
    own = await send(client, "a@shop.example", scheduled_at="2100-01-01T00:00:00Z")

    assert (await refusal(admin.emails.cancel, foreign))[0] == 403
    assert (await refusal(admin.emails.reschedule, foreign, "2100-01-02T00:00:00Z"))[0] == 403
    await admin.emails.reschedule(own, "2100-01-02T00:00:00Z")
    await admin.emails.cancel(own)

    assert [(await client.emails.get(email))["email"]["status"] for email in (foreign, own)] == ["queued", "failed"]


@pytest.mark.parametrize("named", [True, False], ids=["from of the step", "workflow sender"])
async def test_a_key_for_a_domain_begins_no_workflow_that_sends_from_another(named: bool) -> None:
    with emulator(Settings(workflow_sender=None if named else "a@other.example")) as emu:
        client = checked(emu.async_client())
        number = await verified(client, emu, "shop.example")
        admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))
        contact = (await client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
        sender = {"from": "a@other.example"} if named else {}
        step = node("hello", "send_email", subject="Hi", text="Hello", **sender)
        own = chain(mail("hello", **{"from": "a@shop.example"}))
        triggers: Any = (("manual", {}), ("custom", {"event": "e"}))
        workflows: list[str] = []
        for graph in (chain(step), own):
            for kind, config in triggers:
                fields: Any = {"name": "w", "trigger_type": kind, "trigger_config": config}
                workflows.append((await client.workflows.create(fields))["workflow"]["publicId"])
                await client.workflows.put_graph(workflows[-1], graph)
                await client.workflows.activate(workflows[-1])

        assert await refusal(admin.workflows.trigger, workflows[0], {"contact_id": contact}) == (
            403,
            "API key does not have permission to send from this domain",
        )
        assert (await admin.workflows.post_event({"event": "e", "contact_id": contact}))["matched"] == 1
        await admin.workflows.trigger(workflows[2], {"contact_id": contact})
        emu.clock.advance(1)
        assert [email.from_ for email in emu.sent] == ["a@shop.example", "a@shop.example"]
        assert (await client.workflows.post_event({"event": "e", "contact_id": contact}))["matched"] == 2


async def test_a_key_for_a_domain_answers_and_broadcasts_from_there_only(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))
    await client.domains.update(number, {"inbound_enabled": True})
    mail = emu.receive(from_="ada@example.com", to="help@shop.example", subject="Help", text="Please")
    segment = (await admin.segments.create({"name": "All"}))["segment"]["publicId"]

    forward: Any = {"to": ["b@example.com"]}
    draft: Any = {"segment_id": segment, "subject": "s", "text": "t"}
    for sender, status in (("a@other.example", 403), ("a@shop.example", 200)):
        assert await answered(admin.inbound_emails.reply, mail, {"from": sender, "text": "Yes"}) == status
        assert await answered(admin.inbound_emails.forward, mail, {"from": sender, **forward}) == status
        assert await answered(admin.broadcasts.create, {"from": sender, **draft}) == status

    assert {email.from_ for email in emu.sent} == {"a@shop.example"}


async def test_a_key_for_a_domain_does_not_send_a_broadcast_of_another(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    admin = using(emu, await made(client, permission="full_access", allow_full_access=True, domain_id=str(number)))
    contact = (await client.contacts.create({"email": "ada@example.com"}))["contact"]["publicId"]
    segment = (await client.segments.create({"name": "All"}))["segment"]["publicId"]
    await client.segments.add_contacts(segment, {"contact_ids": [contact]})
    draft: Any = {"segment_id": segment, "from": "a@other.example", "subject": "s", "text": "t"}
    broadcast = (await client.broadcasts.create(draft))["broadcast"]["publicId"]

    assert await answered(admin.broadcasts.send, broadcast) == 403
    assert await answered(admin.broadcasts.send_test, broadcast, {"email": "b@example.com"}) == 403
    emu.clock.advance(60)
    assert emu.sent == []


async def test_a_key_for_a_domain_is_not_told_of_another_domains_email(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    number = await verified(client, emu, "shop.example")
    await send(client, "a@other.example", idempotency_key="k")
    sender = using(emu, await made(client, domain_id=str(number)))

    assert (await refusal(send, sender, "a@other.example", idempotency_key="k"))[0] == 403
    assert (await refusal(send, sender, idempotency_key="k"))[0] == 422


async def test_a_key_for_a_deleted_domain_sends_nothing(client: AsyncPostStack, emu: EmulatorSession) -> None:
    number = await verified(client, emu, "shop.example")
    sender = using(emu, await made(client, domain_id=str(number)))
    await client.domains.delete(number)
    await verified(client, emu, "shop.example")

    assert (await refusal(send, sender))[0] == 403


async def test_the_mode_of_a_key_is_the_mode_of_its_emails(client: AsyncPostStack, emu: EmulatorSession) -> None:
    live, test = await client.api_keys.create({"name": "l", "permission": "sending_access"}), await made(client)

    first, second = await send(using(emu, live), idempotency_key="k"), await send(using(emu, test), idempotency_key="k")

    assert (live["key"][:8], live.get("mode"), test["key"][:8]) == ("sk_live_", "live", "sk_test_")
    assert not (await client.emails.get(first))["email"]["testMode"]
    assert (await client.emails.get(second))["email"]["testMode"]


async def test_the_last_use_of_a_key_is_known(client: AsyncPostStack, emu: EmulatorSession) -> None:
    key = await made(client)
    sender = using(emu, key)
    await send(sender)
    emu.clock.advance(60)
    await send(sender)

    assert (await client.api_keys.get(key["id"])).get("lastUsedAt") == "2026-01-01T00:01:00.000Z"


async def test_made_keys_are_accepted_beside_those_of_the_settings() -> None:
    with emulator(Settings(api_keys=("sk_live_boss",))) as emu:
        client = checked(emu.async_client())
        key = await made(client)
        await send(using(emu, key))
        mine = await send(client)

        assert not (await client.emails.get(mine))["email"]["testMode"]
        assert (await refusal(emu.async_client(api_key="sk_test_other").emails.list))[0] == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": ""}, 400),
        ({"name": "a" * 201}, 422),
        ({"name": "a\nb"}, 422),
        ({"permission": "everything"}, 422),
        ({"permission": None}, 400),
        ({"mode": "wild"}, 422),
        ({"mode": 1}, 400),
        ({"domain_id": "dom_unknown"}, 404),
        ({"domain_id": "7"}, 404),
        ({"domain_id": 7}, 400),
        ({"allow_full_access": "yes"}, 400),
    ],
)
async def test_bad_fields_of_a_new_key_are_refused(client: AsyncPostStack, fields: dict[str, Any], status: int) -> None:
    assert (await refusal(made, client, **fields))[0] == status
    assert (await client.api_keys.list())["keys"] == []


async def test_unknown_keys_are_not_found(client: AsyncPostStack) -> None:
    for method in (client.api_keys.get, client.api_keys.revoke, client.api_keys.rotate):
        assert await refusal(method, 7) == (404, "API key not found")
