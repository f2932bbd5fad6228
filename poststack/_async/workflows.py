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
    from poststack._async.session import AsyncSession
    from poststack.types.workflows import (
        CreateWorkflow,
        PutWorkflowGraph,
        TriggerWorkflow,
        UpdateWorkflow,
        WorkflowEvent,
    )

__all__ = ["AsyncWorkflows"]


class AsyncWorkflows:
    """Build workflows and send contacts through them. Every `id` is a `wf_…` id.

    Only sends honour idempotency keys. A `create` that failed without an answer may have taken effect, and its retries
    can make a second workflow. A `trigger` or `post_event` that failed so may have begun a run, whose e-mails a second
    one would send again: these two are not retried once an attempt may have taken effect, and the error says so in
    `may_have_taken_effect`.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session: AsyncSession = session

    async def list(self, *, timeout: float | None = None) -> WorkflowList:
        """Return all workflows, without their graphs."""
        return await self._session.call(Request("GET", "/workflows", WorkflowList), timeout)

    async def create(self, input: CreateWorkflow, *, timeout: float | None = None) -> WorkflowAnswer:
        """Make a workflow, a draft. `put_graph` gives it its steps, `activate` starts it."""
        return await self._session.call(Request("POST", "/workflows", WorkflowAnswer, body=input), timeout)

    async def get(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Return one workflow, without its graph."""
        return await self._session.call(Request("GET", f"/workflows/{segment(id)}", WorkflowAnswer), timeout)

    async def update(self, id: str, input: UpdateWorkflow, *, timeout: float | None = None) -> WorkflowAnswer:
        """Change the name or the trigger."""
        return await self._session.call(
            Request("PATCH", f"/workflows/{segment(id)}", WorkflowAnswer, body=input), timeout
        )

    async def delete(self, id: str, *, timeout: float | None = None) -> Success:
        """Remove a workflow."""
        return await self._session.call(Request("DELETE", f"/workflows/{segment(id)}", Success), timeout)

    async def get_graph(self, id: str, *, timeout: float | None = None) -> WorkflowGraphAnswer:
        """Return the steps of a workflow."""
        return await self._session.call(Request("GET", f"/workflows/{segment(id)}/graph", WorkflowGraphAnswer), timeout)

    async def put_graph(self, id: str, input: PutWorkflowGraph, *, timeout: float | None = None) -> WorkflowGraphAnswer:
        """Replace all steps of a workflow at once. Harmless to repeat."""
        return await self._session.call(
            Request("PUT", f"/workflows/{segment(id)}/graph", WorkflowGraphAnswer, body=input), timeout
        )

    async def validate_graph(self, id: str, *, timeout: float | None = None) -> WorkflowValidation:
        """Return whether the stored steps can run. Nothing is changed."""
        return await self._session.call(
            Request("POST", f"/workflows/{segment(id)}/validate", WorkflowValidation), timeout
        )

    async def activate(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Let contacts in from now on. Harmless to repeat."""
        return await self._session.call(Request("POST", f"/workflows/{segment(id)}/activate", WorkflowAnswer), timeout)

    async def pause(self, id: str, *, timeout: float | None = None) -> WorkflowAnswer:
        """Let no contacts in for now. Harmless to repeat."""
        return await self._session.call(Request("POST", f"/workflows/{segment(id)}/pause", WorkflowAnswer), timeout)

    async def trigger(self, id: str, input: TriggerWorkflow, *, timeout: float | None = None) -> WorkflowRunAnswer:
        """Send a contact through a workflow. Refused with 422 unless it is active and its trigger `manual`."""
        return await self._session.call(
            Request("POST", f"/workflows/{segment(id)}/trigger", WorkflowRunAnswer, body=input, repeatable=False),
            timeout,
        )

    async def post_event(self, input: WorkflowEvent, *, timeout: float | None = None) -> WorkflowEventAnswer:
        """Tell of something that happened to a contact: active workflows that listen for that event take it in.

        `matched` is how many do. None usually means that the name of the event is misspelt: case counts.
        """
        return await self._session.call(
            Request("POST", "/workflows/events", WorkflowEventAnswer, body=input, repeatable=False), timeout
        )
