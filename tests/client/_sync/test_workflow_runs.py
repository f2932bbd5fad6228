# Written by tools/unasync.py from tests/client/_async/test_workflow_runs.py. Do not edit.
"""Contacts on their way through workflows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession, RecordedRun, Settings, emulator
from tests.client.workflow_graphs import chain, edges, mail, node
from tests.conforming import checked

pytestmark = pytest.mark.anyio

DAY = 86_400


def active(
    client: PostStack, graph: Any, trigger_type: Any = "manual", trigger_config: dict[str, Any] | None = None
) -> str:
    created = client.workflows.create(
        {"name": "w", "trigger_type": trigger_type, "trigger_config": trigger_config or {}}
    )
    workflow = created["workflow"]["publicId"]
    client.workflows.put_graph(workflow, graph)
    client.workflows.activate(workflow)
    return workflow


def contact_id(client: PostStack, email: str = "ada@example.com", **more: Any) -> str:
    contact: Any = {"email": email, **more}
    return (client.contacts.create(contact))["contact"]["publicId"]


def refused(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        method(*arguments)
    return caught.value.status_code, caught.value.error


def only_run(emu: EmulatorSession) -> RecordedRun:
    [run] = emu.workflow_runs
    return run


def subjects(emu: EmulatorSession) -> list[str]:
    return [email.subject for email in emu.sent]


def test_a_triggered_run_begins_at_the_trigger_and_moves_as_time_goes_on(
    client: PostStack, emu: EmulatorSession
) -> None:
    workflow = active(client, chain(mail("hello")))
    ada = contact_id(client)

    run = (client.workflows.trigger(workflow, {"contact_id": ada}))["run"]
    assert (run["status"], run["nodesVisited"], run["completedAt"]) == ("running", 0, None)
    assert run["currentNodeId"] is not None
    assert emu.sent == []
    emu.clock.advance(0)

    assert [(email.subject, email.to, email.test_mode) for email in emu.sent] == [("hello", ["ada@example.com"], True)]
    done = only_run(emu)
    assert (done.workflow_id, done.contact_id) == (workflow, ada)
    assert (done.status, done.path, done.email_ids) == ("completed", ["start", "hello"], [emu.sent[0].id])
    assert done.completed_at == done.started_at


def test_what_a_workflow_sends_is_an_email_like_any_other(client: PostStack, emu: EmulatorSession) -> None:
    received: list[str] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        received.append(json.loads(body)["type"])
        return 204

    emu.on_webhook(receive, events=["email.sent", "email.bounced"])
    workflow = active(client, chain(mail("hello", tags=["onboarding"])))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client, "bounce@example.com")})
    emu.clock.advance(1)

    assert received == ["email.sent", "email.bounced"]
    assert (client.emails.list({"tag": "onboarding"}))["data"][0]["status"] == "bounced"


def test_a_wait_lasts_as_long_as_it_says(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(
        client, chain(mail("first"), node("a", "wait", delay="3d"), mail("second"), node("b", "wait", delay="90s"))
    )
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})

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
def test_delays_have_units(client: PostStack, emu: EmulatorSession, delay: str, seconds: int) -> None:
    workflow = active(client, chain(node("a", "wait", delay=delay)))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(seconds)
    done = only_run(emu)

    assert done.completed_at is not None
    assert done.completed_at - done.started_at == timedelta(seconds=seconds)


@pytest.mark.parametrize(("first_name", "subject"), [("Ada", "yes"), ("Grace", "no")])
def test_a_condition_asks_the_contact(client: PostStack, emu: EmulatorSession, first_name: str, subject: str) -> None:
    rules = {"operator": "and", "conditions": [{"field": "firstName", "comparator": "equals", "value": "ada"}]}
    graph: Any = {
        "nodes": [node("start", "trigger"), node("who", "condition", **rules), mail("yes"), mail("no")],
        "edges": edges(("start", "who"), ("who", "yes", "match"), ("who", "no", "no_match")),
    }
    workflow = active(client, graph)
    client.workflows.trigger(workflow, {"contact_id": contact_id(client, first_name=first_name)})
    emu.clock.advance(0)

    assert subjects(emu) == [subject]


@pytest.mark.parametrize("opens", [True, False])
def test_a_condition_sees_what_happened_during_a_wait(client: PostStack, emu: EmulatorSession, opens: bool) -> None:
    rules = {"operator": "and", "conditions": [{"field": "emailsOpened", "comparator": "equals", "value": "0"}]}
    graph = chain(mail("first"), node("a", "wait", delay="1d"), node("unread", "condition", **rules))
    graph["nodes"].append(mail("reminder"))
    graph["edges"] += edges(("unread", "reminder", "match"))
    workflow = active(client, graph)
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(10)
    if opens:
        emu.simulate(emu.sent[0].id, "opened")
    emu.clock.advance(DAY)

    assert subjects(emu) == (["first"] if opens else ["first", "reminder"])
    assert only_run(emu).status == "completed"


def test_rules_that_mean_nothing_keep_a_workflow_from_being_activated(client: PostStack) -> None:
    rules = {"operator": "and", "conditions": [{"field": "properties.none", "comparator": "is_set"}]}

    status, error = refused(active, client, chain(node("who", "condition", **rules)))

    assert status == 422
    assert "Node `who`: `rules.conditions[0].field` names a contact property that does not exist" in error


def test_a_condition_whose_property_was_deleted_fails_the_run(client: PostStack, emu: EmulatorSession) -> None:
    tier = (client.contact_properties.create({"name": "tier", "label": "Tier", "type": "text"}))["property"]
    rules = {"operator": "and", "conditions": [{"field": "properties.tier", "comparator": "is_set"}]}
    workflow = active(client, chain(node("who", "condition", **rules)))
    client.contact_properties.delete(tier["id"])
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(0)

    assert only_run(emu).status == "failed"
    assert "does not exist" in (only_run(emu).problem or "")


def test_a_webhook_step_posts_the_contact_unsigned_to_where_it_says(client: PostStack, emu: EmulatorSession) -> None:
    calls: list[tuple[dict[str, Any], dict[str, str]]] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        calls.append((json.loads(body), headers))
        return 204 if len(calls) > 1 else 500

    emu.transport.receive("https://crm.test/hook", receive)
    workflow = active(client, chain(node("tell", "webhook", url="https://crm.test/hook"), mail("after")))
    ada = contact_id(client, first_name="Ada")
    client.workflows.trigger(workflow, {"contact_id": ada})
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


def test_fields_and_properties_of_the_contact_fill_in_a_template(client: PostStack, emu: EmulatorSession) -> None:
    client.contact_properties.create({"name": "plan", "label": "Plan", "type": "text"})
    template = client.templates.create(
        {"name": "t", "subject": "Hi {{first_name}}", "html": "<p>{{plan}} of {{shop}} for {{email}}</p>"}
    )
    template_id = template["template"]["publicId"]
    client.templates.publish(template_id)
    step = node(
        "hello", "send_email", **{"from": "a@example.com"}, template_id=template_id, variables={"shop": "Northlight"}
    )
    workflow = active(client, chain(step))
    ada = contact_id(client, first_name="Ada", properties={"plan": "<pro>"})
    client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(0)

    [email] = emu.sent
    assert (email.subject, email.html) == ("Hi Ada", "<p>&lt;pro&gt; of Northlight for ada@example.com</p>")
    assert email.template_id == template_id


def test_a_template_that_was_unpublished_fails_the_run(client: PostStack, emu: EmulatorSession) -> None:
    template = client.templates.create({"name": "t", "subject": "Hi", "html": "x"})
    template_id = template["template"]["publicId"]
    client.templates.publish(template_id)
    step = node("hello", "send_email", **{"from": "a@example.com"}, template_id=template_id)
    workflow = active(client, chain(step, mail("after")))
    client.templates.unpublish(template_id)
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(0)

    assert emu.sent == []
    run = only_run(emu)
    assert (run.status, run.path, run.problem) == ("failed", ["start", "hello"], "Template not published")


def test_the_sender_of_the_settings_stands_in_for_one_that_a_step_does_not_name() -> None:
    with emulator(Settings(workflow_sender="Shop <shop@example.com>")) as emu:
        client = checked(emu.client())
        workflow = active(
            client, chain(node("hello", "send_email", subject="Hi", text="x"), mail("own", **{"from": "b@example.com"}))
        )
        client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
        emu.clock.advance(0)

        assert [email.from_ for email in emu.sent] == ["Shop <shop@example.com>", "b@example.com"]


@pytest.mark.parametrize("how", ["unsubscribed", "suppressed"])
def test_who_must_get_no_mail_is_stopped_where_the_next_email_would_be_sent(
    client: PostStack, emu: EmulatorSession, how: str
) -> None:
    emu.transport.receive("https://crm.test/hook", lambda body, headers: 204)
    workflow = active(
        client,
        chain(
            mail("first"),
            node("a", "wait", delay="1d"),
            node("tell", "webhook", url="https://crm.test/hook"),
            mail("second"),
            mail("third"),
        ),
    )
    ada = contact_id(client)
    client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(1)
    if how == "unsubscribed":
        client.contacts.unsubscribe(ada)
    else:
        client.suppressions.add({"email": "Ada@example.com", "reason": "manual"})
    emu.clock.advance(DAY)

    assert subjects(emu) == ["first"]
    run = only_run(emu)
    assert (run.status, run.path) == ("stopped", ["start", "first", "a", "tell", "second"])
    assert how in (run.problem or "")


def test_the_run_of_a_deleted_contact_is_stopped(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    ada = contact_id(client)
    client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(1)
    client.contacts.delete(ada)
    emu.clock.advance(DAY)

    assert emu.sent == []
    run = only_run(emu)
    assert (run.status, run.problem, run.contact_id) == ("stopped", "The contact was deleted.", None)


def test_a_new_contact_is_let_in_once(client: PostStack, emu: EmulatorSession) -> None:
    active(client, chain(mail("welcome")), "contact.created")
    ada = contact_id(client)
    client.contacts.update(ada, {"first_name": "Ada"})
    client.contacts.import_({"contacts": [{"email": "ada@example.com"}, {"email": "grace@example.com"}]})
    emu.clock.advance(0)

    assert [email.to for email in emu.sent] == [["ada@example.com"], ["grace@example.com"]]


def test_a_contact_that_subscribes_again_or_to_a_topic_is_let_in(client: PostStack, emu: EmulatorSession) -> None:
    active(client, chain(mail("again")), "contact.subscribed")
    ada = contact_id(client)
    client.contacts.unsubscribe(ada)
    emu.clock.advance(0)
    assert emu.sent == []
    client.contacts.update(ada, {"unsubscribed": False})
    emu.clock.advance(0)

    assert subjects(emu) == ["again"]


def test_an_event_lets_a_contact_into_every_active_workflow_that_listens_for_it(
    client: PostStack, emu: EmulatorSession
) -> None:
    placed = {"event": "order.placed"}
    first = active(client, chain(mail("thanks")), "custom", placed)
    active(client, chain(mail("survey")), "custom", placed)
    active(client, chain(mail("other")), "custom", {"event": "Order.Placed"})
    paused = active(client, chain(mail("paused")), "custom", placed)
    client.workflows.pause(paused)
    ada = contact_id(client)

    assert client.workflows.post_event({"event": "order.placed", "contact_id": ada}) == {
        "event": "order.placed",
        "matched": 2,
    }
    emu.clock.advance(0)
    assert sorted(subjects(emu)) == ["survey", "thanks"]
    client.workflows.delete(first)
    assert (client.workflows.post_event({"event": "order.placed", "email": "ADA@example.com"}))["matched"] == 1
    assert (client.workflows.post_event({"event": "order.shipped", "contact_id": ada}))["matched"] == 0


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
def test_an_event_of_nobody_is_refused(client: PostStack, content: Any, status: int) -> None:
    contact_id(client)

    assert (refused(client.workflows.post_event, content))[0] == status


def test_only_an_active_manual_workflow_and_a_known_contact_can_be_triggered(
    client: PostStack, emu: EmulatorSession
) -> None:
    ada: Any = {"contact_id": contact_id(client)}
    draft = (client.workflows.create({"name": "w", "trigger_type": "manual"}))["workflow"]["publicId"]
    custom = active(client, chain(mail("a")), "custom", {"event": "e"})
    manual = active(client, chain(mail("a")))

    assert (refused(client.workflows.trigger, draft, ada))[0] == 422
    assert (refused(client.workflows.trigger, custom, ada))[0] == 422
    assert refused(client.workflows.trigger, manual, {"contact_id": "con_1"}) == (404, "Contact not found")
    assert (refused(client.workflows.trigger, manual, {}))[0] == 400
    client.workflows.pause(manual)
    assert (refused(client.workflows.trigger, manual, ada))[0] == 422
    emu.clock.advance(0)
    assert emu.workflow_runs == []


def test_a_paused_workflow_holds_its_runs_while_waits_go_on(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(client, chain(node("a", "wait", delay="1d"), mail("late")))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(1)
    client.workflows.pause(workflow)
    emu.clock.advance(2 * DAY)
    assert (only_run(emu).status, emu.sent) == ("running", [])
    client.workflows.activate(workflow)
    emu.clock.advance(0)

    assert subjects(emu) == ["late"]
    assert only_run(emu).status == "completed"


def test_a_run_goes_on_in_the_changed_graph(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(client, chain(node("a", "wait", delay="1d"), mail("before")))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(1)
    client.workflows.pause(workflow)
    client.workflows.put_graph(workflow, chain(node("a", "wait", delay="5d"), mail("after")))
    client.workflows.activate(workflow)
    emu.clock.advance(DAY)

    assert subjects(emu) == ["after"]


@pytest.mark.parametrize("replacement", [node("b", "wait", delay="1d"), node("a", "webhook", url="http://x.test/")])
def test_a_run_whose_step_is_gone_is_stopped(client: PostStack, emu: EmulatorSession, replacement: Any) -> None:
    workflow = active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(1)
    client.workflows.pause(workflow)
    client.workflows.put_graph(workflow, chain(replacement, mail("hello")))
    client.workflows.activate(workflow)
    emu.clock.advance(DAY)

    assert emu.sent == []
    assert only_run(emu).status == "stopped"


def test_the_runs_of_a_deleted_workflow_end_with_it(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(client, chain(node("a", "wait", delay="1d"), mail("hello")))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(1)
    client.workflows.delete(workflow)
    emu.clock.advance(DAY)

    assert (emu.workflow_runs, emu.sent) == ([], [])


def test_a_loop_through_a_wait_ends_after_a_thousand_steps(client: PostStack, emu: EmulatorSession) -> None:
    graph = chain(mail("again"), node("a", "wait", delay="1d"))
    graph["edges"] += edges(("a", "again"))
    workflow = active(client, graph)
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(700 * DAY)

    run = only_run(emu)
    assert (run.status, len(run.path), len(emu.sent)) == ("failed", 1_000, 500)
    assert "at most 1000 steps" in (run.problem or "")


def test_each_trigger_and_event_begins_a_run_of_its_own(client: PostStack, emu: EmulatorSession) -> None:
    workflow = active(client, chain(mail("hello")))
    ada = contact_id(client)
    first = client.workflows.trigger(workflow, {"contact_id": ada})
    second = client.workflows.trigger(workflow, {"contact_id": ada})
    emu.clock.advance(0)

    assert first["run"]["id"] != second["run"]["id"]
    assert subjects(emu) == ["hello", "hello"]


def test_a_key_of_one_domain_activates_only_what_sends_from_it(client: PostStack, emu: EmulatorSession) -> None:
    domain = (client.domains.create({"name": "shop.test"}))["domain"]
    client.domains.verify(domain["id"])
    emu.clock.advance(DAY)
    key = client.api_keys.create(
        {"name": "k", "permission": "full_access", "allow_full_access": True, "domain_id": str(domain["id"])}
    )
    scoped = checked(emu.client(api_key=key.get("key", "")))
    own = active(scoped, chain(mail("own", **{"from": "a@shop.test"})))
    status, error = refused(active, scoped, chain(mail("other", **{"from": "a@example.com"})))
    client.workflows.trigger(own, {"contact_id": contact_id(client)})
    emu.clock.advance(0)

    assert status == 403
    assert "Node `other`: API key does not have permission" in error
    assert subjects(emu) == ["own"]


def test_what_a_live_key_activated_sends_no_test_emails(client: PostStack, emu: EmulatorSession) -> None:
    key = client.api_keys.create({"name": "k", "permission": "full_access", "allow_full_access": True, "mode": "live"})
    workflow = active(checked(emu.client(api_key=key.get("key", ""))), chain(mail("real")))
    client.workflows.trigger(workflow, {"contact_id": contact_id(client)})
    emu.clock.advance(0)

    assert [email.test_mode for email in emu.sent] == [False]
