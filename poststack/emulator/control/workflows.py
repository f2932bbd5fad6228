"""`/_emulator/workflow-runs`: how far contacts got in workflows, which the API says only when a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from poststack.emulator.api.answers import Reply
from poststack.emulator.api.call import Call
from poststack.emulator.api.fields import query_choice
from poststack.emulator.api.routes import Route
from poststack.emulator.api.wire import page_json, slice_page
from poststack.emulator.api.workflows import run_json
from poststack.emulator.backend import Backend
from poststack.emulator.control.emails import PREFIX
from poststack.emulator.model import iso
from poststack.emulator.outreach.workflows import Run
from poststack.types import WorkflowRunStatus

__all__ = ["ROUTES"]


def _run(backend: Backend, run: Run) -> dict[str, Any]:
    workflow, contact = backend.store.workflows.get(run.workflow), backend.store.contacts.get(run.contact)
    node = None if workflow is None else workflow.node(run.node)
    return {
        **run_json(run),
        "workflowPublicId": None if workflow is None else workflow.id,
        "contactPublicId": None if contact is None else contact.id,
        "currentNodePublicId": None if node is None else node.id,
        "path": run.path,
        "emails": run.email_ids,
        "waiting": run.waiting,
        "held": run.held,
        "dueAt": None if run.due_at is None else iso(run.due_at),
        "problem": run.problem,
    }


def _runs(backend: Backend, call: Call, arguments: Mapping[str, str]) -> Reply:
    numbers: dict[str, int | None] = {}
    if "workflow_id" in call.query:
        workflow = backend.store.workflows.find("id", call.query["workflow_id"])
        numbers["workflow"] = None if workflow is None else workflow.number
    if "contact_id" in call.query:
        contact = backend.store.contacts.find("id", call.query["contact_id"])
        numbers["contact"] = None if contact is None else contact.number
    status = query_choice(call.query, "status", get_args(WorkflowRunStatus))
    found = [
        run
        for run in backend.store.workflow_runs.newest()
        if all(getattr(run, name) == number for name, number in numbers.items()) and status in {None, run.status}
    ]
    page = slice_page(found, *call.page())
    return Reply(200, {"data": [_run(backend, run) for run in page.items], "meta": page_json(page)})


ROUTES = (Route("GET", PREFIX + "/workflow-runs", _runs),)
