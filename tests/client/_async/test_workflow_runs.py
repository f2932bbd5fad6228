"""Contacts on their way through workflows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from poststack import AsyncPostStack, PostStackError
from poststack.testing import EmulatorSession, RecordedRun, Settings, emulator
from tests.client.workflow_graphs import chain, edges, mail, node
from tests.conforming import checked

pytestmark = pytest.mark.anyio

DAY = 86_400


async def active(
    client: AsyncPostStack, graph: Any, trigger_type: Any = "manual", trigger_config: dict[str, Any] | None = None
) -> str:
    created = await client.workflows.create(
        {"name": "w", "trigger_type": trigger_type, "trigger_config": trigger_config or {}}
    )
    workflow = created["workflow"]["publicId"]
    await client.workflows.put_graph(workflow, graph)
    await client.workflows.activate(workflow)
    return workflow


async def contact_id(client: AsyncPostStack, email: str = "ada@example.com", **more: Any) -> str:
    contact: Any = {"email": email, **more}
    return (await client.contacts.create(contact))["contact"]["publicId"]


async def refused(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        await method(*arguments)
    return caught.value.status_code, caught.value.error


def only_run(emu: EmulatorSession) -> RecordedRun:
    [run] = emu.workflow_runs
    return run


def subjects(emu: EmulatorSession) -> list[str]:
    return [email.subject for email in emu.sent]


async def test_a_triggered_run_begins_at_the_trigger_and_moves_as_time_goes_on(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    workflow = await active(client, chain(mail("hello")))
    ada = await contact_id(client)

    run = (await client.workflows.trigger(workflow, {"contact_id": ada}))["run"]
    assert (run["status"], run["nodesVisited"], run["completedAt"]) == ("running", 0, None)
    assert run["currentNodeId"] is not None
    assert emu.sent == []
    emu.clock.advance(0)

    assert [(email.subject, email.to, email.test_mode) for email in emu.sent] == [("hello", ["ada@example.com"], True)]
    done = only_run(emu)
    assert (done.workflow_id, done.contact_id) == (workflow, ada)
    assert (done.status, done.path, done.email_ids) == ("completed", ["start", "hello"], [emu.sent[0].id])
    assert done.completed_at == done.started_at


async def test_what_a_workflow_sends_is_an_email_like_any_other(client: AsyncPostStack, emu: EmulatorSession) -> None:
    received: list[str] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        received.append(json.loads(body)["type"])
        return 204

    emu.on_webhook(receive, events=["email.sent", "email.bounced"])
    workflow = await active(client, chain(mail("hello", tags=["onboarding"])))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client, "bounce@example.com")})
    emu.clock.advance(1)

    assert received == ["email.sent", "email.bounced"]
    assert (await client.emails.list({"tag": "onboarding"}))["data"][0]["status"] == "bounced"


async def test_a_wait_lasts_as_long_as_it_says(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(
        client, chain(mail("first"), node("a", "wait", delay="3d"), mail("second"), node("b", "wait", delay="90s"))
    )
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})

    emu.clock.advance(3 * DAY - 1)
    assert subjects(emu) == ["first"]
    assert (only_run(emu).status, only_run(emu).path) == ("running", ["start", "first", "a"])
    emu.clock.advance(1)
    assert subjects(emu) == ["first", "second"]
    emu.clock.advance(90)
    assert only_run(emu).status == "completed"
    assert emu.sent[1].created_at - emu.sent[0].created_at == timedelta(days=3)


@pytest.mark.parametrize(
    ("delay", "seconds"), [("1s", 1), ("45m", 2_700), ("12h", 43_200), ("2w", 14 * DAY), ("365d", 365 * DAY)]
)
async def test_delays_have_units(client: AsyncPostStack, emu: EmulatorSession, delay: str, seconds: int) -> None:
    workflow = await active(client, chain(node("a", "wait", delay=delay)))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(seconds)
    done = only_run(emu)

    assert done.completed_at is not None
    assert done.completed_at - done.started_at == timedelta(seconds=seconds)


@pytest.mark.parametrize(("first_name", "subject"), [("Ada", "yes"), ("Grace", "no")])
async def test_a_condition_asks_the_contact(
    client: AsyncPostStack, emu: EmulatorSession, first_name: str, subject: str
) -> None:
    rules = {"operator": "and", "conditions": [{"field": "firstName", "comparator": "equals", "value": "ada"}]}
    graph: Any = {
        "nodes": [node("start", "trigger"), node("who", "condition", **rules), mail("yes"), mail("no")],
        "edges": edges(("start", "who"), ("who", "yes", "match"), ("who", "no", "no_match")),
    }
    workflow = await active(client, graph)
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client, first_name=first_name)})
    emu.clock.advance(0)

    assert subjects(emu) == [subject]


@pytest.mark.parametrize("opens", [True, False])
async def test_a_condition_sees_what_happened_during_a_wait(
    client: AsyncPostStack, emu: EmulatorSession, opens: bool
) -> None:
    rules = {"operator": "and", "conditions": [{"field": "emailsOpened", "comparator": "equals", "value": "0"}]}
    graph = chain(mail("first"), node("a", "wait", delay="1d"), node("unread", "condition", **rules))
    graph["nodes"].append(mail("reminder"))
    graph["edges"] += edges(("unread", "reminder", "match"))
    workflow = await active(client, graph)
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(10)
    if opens:
        emu.simulate(emu.sent[0].id, "opened")
    emu.clock.advance(DAY)

    assert subjects(emu) == (["first"] if opens else ["first", "reminder"])
    assert only_run(emu).status == "completed"


async def test_rules_that_mean_nothing_keep_a_workflow_from_being_activated(client: AsyncPostStack) -> None:
    rules = {"operator": "and", "conditions": [{"field": "properties.none", "comparator": "is_set"}]}

    status, error = await refused(active, client, chain(node("who", "condition", **rules)))

    assert status == 422
    assert "Node `who`: `rules.conditions[0].field` names a contact property that does not exist" in error


async def test_a_condition_whose_property_was_deleted_fails_the_run(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    tier = (await client.contact_properties.create({"name": "tier", "label": "Tier", "type": "text"}))["property"]
    rules = {"operator": "and", "conditions": [{"field": "properties.tier", "comparator": "is_set"}]}
    workflow = await active(client, chain(node("who", "condition", **rules)))
    await client.contact_properties.delete(tier["id"])
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(0)

    assert only_run(emu).status == "failed"
    assert "does not exist" in (only_run(emu).problem or "")


async def test_a_webhook_step_posts_the_contact_unsigned_to_where_it_says(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    calls: list[tuple[dict[str, Any], dict[str, str]]] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        calls.append((json.loads(body), headers))
        return 204 if len(calls) > 1 else 500

    emu.transport.receive("https://crm.test/hook", receive)
    workflow = await active(client, chain(node("tell", "webhook", url="https://crm.test/hook"), mail("after")))
    ada = await contact_id(client, first_name="Ada")
    await client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(14)
    assert len(calls) == 1
    assert (only_run(emu).status, subjects(emu)) == ("completed", ["after"])
    emu.clock.advance(DAY)

    [(first, headers), (second, _)] = calls
    assert first == second
    assert "x-poststack-signature" not in headers
    assert (first["type"], first["data"]["workflow_id"], first["data"]["node_id"]) == (
        "workflow.webhook",
        workflow,
        "tell",
    )
    assert (first["data"]["contact_id"], first["data"]["first_name"]) == (ada, "Ada")


async def test_fields_and_properties_of_the_contact_fill_in_a_template(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    await client.contact_properties.create({"name": "plan", "label": "Plan", "type": "text"})
    template = await client.templates.create(
        {"name": "t", "subject": "Hi {{first_name}}", "html": "<p>{{plan}} of {{shop}} for {{email}}</p>"}
    )
    template_id = template["template"]["publicId"]
    await client.templates.publish(template_id)
    step = node(
        "hello", "send_email", **{"from": "a@example.com"}, template_id=template_id, variables={"shop": "Northlight"}
    )
    workflow = await active(client, chain(step))
    ada = await contact_id(client, first_name="Ada", properties={"plan": "<pro>"})
    await client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(0)

    [email] = emu.sent
    assert (email.subject, email.html) == ("Hi Ada", "<p>&lt;pro&gt; of Northlight for ada@example.com</p>")
    assert email.template_id == template_id


async def test_a_template_that_was_unpublished_fails_the_run(client: AsyncPostStack, emu: EmulatorSession) -> None:
    template = await client.templates.create({"name": "t", "subject": "Hi", "html": "x"})
    template_id = template["template"]["publicId"]
    await client.templates.publish(template_id)
    step = node("hello", "send_email", **{"from": "a@example.com"}, template_id=template_id)
    workflow = await active(client, chain(step, mail("after")))
    await client.templates.unpublish(template_id)
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(0)

    assert emu.sent == []
    run = only_run(emu)
    assert (run.status, run.path, run.problem) == ("failed", ["start", "hello"], "Template not published")


async def test_the_sender_of_the_settings_stands_in_for_one_that_a_step_does_not_name() -> None:
    with emulator(Settings(workflow_sender="Shop <shop@example.com>")) as emu:
        client = checked(emu.async_client())
        workflow = await active(
            client, chain(node("hello", "send_email", subject="Hi", text="x"), mail("own", **{"from": "b@example.com"}))
        )
        await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
        emu.clock.advance(0)

        assert [email.from_ for email in emu.sent] == ["Shop <shop@example.com>", "b@example.com"]


@pytest.mark.parametrize("how", ["unsubscribed", "suppressed"])
async def test_who_must_get_no_mail_is_stopped_where_the_next_email_would_be_sent(
    client: AsyncPostStack, emu: EmulatorSession, how: str
) -> None:
    emu.transport.receive("https://crm.test/hook", lambda body, headers: 204)
    workflow = await active(
        client,
        chain(
            mail("first"),
            node("a", "wait", delay="1d"),
            node("tell", "webhook", url="https://crm.test/hook"),
            mail("second"),
            mail("third"),
        ),
    )
    ada = await contact_id(client)
    await client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(1)
    if how == "unsubscribed":
        await client.contacts.unsubscribe(ada)
    else:
        await client.suppressions.add({"email": "Ada@example.com", "reason": "manual"})
    emu.clock.advance(DAY)

    assert subjects(emu) == ["first"]
    run = only_run(emu)
    assert (run.status, run.path) == ("stopped", ["start", "first", "a", "tell", "second"])
    assert how in (run.problem or "")


async def test_the_run_of_a_deleted_contact_is_stopped(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    ada = await contact_id(client)
    await client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(1)
    await client.contacts.delete(ada)
    emu.clock.advance(DAY)

    assert emu.sent == []
    run = only_run(emu)
    assert (run.status, run.problem, run.contact_id) == ("stopped", "The contact was deleted.", None)


async def test_a_new_contact_is_let_in_once(client: AsyncPostStack, emu: EmulatorSession) -> None:
    await active(client, chain(mail("welcome")), "contact.created")
    ada = await contact_id(client)
    await client.contacts.update(ada, {"first_name": "Ada"})
    await client.contacts.import_({"contacts": [{"email": "ada@example.com"}, {"email": "grace@example.com"}]})
    emu.clock.advance(0)

    assert [email.to for email in emu.sent] == [["ada@example.com"], ["grace@example.com"]]


async def test_a_contact_that_subscribes_again_or_to_a_topic_is_let_in(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    await active(client, chain(mail("again")), "contact.subscribed")
    ada = await contact_id(client)
    await client.contacts.unsubscribe(ada)
    emu.clock.advance(0)
    assert emu.sent == []
    await client.contacts.update(ada, {"unsubscribed": False})
    emu.clock.advance(0)

    assert subjects(emu) == ["again"]


async def test_an_event_lets_a_contact_into_every_active_workflow_that_listens_for_it(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    placed = {"event": "order.placed"}
    first = await active(client, chain(mail("thanks")), "custom", placed)
    await active(client, chain(mail("survey")), "custom", placed)
    await active(client, chain(mail("other")), "custom", {"event": "Order.Placed"})
    paused = await active(client, chain(mail("paused")), "custom", placed)
    await client.workflows.pause(paused)
    ada = await contact_id(client)

    assert await client.workflows.post_event({"event": "order.placed", "contact_id": ada}) == {
        "event": "order.placed",
        "matched": 2,
    }
    emu.clock.advance(0)
    assert sorted(subjects(emu)) == ["survey", "thanks"]
    await client.workflows.delete(first)
    assert (await client.workflows.post_event({"event": "order.placed", "email": "ADA@example.com"}))["matched"] == 1
    assert (await client.workflows.post_event({"event": "order.shipped", "contact_id": ada}))["matched"] == 0


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"event": "e"}, 400),
        ({"contact_id": "con_1"}, 400),
        ({"event": "e", "contact_id": "con_1"}, 404),
        ({"event": "e", "email": "nobody@example.com"}, 404),
        ({"event": "e", "contact_id": "con_1", "email": "ada@example.com"}, 422),
        ({"event": "e" * 201, "email": "ada@example.com"}, 422),
        ({"event": "e", "email": 5}, 400),
    ],
)
async def test_an_event_of_nobody_is_refused(client: AsyncPostStack, content: Any, status: int) -> None:
    await contact_id(client)

    assert (await refused(client.workflows.post_event, content))[0] == status


async def test_only_an_active_manual_workflow_and_a_known_contact_can_be_triggered(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    ada: Any = {"contact_id": await contact_id(client)}
    draft = (await client.workflows.create({"name": "w", "trigger_type": "manual"}))["workflow"]["publicId"]
    custom = await active(client, chain(mail("a")), "custom", {"event": "e"})
    manual = await active(client, chain(mail("a")))

    assert (await refused(client.workflows.trigger, draft, ada))[0] == 422
    assert (await refused(client.workflows.trigger, custom, ada))[0] == 422
    assert await refused(client.workflows.trigger, manual, {"contact_id": "con_1"}) == (404, "Contact not found")
    assert (await refused(client.workflows.trigger, manual, {}))[0] == 400
    await client.workflows.pause(manual)
    assert (await refused(client.workflows.trigger, manual, ada))[0] == 422
    emu.clock.advance(0)
    assert emu.workflow_runs == []


async def test_a_paused_workflow_holds_its_runs_while_waits_go_on(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(client, chain(node("a", "wait", delay="1d"), mail("late")))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(1)
    await client.workflows.pause(workflow)
    emu.clock.advance(2 * DAY)
    assert (only_run(emu).status, emu.sent) == ("running", [])
    await client.workflows.activate(workflow)
    emu.clock.advance(0)

    assert subjects(emu) == ["late"]
    assert only_run(emu).status == "completed"


async def test_a_run_goes_on_in_the_changed_graph(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(client, chain(node("a", "wait", delay="1d"), mail("before")))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(1)
    await client.workflows.pause(workflow)
    await client.workflows.put_graph(workflow, chain(node("a", "wait", delay="5d"), mail("after")))
    await client.workflows.activate(workflow)
    emu.clock.advance(DAY)

    assert subjects(emu) == ["after"]


@pytest.mark.parametrize("replacement", [node("b", "wait", delay="1d"), node("a", "webhook", url="http://x.test/")])
async def test_a_run_whose_step_is_gone_is_stopped(
    client: AsyncPostStack, emu: EmulatorSession, replacement: Any
) -> None:
    workflow = await active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(1)
    await client.workflows.pause(workflow)
    await client.workflows.put_graph(workflow, chain(replacement, mail("hello")))
    await client.workflows.activate(workflow)
    emu.clock.advance(DAY)

    assert emu.sent == []
    assert only_run(emu).status == "stopped"


async def test_the_runs_of_a_deleted_workflow_end_with_it(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(1)
    await client.workflows.delete(workflow)
    emu.clock.advance(DAY)

    assert (emu.workflow_runs, emu.sent) == ([], [])


async def test_a_loop_through_a_wait_ends_after_a_thousand_steps(client: AsyncPostStack, emu: EmulatorSession) -> None:
    graph = chain(mail("again"), node("a", "wait", delay="1d"))
    graph["edges"] += edges(("a", "again"))
    workflow = await active(client, graph)
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(700 * DAY)

    run = only_run(emu)
    assert (run.status, len(run.path), len(emu.sent)) == ("failed", 1_000, 500)
    assert "at most 1000 steps" in (run.problem or "")


async def test_each_trigger_and_event_begins_a_run_of_its_own(client: AsyncPostStack, emu: EmulatorSession) -> None:
    workflow = await active(client, chain(mail("hello")))
    ada = await contact_id(client)
    first = await client.workflows.trigger(workflow, {"contact_id": ada})
    second = await client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(0)

    assert first["run"]["id"] != second["run"]["id"]
    assert subjects(emu) == ["hello", "hello"]


async def test_a_key_of_one_domain_activates_only_what_sends_from_it(
    client: AsyncPostStack, emu: EmulatorSession
) -> None:
    domain = (await client.domains.create({"name": "shop.test"}))["domain"]
    await client.domains.verify(domain["id"])
    emu.clock.advance(DAY)
    key = await client.api_keys.create(
        {"name": "k", "permission": "full_access", "allow_full_access": True, "domain_id": str(domain["id"])}
    )
    scoped = checked(emu.async_client(api_key=key.get("key", "")))
    own = await active(scoped, chain(mail("own", **{"from": "a@shop.test"})))
    status, error = await refused(active, scoped, chain(mail("other", **{"from": "a@example.com"})))
    await client.workflows.trigger(own, {"contact_id": await contact_id(client)})
    emu.clock.advance(0)

    assert status == 403
    assert "Node `other`: API key does not have permission" in error
    assert subjects(emu) == ["own"]


async def test_what_a_live_key_activated_sends_no_test_emails(client: AsyncPostStack, emu: EmulatorSession) -> None:
    key = await client.api_keys.create(
        {"name": "k", "permission": "full_access", "allow_full_access": True, "mode": "live"}
    )
    workflow = await active(checked(emu.async_client(api_key=key.get("key", ""))), chain(mail("real")))
    await client.workflows.trigger(workflow, {"contact_id": await contact_id(client)})
    emu.clock.advance(0)

    assert [email.test_mode for email in emu.sent] == [False]
