"""The edges of workflows: hostile input, limits, the control interface, restarts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.outreach import workflow_runs
from poststack.transports.base import HttpRequest
from tests.client.workflow_graphs import chain, edges, mail, node
from tests.emulator.app import START, App

DAY = 86_400
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def active(app: App, graph: Any, trigger_type: str = "manual", config: dict[str, Any] | None = None) -> str:
    created = app.post("/workflows", {"name": "w", "trigger_type": trigger_type, "trigger_config": config})
    workflow: str = created.json["workflow"]["publicId"]
    assert app.call("PUT", f"/workflows/{workflow}/graph", graph).status == 200
    activated = app.post(f"/workflows/{workflow}/activate")
    assert activated.status == 200, activated.json
    return workflow


def contact(app: App, email: str = "ada@example.com") -> str:
    found: str = app.post("/contacts", {"email": email}).json["contact"]["publicId"]
    return found


def runs(app: App, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.get(f"/_emulator/workflow-runs{query}").json["data"]
    return found


def test_a_restart_keeps_workflows_and_runs_and_what_is_to_happen_to_them(tmp_path: Path) -> None:
    file = tmp_path / "emulator.sqlite"
    app = App(journal=SqliteJournal(file))
    graph = chain(mail("first"), node("a", "wait", delay="1d"), mail("second"))
    manual, custom = active(app, graph), active(app, graph, "custom", {"event": "e"})
    ada = contact(app)
    app.post(f"/workflows/{manual}/trigger", {"contact_id": ada})
    app.post("/workflows/events", {"event": "e", "contact_id": ada})
    app.post(f"/workflows/{custom}/pause")
    app.wait(60)
    before = app.emulator.store
    app.emulator.close()

    again = App(journal=SqliteJournal(file))
    after = again.emulator.store
    assert after.workflows.all() == before.workflows.all()
    assert after.workflow_runs.all() == before.workflow_runs.all()
    assert after.next_due() == before.next_due() is not None
    again.now = app.now
    again.wait(DAY)

    assert [email.message.subject for email in after.accepted()] == ["first", "first", "second"]
    assert [(run["status"], run["held"]) for run in runs(again)] == [("running", True), ("completed", False)]
    again.emulator.close()


def test_a_post_that_failed_before_a_restart_is_tried_again_after_it(tmp_path: Path) -> None:
    file = tmp_path / "emulator.sqlite"
    app = App(journal=SqliteJournal(file))
    workflow = active(app, chain(node("tell", "webhook", url="http://localhost/hook")))
    app.post(f"/workflows/{workflow}/trigger", {"contact_id": contact(app)})
    first = app.wait(1, status=500)
    app.emulator.close()
    again = App(journal=SqliteJournal(file))
    again.now = app.now
    second = again.wait(60)

    assert len(first) == 1
    assert second == first
    again.emulator.close()


def test_starting_over_forgets_workflows_runs_and_posts(app: App) -> None:
    workflow = active(app, chain(node("tell", "webhook", url="http://localhost/hook"), node("a", "wait", delay="1d")))
    app.post(f"/workflows/{workflow}/trigger", {"contact_id": contact(app)})
    app.wait(1, status=None)
    app.post("/_emulator/reset")

    assert (app.get("/workflows").json["data"], runs(app)) == ([], [])
    assert app.emulator.next_due() is None


def test_runs_are_shown_newest_first_with_all_that_is_known(app: App) -> None:
    workflow = active(app, chain(mail("first"), node("a", "wait", delay="1d")))
    other = active(app, chain(mail("x"), mail("y")))
    ada, grace = contact(app), contact(app, "grace@example.com")
    for triggered, who in ((workflow, ada), (other, ada), (other, grace)):
        app.post(f"/workflows/{triggered}/trigger", {"contact_id": who})
    app.wait(1)

    [waiting] = runs(app, f"?workflow_id={workflow}")
    assert (waiting["workflowPublicId"], waiting["contactPublicId"]) == (workflow, ada)
    assert (waiting["status"], waiting["waiting"], waiting["currentNodePublicId"]) == ("running", True, "a")
    assert (waiting["path"], waiting["nodesVisited"], waiting["problem"]) == (["start", "first", "a"], 3, None)
    assert waiting["emails"] == [app.emulator.store.accepted()[0].id]
    assert waiting["dueAt"] == "2027-01-16T08:00:00.000Z"
    assert [run["id"] for run in runs(app)] == [3, 2, 1]
    assert [run["id"] for run in runs(app, f"?contact_id={ada}&status=completed")] == [2]
    assert runs(app, "?workflow_id=wf_none") == runs(app, "?status=failed") == []
    assert app.get("/_emulator/workflow-runs?status=none").status == 422
    assert app.get("/_emulator/workflow-runs?per_page=2").json["meta"]["totalPages"] == 2


def test_the_oldest_runs_that_ended_make_room_and_those_under_way_stay(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_runs, "MAX_RUNS", 3)
    quick, slow = active(app, chain(mail("m"))), active(app, chain(node("a", "wait", delay="1d")))
    created = active(app, chain(mail("n")), "contact.created")
    app.post(f"/workflows/{created}/pause")
    ada: dict[str, str] = {"contact_id": contact(app)}
    for workflow in (quick, slow, slow):
        assert app.post(f"/workflows/{workflow}/trigger", ada).status == 201
        app.wait(1)
    assert app.post(f"/workflows/{slow}/trigger", ada).status == 201
    full = app.post(f"/workflows/{slow}/trigger", ada)

    assert full.error == (422, "unprocessable_entity")
    assert "at most 3 runs" in full.json["error"]
    assert [run["id"] for run in runs(app)] == [4, 3, 2]


def test_an_event_that_has_no_room_for_all_its_runs_begins_none(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_runs, "MAX_RUNS", 1)
    for _ in range(2):
        active(app, chain(mail("m")), "custom", {"event": "e"})
    reply = app.post("/workflows/events", {"event": "e", "contact_id": contact(app)})

    assert reply.status == 422
    assert runs(app) == []


def test_a_contact_is_kept_also_when_no_run_can_begin(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workflow_runs, "MAX_RUNS", 0)
    workflow = active(app, chain(mail("m")), "contact.created")

    assert contact(app).startswith("con_")
    assert runs(app) == []
    assert f"Workflow {workflow} let nobody in" in caplog.text


def test_very_many_runs_take_their_turns(app: App) -> None:
    active(app, chain(mail("m"), mail("n")), "contact.created")
    rows = [{"email": f"c{number}@example.com"} for number in range(700)]
    assert app.post("/contacts/import", {"contacts": rows}).json["imported"] == 700
    app.wait(0)

    assert app.emulator.store.total == 1_400
    assert {run.status for run in app.emulator.store.workflow_runs.all()} == {"completed"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/workflows/wf_1", "DELETE, GET, PATCH"),
        ("POST", "/workflows/wf_1/graph", "GET, PUT"),
        ("GET", "/workflows/wf_1/trigger", "POST"),
        ("GET", "/workflows/wf_1/validate", "POST"),
        ("PUT", "/workflows/wf_1/activate", "POST"),
        ("PATCH", "/workflows", "GET, POST"),
    ],
)
def test_other_methods_are_refused(app: App, method: str, path: str, allowed: str) -> None:
    reply = app.call(method, path)

    assert (reply.status, reply.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("workflow", ["wf_1", "1", "%ff", "%2F", "wf%00", "%F0%9F%98%80", "%ED%A0%80", "a b"])
@pytest.mark.parametrize(
    ("method", "rest", "content"),
    [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("GET", "/graph", None),
        ("PUT", "/graph", {"nodes": [], "edges": []}),
        ("POST", "/validate", None),
        ("POST", "/activate", None),
        ("POST", "/pause", None),
        ("POST", "/trigger", {"contact_id": "con_1"}),
    ],
)
def test_an_id_that_is_none_is_not_found(app: App, workflow: str, method: str, rest: str, content: Any) -> None:
    assert app.call(method, f"/workflows/{workflow}{rest}", content).error == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"name": "w", "trigger_type": "manual", "trigger_config": NaN}',
        b'{"name": "\\ud800", "trigger_type": "manual"}',
        b'{"name": "w", "trigger_type": ["manual"]}',
        b'{"name": null, "trigger_type": "manual"}',
    ],
)
def test_what_is_no_workflow_is_a_bad_request(app: App, body: bytes) -> None:
    assert app.call("POST", "/workflows", body=body).error == (400, "invalid_request")


@pytest.mark.parametrize(
    "change",
    [
        {"canvas_x": "1"},
        {"canvas_x": True},
        {"canvas_y": None},
        {"canvas_x": 10**400},
        {"config": []},
        {"config": "x"},
        {"type": 5},
        {"public_id": 5},
        {"public_id": None},
    ],
)
def test_a_step_of_wrong_types_is_a_bad_request(app: App, change: Any) -> None:
    workflow = app.post("/workflows", {"name": "w", "trigger_type": "manual"}).json["workflow"]["publicId"]
    graph = {"nodes": [{**node("a", "wait"), **change}], "edges": []}

    assert app.call("PUT", f"/workflows/{workflow}/graph", graph).error == (400, "invalid_request")


CONFIGS: Any = st.dictionaries(
    st.sampled_from(
        ["template_id", "from", "subject", "html", "text", "reply_to", "variables", "headers", "tags", "tracking",
         "unsubscribe", "signature", "delay", "url", "operator", "conditions", "event", "to"]
    ),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8)
        | st.sampled_from(["1d", "3d", "and", "a@example.com", "http://localhost/", "𝟙d", "01s", "9" * 30 + "d"]),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["field", "comparator", "value", "windowDays", "x"]), inner, max_size=4),
        max_leaves=6,
    ),
    max_size=4,
)  # fmt: skip


@QUICK
@given(st.sampled_from(["trigger", "send_email", "wait", "condition", "webhook"]), CONFIGS)
def test_any_config_is_understood_or_named(kind: str, config: dict[str, Any]) -> None:
    app = App()
    workflow = app.post("/workflows", {"name": "w", "trigger_type": "manual"}).json["workflow"]["publicId"]
    graph = chain(node("odd", kind, **config))
    graph["edges"] = [edge for edge in graph["edges"] if kind != "trigger"]
    body = json.dumps(graph).encode()
    assert app.call("PUT", f"/workflows/{workflow}/graph", body=body).status in {200, 422}
    errors = app.post(f"/workflows/{workflow}/validate").json.get("errors", [])
    activated = app.post(f"/workflows/{workflow}/activate")
    app.post(f"/workflows/{workflow}/trigger", {"contact_id": contact(app)})
    app.wait(0)

    assert activated.status == (422 if errors else 200)
    assert kind == "trigger" or all(error.startswith("Node `odd`: ") for error in errors)
    assert all(run["status"] in {"running", "completed"} for run in runs(app))


ANY_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ANY_BODY: Any = st.dictionaries(
    st.sampled_from(
        ["name", "trigger_type", "trigger_config", "nodes", "edges", "contact_id", "event", "email", "public_id"]
    ),
    ANY_JSON | st.lists(st.dictionaries(st.sampled_from(["public_id", "type", "config"]), ANY_JSON), max_size=2),
    max_size=5,
)


@QUICK
@given(
    st.sampled_from(["POST", "PATCH", "PUT", "DELETE", "GET"]),
    st.sampled_from(["", "/events", "/{id}", "/{id}/graph", "/{id}/trigger", "/{id}/activate", "/{id}/pause"]),
    ANY_BODY,
)
def test_any_json_is_answered(method: str, path: str, content: Any) -> None:
    app = App()
    workflow = active(app, chain(mail("m")))
    url = f"http://emulator/workflows{path.format(id=workflow)}"
    body = json.dumps(content).encode("utf-8", "surrogatepass")
    response = app.emulator.handle(HttpRequest(method, url, {"Authorization": "Bearer sk_test_x"}, body), START)

    assert response.status in {200, 201, 400, 404, 405, 409, 422}
    app.wait(1)


def test_a_loop_is_named_and_what_only_leads_to_it_is_not(app: App) -> None:
    graph = {
        "nodes": [node("start", "trigger"), mail("before"), mail("a"), mail("b"), node("w", "wait", delay="1d")],
        "edges": edges(("start", "before"), ("before", "a"), ("a", "b"), ("b", "a")),
    }
    workflow = app.post("/workflows", {"name": "w", "trigger_type": "manual"}).json["workflow"]["publicId"]
    app.call("PUT", f"/workflows/{workflow}/graph", graph)

    assert app.post(f"/workflows/{workflow}/validate").json["errors"] == [
        "Node `w`: no path leads to it from the trigger.",
        "Nodes `a`, `b`: a loop must pass through a wait.",
    ]
