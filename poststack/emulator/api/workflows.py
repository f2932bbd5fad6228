"""`/workflows`: graphs of steps, and contacts sent through them (poststack-api §4.13)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from poststack.emulator.api.answers import RefusalError, Reply, conflict, invalid, not_found, unprocessable
from poststack.emulator.api.call import Call, Caller
from poststack.emulator.api.fields import number, object_of, one_line, optional_text, required_text
from poststack.emulator.api.routes import Route
from poststack.emulator.api.workflow_steps import MAX_EVENT, check_senders, problems
from poststack.emulator.audience.records import Contact
from poststack.emulator.backend import Backend
from poststack.emulator.model import iso
from poststack.emulator.outreach import workflow_runs
from poststack.emulator.outreach.workflow_runs import WorkflowRuns
from poststack.emulator.outreach.workflows import Edge, Node, Run, Workflow
from poststack.types.workflows import WorkflowBranch, WorkflowNodeType, WorkflowTriggerType

__all__ = ["ROUTES", "run_json"]

_MAX_WORKFLOWS = 200
_MAX_NAME = 200
_MAX_TRIGGER_CONFIG = 10_000
_MAX_NODES = 200
_MAX_EDGES = 400
_MAX_GRAPH = 1024 * 1024
_MAX_NODE_ID = 100
_NAMED_PROBLEMS = 5
_TRIGGER_TYPES: tuple[str, ...] = get_args(WorkflowTriggerType)
_NODE_TYPES: tuple[str, ...] = get_args(WorkflowNodeType)
_BRANCHES: tuple[str, ...] = get_args(WorkflowBranch)


def _workflow_json(workflow: Workflow) -> dict[str, Any]:
    return {
        "id": workflow.number,
        "publicId": workflow.id,
        "name": workflow.name,
        "triggerType": workflow.trigger_type,
        "triggerConfig": workflow.trigger_config,
        "status": workflow.status,
        "createdAt": iso(workflow.created_at),
        "updatedAt": iso(workflow.updated_at),
    }


def _graph_json(workflow: Workflow) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "public_id": node.id,
                "type": node.type,
                "config": node.config,
                "canvas_x": node.canvas_x,
                "canvas_y": node.canvas_y,
            }
            for node in workflow.nodes
        ],
        "edges": [
            {"from_public_id": edge.start, "to_public_id": edge.end, "branch": edge.branch} for edge in workflow.edges
        ],
    }


def run_json(run: Run) -> dict[str, Any]:
    """Write a run."""
    return {
        "id": run.number,
        "workflowId": run.workflow,
        "contactId": run.contact,
        "status": run.status,
        "currentNodeId": run.node,
        "nodesVisited": len(run.path),
        "startedAt": iso(run.started_at),
        "completedAt": None if run.completed_at is None else iso(run.completed_at),
    }


def _find(backend: Backend, arguments: Mapping[str, str]) -> Workflow:
    workflow = backend.store.workflows.find("id", arguments["id"])
    if workflow is None:
        raise not_found("Workflow", arguments["id"])
    return workflow


def _reply(workflow: Workflow, status: int = 200) -> Reply:
    return Reply(status, {"workflow": _workflow_json(workflow)})


def _save(backend: Backend, workflow: Workflow, now: float) -> None:
    workflow.updated_at = now
    backend.store.workflows.save(workflow)


def _name(content: Mapping[str, Any]) -> str:
    name = one_line(required_text(content, "name"), "name")
    if len(name) > _MAX_NAME:
        raise unprocessable(f"`name` of a workflow has at most {_MAX_NAME} characters.")
    return name


def _trigger_type(content: Mapping[str, Any]) -> WorkflowTriggerType:
    return cast("WorkflowTriggerType", _one_of(_TRIGGER_TYPES, required_text(content, "trigger_type"), "trigger_type"))


def _trigger_config(content: Mapping[str, Any]) -> dict[str, Any] | None:
    config = object_of(content, "trigger_config")
    if len(json.dumps(config)) > _MAX_TRIGGER_CONFIG:
        raise unprocessable(f"`trigger_config` has at most {_MAX_TRIGGER_CONFIG} characters of JSON.")
    return None if content.get("trigger_config") is None else config


def _one_of(values: Sequence[str], value: str, name: str) -> str:
    if value not in values:
        raise unprocessable(f"`{name}` must be one of: {', '.join(values)}.")
    return value


def _create(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    name, trigger_type, trigger_config = _name(content), _trigger_type(content), _trigger_config(content)
    if len(backend.store.workflows) >= _MAX_WORKFLOWS:
        raise unprocessable(f"The emulator keeps at most {_MAX_WORKFLOWS} workflows.")
    workflow = Workflow(
        number=backend.store.next_number("workflow"),
        id="wf_" + backend.ids(18),
        name=name,
        trigger_type=trigger_type,
        trigger_config=trigger_config,
        created_at=call.now,
        updated_at=call.now,
    )
    backend.store.workflows.save(workflow)
    return _reply(workflow, 201)


def _list(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"data": [_workflow_json(workflow) for workflow in backend.store.workflows.newest()]})


def _get(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return _reply(_find(backend, arguments))


def _update(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow, content = _find(backend, arguments), call.json()
    name = _name(content) if "name" in content else workflow.name
    trigger_type = _trigger_type(content) if "trigger_type" in content else workflow.trigger_type
    trigger_config = _trigger_config(content) if "trigger_config" in content else workflow.trigger_config
    if workflow.status == "active" and (trigger_type, trigger_config) != (
        workflow.trigger_type,
        workflow.trigger_config,
    ):
        raise conflict("Pause the workflow before you change its trigger.")
    workflow.name, workflow.trigger_type, workflow.trigger_config = name, trigger_type, trigger_config
    _save(backend, workflow, call.now)
    return _reply(workflow)


def _delete(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow = _find(backend, arguments)
    WorkflowRuns(backend).remove(workflow)
    return Reply(200, {"success": True})


def _get_graph(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    return Reply(200, {"graph": _graph_json(_find(backend, arguments))})


def _put_graph(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow, content = _find(backend, arguments), call.json()
    entries, links = _objects(content, "nodes", _MAX_NODES), _objects(content, "edges", _MAX_EDGES)
    if len(call.body) > _MAX_GRAPH:
        raise unprocessable(f"A graph has at most {_MAX_GRAPH} bytes of JSON.")
    if workflow.status == "active":
        raise conflict("Pause the workflow before you change its graph.")
    before = {f"{node.type} {node.id}": node.number for node in workflow.nodes}
    nodes = [_node(entry, f"nodes[{index}]", before) for index, entry in enumerate(entries)]
    ids = {node.id for node in nodes}
    if len(ids) < len(nodes):
        raise unprocessable("Each node needs a `public_id` of its own.")
    edges = [_edge(link, f"edges[{index}]", ids) for index, link in enumerate(links)]
    if len(set(edges)) < len(edges):
        raise unprocessable("`edges` holds the same edge twice.")
    # Numbers are given out last: a refused graph uses none up.
    workflow.nodes = [
        node if node.number else replace(node, number=backend.store.next_number("workflow_node")) for node in nodes
    ]
    workflow.edges = edges
    _save(backend, workflow, call.now)
    return Reply(200, {"graph": _graph_json(workflow)})


def _objects(content: Mapping[str, Any], name: str, limit: int) -> list[dict[str, Any]]:
    value = content.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[object]", value)):
        raise invalid(f"`{name}` must be an array of objects.")
    found = cast("list[dict[str, Any]]", value)
    if len(found) > limit:
        raise unprocessable(f"`{name}` holds more than {limit}.")
    return found


def _node(entry: Mapping[str, Any], place: str, before: Mapping[str, int]) -> Node:
    try:
        node_id = one_line(required_text(entry, "public_id"), "public_id")
        node_type = cast("WorkflowNodeType", _one_of(_NODE_TYPES, required_text(entry, "type"), "type"))
        canvas_x, canvas_y = number(entry, "canvas_x"), number(entry, "canvas_y")
        if canvas_x is None or canvas_y is None:
            raise invalid("`canvas_x` and `canvas_y` are required.")
        if entry.get("config") is None:
            raise invalid("`config` is required; it may be empty.")
        config = object_of(entry, "config")
        if len(node_id) > _MAX_NODE_ID:
            raise unprocessable(f"`public_id` has at most {_MAX_NODE_ID} characters.")
    except RefusalError as refusal:
        raise _at(place, refusal) from refusal
    return Node(before.get(f"{node_type} {node_id}", 0), node_id, node_type, config, canvas_x, canvas_y)


def _edge(link: Mapping[str, Any], place: str, ids: Collection[str]) -> Edge:
    try:
        start, end = required_text(link, "from_public_id"), required_text(link, "to_public_id")
        branch = optional_text(link, "branch")
        if branch is not None:
            _one_of(_BRANCHES, branch, "branch")
        if start not in ids or end not in ids:
            raise unprocessable("both ends must be the `public_id` of a node of this graph.")
    except RefusalError as refusal:
        raise _at(place, refusal) from refusal
    return Edge(start, end, cast("WorkflowBranch | None", branch))


def _at(place: str, refusal: RefusalError) -> RefusalError:
    return RefusalError(refusal.status, f"`{place}`: {refusal.error}")


def _validate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    found = problems(backend, _find(backend, arguments), call.caller)
    errors = [problem.error for problem in found]
    return Reply(200, {"valid": False, "errors": errors} if errors else {"valid": True})


def _activate(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow = _find(backend, arguments)
    if workflow.status != "active":
        if found := problems(backend, workflow, call.caller):
            named = " ".join(problem.error for problem in found[:_NAMED_PROBLEMS])
            more = " …" if len(found) > _NAMED_PROBLEMS else ""
            status = min(problem.status for problem in found)
            raise RefusalError(status, f"The workflow cannot be activated. {named}{more}")
        workflow.status, workflow.test_mode = "active", call.test_mode
        _save(backend, workflow, call.now)
        WorkflowRuns(backend).hold(workflow, False)
    return _reply(workflow)


def _pause(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow = _find(backend, arguments)
    if workflow.status == "draft":
        raise conflict("The workflow was never activated, so there is nothing to pause.")
    if workflow.status == "active":
        workflow.status = "paused"
        _save(backend, workflow, call.now)
        WorkflowRuns(backend).hold(workflow, True)
    return _reply(workflow)


def _trigger(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    workflow, contact_id = _find(backend, arguments), required_text(call.json(), "contact_id")
    if workflow.status != "active" or workflow.trigger_type != "manual":
        raise unprocessable("Only a workflow that is active and whose trigger is manual can be triggered.")
    check_senders(backend, workflow, call.caller)
    contact, runs = _contact(backend, contact_id), WorkflowRuns(backend)
    _check_room(runs, 1)
    return Reply(201, {"run": run_json(runs.start(workflow, contact, call.now))})


def _post_event(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    content = call.json()
    event = required_text(content, "event")
    contact_id, email = optional_text(content, "contact_id"), optional_text(content, "email")
    if not contact_id and not email:
        raise invalid("`contact_id` or `email` is required.")
    if contact_id and email:
        raise unprocessable("Give `contact_id` or `email`, not both.")
    if len(event) > MAX_EVENT:
        raise unprocessable(f"`event` has at most {MAX_EVENT} characters.")
    contact, runs = _contact(backend, contact_id, email or ""), WorkflowRuns(backend)
    listening = [workflow for workflow in runs.listening(event) if _may_begin(backend, workflow, call.caller)]
    _check_room(runs, len(listening))
    for workflow in listening:
        runs.start(workflow, contact, call.now)
    return Reply(200, {"event": event, "matched": len(listening)})


def _may_begin(backend: Backend, workflow: Workflow, caller: Caller) -> bool:
    try:
        check_senders(backend, workflow, caller)
    except RefusalError:
        return False
    return True


def _contact(backend: Backend, contact_id: str | None, email: str = "") -> Contact:
    contact = backend.store.contacts.find("id", contact_id) if contact_id else backend.contacts.find(email)
    if contact is None:
        raise not_found("Contact", contact_id)
    return contact


def _check_room(runs: WorkflowRuns, wanted: int) -> None:
    if not runs.make_room(wanted):
        most = workflow_runs.MAX_RUNS
        raise unprocessable(f"The emulator has at most {most} runs under way. Delete a workflow to end its runs.")


ROUTES = (
    Route("POST", "/workflows", _create),
    Route("GET", "/workflows", _list),
    Route("GET", "/workflows/{id}", _get),
    Route("PATCH", "/workflows/{id}", _update),
    Route("DELETE", "/workflows/{id}", _delete),
    Route("GET", "/workflows/{id}/graph", _get_graph),
    Route("PUT", "/workflows/{id}/graph", _put_graph),
    Route("POST", "/workflows/{id}/validate", _validate),
    Route("POST", "/workflows/{id}/activate", _activate),
    Route("POST", "/workflows/{id}/pause", _pause),
    Route("POST", "/workflows/{id}/trigger", _trigger),
    Route("POST", "/workflows/events", _post_event),
)
