# Written by tools/unasync.py from poststack/_async/workflows.py. Do not edit.
"""Graphs of steps that contacts pass through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poststack._request import Request, segment
from poststack.types.common import Success
from poststack.types.workflows import (
    WorkflowAnswer,
    WorkflowEventAnswer,
    WorkflowGraphAnswer,
    WorkflowList,
    WorkflowRunAnswer,
    WorkflowValidation,
)

if TYPE_CHECKING:
    from poststack._sync.session import Session
    from poststack.types.workflows import (
        CreateWorkflow,
        PutWorkflowGraph,
        TriggerWorkflow,
        UpdateWorkflow,
        WorkflowEvent,
    )

__all__ = ["Workflows"]


class Workflows:
    """Build workflows and send contacts through them. Every `id` is a `wf_…` id.

    Only sends honour idempotency keys. A `create` that failed without an answer may have taken effect, and its retries
    can make a second workflow. A `trigger` or `post_event` that failed so may have begun a run, whose e-mails a second
    one would send again: these two are not retried once an attempt may have taken effect, and the error says so in
    `may_have_taken_effect`.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session

    def list(self, *, timeout: float | None = None) -> WorkflowList:
        """Return all workflows, without their graphs."""
        return self._session.call(Request("GET", "/workflows", WorkflowList), timeout)

    def create(self, input: CreateWorkflow, *, timeout: float | None = None) -> WorkflowAnswer:
        """Make a workflow, a draft. `put_graph` gives it its steps, `activate` starts it."""
        return self._session.call(Request("POST", "/workflows", WorkflowAnswer, body=input), timeout)

    def get(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Return one workflow, without its graph."""
        return self._session.call(Request("GET", f"/workflows/{segment(id)}", WorkflowAnswer), timeout)

    def update(self, id: str, input: UpdateWorkflow, *, timeout: float | None = None) -> WorkflowAnswer:
        """Change the name or the trigger."""
        return self._session.call(Request("PATCH", f"/workflows/{segment(id)}", WorkflowAnswer, body=input), timeout)

    def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a workflow."""
        return self._session.call(Request("DELETE", f"/workflows/{segment(id)}", Success), timeout)

    def get_graph(self, id: str, *, timeout: float | None = None) -> WorkflowGraphAnswer:
        """Return the steps of a workflow."""
        return self._session.call(Request("GET", f"/workflows/{segment(id)}/graph", WorkflowGraphAnswer), timeout)

    def put_graph(self, id: str, input: PutWorkflowGraph, *, timeout: float | None = None) -> WorkflowGraphAnswer:
        """Replace all steps of a workflow at once. Harmless to repeat."""
        return self._session.call(
            Request("PUT", f"/workflows/{segment(id)}/graph", WorkflowGraphAnswer, body=input), timeout
        )

    def validate_graph(self, id: str, *, timeout: float | None = None) -> WorkflowValidation:
        """Return whether the stored steps can run. Nothing is changed."""
        return self._session.call(Request("POST", f"/workflows/{segment(id)}/validate", WorkflowValidation), timeout)

    def activate(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Let contacts in from now on. Harmless to repeat."""
        return self._session.call(Request("POST", f"/workflows/{segment(id)}/activate", WorkflowAnswer), timeout)

    def pause(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Let no contacts in for now. Harmless to repeat."""
        return self._session.call(Request("POST", f"/workflows/{segment(id)}/pause", WorkflowAnswer), timeout)

    def trigger(self, id: str, input: TriggerWorkflow, *, timeout: float | None = None) -> WorkflowRunAnswer:
        """Send a contact through a workflow. Refused with 422 unless it is active and its trigger `manual`."""
        return self._session.call(
            Request("POST", f"/workflows/{segment(id)}/trigger", WorkflowRunAnswer, body=input, repeatable=False),
            timeout,
        )

    def post_event(self, input: WorkflowEvent, *, timeout: float | None = None) -> WorkflowEventAnswer:
        """Tell of something that happened to a contact: active workflows that listen for that event take it in.

        `matched` is how many do. None usually means that the name of the event is misspelt: case counts.
        """
        return self._session.call(
            Request("POST", "/workflows/events", WorkflowEventAnswer, body=input, repeatable=False), timeout
        )
