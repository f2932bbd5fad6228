# Written by tools/unasync.py from tests/client/_async/test_workflows.py. Do not edit.
"""Workflows: kept, checked, activated, and run by contacts."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from tests.client.workflow_graphs import EMAIL, chain, edges, mail, node

pytestmark = pytest.mark.anyio

WELCOME: Any = chain(mail("hello"))


def workflow_id(
    client: PostStack,
    graph: Any = None,
    trigger_type: Any = "manual",
    trigger_config: dict[str, Any] | None = None,
) -> str:
    created = client.workflows.create(
        {"name": "w", "trigger_type": trigger_type, "trigger_config": trigger_config or {}}
    )
    found = created["workflow"]["publicId"]
    if graph is not None:
        client.workflows.put_graph(found, graph)
    return found


def refused(method: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(PostStackError) as caught:
        method(*arguments)
    return caught.value.status_code, caught.value.error


def test_a_workflow_begins_as_a_draft_without_steps(client: PostStack) -> None:
    created = (
        client.workflows.create(
            {"name": "Orders", "trigger_type": "custom", "trigger_config": {"event": "order.placed"}}
        )
    )["workflow"]

    assert created["publicId"].startswith("wf_")
    assert (created["status"], created["triggerType"], created.get("triggerConfig")) == (
        "draft",
        "custom",
        {"event": "order.placed"},
    )
    assert (client.workflows.get(created["publicId"]))["workflow"] == created
    assert (client.workflows.get_graph(created["publicId"]))["graph"] == {"nodes": [], "edges": []}


def test_workflows_are_listed_newest_first(client: PostStack) -> None:
    ids = [workflow_id(client) for _ in range(3)]

    assert [workflow["publicId"] for workflow in (client.workflows.list())["data"]] == ids[::-1]


def test_name_and_trigger_can_be_changed(client: PostStack) -> None:
    workflow = workflow_id(client)

    changed = client.workflows.update(
        workflow, {"name": "Orders", "trigger_type": "custom", "trigger_config": {"event": "order.placed"}}
    )
    cleared = client.workflows.update(workflow, {"trigger_config": None})

    assert (changed["workflow"]["name"], changed["workflow"]["triggerType"]) == ("Orders", "custom")
    assert (cleared["workflow"].get("triggerConfig"), cleared["workflow"]["name"]) == (None, "Orders")


def test_a_deleted_workflow_is_gone(client: PostStack) -> None:
    workflow = workflow_id(client)

    assert (client.workflows.delete(workflow))["success"]
    assert refused(client.workflows.get, workflow) == (404, "Workflow not found")
    assert (client.workflows.list())["data"] == []


def test_a_graph_comes_back_as_it_was_put(client: PostStack) -> None:
    workflow = workflow_id(client)
    graph: Any = {
        "nodes": [
            node("start", "trigger"),
            node("asked", "condition", operator="and", conditions=[]),
            node("yes", "wait", delay="3d"),
        ],
        "edges": [
            {"from_public_id": "start", "to_public_id": "asked"},
            {"from_public_id": "asked", "to_public_id": "yes", "branch": "match"},
        ],
    }

    put = (client.workflows.put_graph(workflow, graph))["graph"]

    assert put["nodes"] == graph["nodes"]
    assert [edge["branch"] for edge in put["edges"]] == [None, "match"]
    assert (client.workflows.get_graph(workflow))["graph"] == put


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"nodes": [node("a", "sleep")]}, 422, "`nodes[0]`: `type` must be one of: trigger, send_email"),
        ({"nodes": [node("a", "wait"), node("a", "wait")]}, 422, "`public_id` of its own"),
        ({"nodes": [node("", "wait")]}, 400, "`nodes[0]`: `public_id` is required"),
        ({"nodes": [node("a" * 101, "wait")]}, 422, "at most 100 characters"),
        ({"nodes": [{"public_id": "a", "type": "wait", "config": {"a": 1}}]}, 400, "`canvas_x` and `canvas_y`"),
        ({"nodes": [{**node("a", "wait"), "config": None}]}, 400, "`config` is required"),
        ({"nodes": [node(str(index), "wait") for index in range(201)]}, 422, "`nodes` holds more than 200"),
        ({"edges": [{"from_public_id": "start", "to_public_id": "lost"}]}, 422, "`edges[0]`: both ends"),
        ({"edges": [{"from_public_id": "start"}]}, 400, "`to_public_id` is required"),
        (
            {"edges": [{"from_public_id": "start", "to_public_id": "hello", "branch": "maybe"}]},
            422,
            "must be one of: match, no_match",
        ),
        ({"edges": [{"from_public_id": "start", "to_public_id": "hello"}] * 2}, 422, "same edge twice"),
        ({"nodes": [node("a", "send_email", html="x" * 1_100_000)], "edges": []}, 422, "at most 1048576 bytes"),
    ],
)
def test_a_graph_that_does_not_fit_together_is_refused_and_changes_nothing(
    client: PostStack, change: Any, status: int, said: str
) -> None:
    workflow = workflow_id(client, WELCOME)
    before = client.workflows.get_graph(workflow)

    answered = refused(client.workflows.put_graph, workflow, {**WELCOME, **change})

    assert answered[0] == status
    assert said in answered[1]
    assert client.workflows.get_graph(workflow) == before


START = node("start", "trigger")
A_WAIT, B_WAIT = node("a", "wait", delay="1d"), node("b", "wait", delay="1d")
A_MAIL = mail("a")


@pytest.mark.parametrize(
    ("nodes", "links", "said"),
    [
        ([], [], ["A workflow has exactly one node of type trigger, not 0."]),
        ([START, node("two", "trigger")], [], ["A workflow has exactly one node of type trigger, not 2."]),
        ([START], [], ["Node `start`: the trigger leads to no step."]),
        (
            [START, A_WAIT],
            [("start", "a"), ("a", "start")],
            ["Node `start`: nothing can lead to the trigger."],
        ),
        (
            [START, A_WAIT, B_WAIT],
            [("start", "a"), ("b", "a")],
            ["Node `b`: no path leads to it from the trigger."],
        ),
        (
            [START, A_WAIT, B_WAIT],
            [("start", "a"), ("start", "b")],
            ["Node `start`: more than one edge leaves it."],
        ),
        (
            [START, A_WAIT],
            [("start", "a", "match")],
            ["Node `start`: only edges behind a condition have a branch."],
        ),
        (
            [START, A_MAIL, node("b", "webhook", url="http://localhost/")],
            [("start", "a"), ("a", "b"), ("b", "a")],
            ["Nodes `a`, `b`: a loop must pass through a wait."],
        ),
        ([START, A_MAIL], [("start", "a"), ("a", "a")], ["Node `a`: a loop must pass through a wait."]),
        ([START, node("a", "wait", delay="soon")], [("start", "a")], ["Node `a`: `delay` must be a whole number"]),
        ([START, node("a", "wait", delay="0s")], [("start", "a")], ["Node `a`: `delay` must be a whole number"]),
        ([START, node("a", "wait", delay="366d")], [("start", "a")], ["Node `a`: `delay` must be a whole number"]),
        ([START, node("a", "wait")], [("start", "a")], ["Node `a`: `delay` is required."]),
        ([START, node("a", "wait", delay="1d", until="x")], [("start", "a")], ["Node `a`: `until` is not understood."]),
        ([START, node("a", "webhook", url="ftp://x")], [("start", "a")], ["Node `a`: `url` must be an http"]),
        ([START, node("a", "send_email", subject="S", text="T")], [("start", "a")], ["Node `a`: `from` is required"]),
        ([START, node("a", "send_email", **EMAIL, to=["b@example.com"])], [("start", "a")], ["Node `a`: `to` is not"]),
        (
            [START, node("a", "send_email", **{"from": "a@example.com"}, template_id="tpl_1")],
            [("start", "a")],
            ["Node `a`: Template not found"],
        ),
        (
            [node("start", "trigger", event="x"), A_WAIT],
            [("start", "a")],
            ["Node `start`: `event` is not understood."],
        ),
    ],
)
def test_what_cannot_run_is_said_and_is_not_activated(
    client: PostStack, nodes: Any, links: Any, said: list[str]
) -> None:
    workflow = workflow_id(client, {"nodes": nodes, "edges": edges(*links)})

    answer = client.workflows.validate_graph(workflow)
    status, error = refused(client.workflows.activate, workflow)

    assert not answer["valid"]
    found = answer.get("errors", [])
    assert len(found) == len(said)
    assert all(text.startswith(start) for text, start in zip(found, said, strict=True))
    assert status == 422
    assert all(start in error for start in said)
    assert (client.workflows.get(workflow))["workflow"]["status"] == "draft"


@pytest.mark.parametrize(
    ("trigger_type", "config", "said"),
    [
        ("custom", {}, "`trigger_config`: `event` is required."),
        ("custom", {"event": 5}, "`trigger_config`: `event` must be a string."),
        ("custom", {"event": "x" * 201}, "`trigger_config`: `event` has at most 200 characters."),
        ("manual", {"event": "x"}, "`trigger_config`: `event` is not understood."),
    ],
)
def test_a_trigger_that_is_not_understood_keeps_a_workflow_from_being_activated(
    client: PostStack, trigger_type: str, config: dict[str, Any], said: str
) -> None:
    workflow = workflow_id(client, WELCOME, trigger_type, config)

    status, error = refused(client.workflows.activate, workflow)

    assert status == 422
    assert said in error


def test_a_workflow_that_can_run_is_activated_and_paused_as_often_as_asked(client: PostStack) -> None:
    workflow = workflow_id(client, WELCOME)

    assert client.workflows.validate_graph(workflow) == {"valid": True}
    for _ in range(2):
        assert (client.workflows.activate(workflow))["workflow"]["status"] == "active"
    for _ in range(2):
        assert (client.workflows.pause(workflow))["workflow"]["status"] == "paused"


def test_a_draft_cannot_be_paused(client: PostStack) -> None:
    status, error = refused(client.workflows.pause, workflow_id(client))

    assert status == 409
    assert "never activated" in error


def test_an_active_workflow_keeps_its_graph_and_its_trigger(client: PostStack) -> None:
    workflow = workflow_id(client, WELCOME)
    client.workflows.activate(workflow)

    assert (refused(client.workflows.put_graph, workflow, WELCOME))[0] == 409
    assert (refused(client.workflows.update, workflow, {"trigger_type": "contact.created"}))[0] == 409
    renamed = client.workflows.update(workflow, {"name": "n", "trigger_type": "manual"})
    client.workflows.pause(workflow)
    client.workflows.put_graph(workflow, chain(A_WAIT))

    assert renamed["workflow"]["name"] == "n"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"trigger_type": "manual"}, 400),
        ({"name": "w"}, 400),
        ({"name": 5, "trigger_type": "manual"}, 400),
        ({"name": "w", "trigger_type": "contact.deleted"}, 422),
        ({"name": "w" * 201, "trigger_type": "manual"}, 422),
        ({"name": "w\nx", "trigger_type": "manual"}, 422),
        ({"name": "w", "trigger_type": "manual", "trigger_config": "x"}, 400),
        ({"name": "w", "trigger_type": "manual", "trigger_config": {"a": "x" * 10_001}}, 422),
    ],
)
def test_a_workflow_that_is_none_is_refused(client: PostStack, content: Any, status: int) -> None:
    assert (refused(client.workflows.create, content))[0] == status
    assert (client.workflows.list())["data"] == []


def test_there_is_room_for_two_hundred_workflows(client: PostStack) -> None:
    for _ in range(200):
        workflow_id(client)

    status, error = refused(client.workflows.create, {"name": "w", "trigger_type": "manual"})

    assert status == 422
    assert "at most 200 workflows" in error
