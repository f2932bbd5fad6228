"""Contacts on their way through workflows. No I/O, no clock.

Nobody gets an e-mail of a step twice for one visit: what a step does and that it was taken are committed together. How
long a wait lasts is counted from the moment it really began.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from poststack.emulator.api.answers import RefusalError
from poststack.emulator.api.call import Caller
from poststack.emulator.api.compose import compose
from poststack.emulator.api.workflow_steps import custom_event, email_payload, meets, wait_seconds, webhook_url
from poststack.emulator.audience.contacts import contact_data
from poststack.emulator.outreach.workflows import Node, Run, Workflow

if TYPE_CHECKING:
    from poststack.emulator.audience.contacts import ContactEvent
    from poststack.emulator.audience.records import Contact
    from poststack.emulator.backend import Backend
    from poststack.types.workflows import WorkflowBranch, WorkflowRunStatus

__all__ = ["MAX_RUNS", "WorkflowRuns"]

_logger = logging.getLogger("poststack.emulator")

MAX_RUNS = 50_000
_MAX_STEPS = 1_000
# Which domains the key that activated a workflow is for was looked at then.
_ITSELF = Caller()
# So many steps of all runs, then others get a turn.
_STEPS_IN_A_TURN = 1_000


class _Stop(Exception):  # noqa: N818  # not an error: the contact is not to get any further
    """Why a run ends before its graph does."""


class WorkflowRuns:
    """Begins the runs of one emulator, moves them along, and holds them while their workflow is paused."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._store = backend.store
        self._steps: Mapping[str, Callable[[Run, Node, Contact, float], WorkflowBranch | None]] = {
            "trigger": lambda run, node, contact, now: None,
            "send_email": self._send,
            "condition": self._decide,
            "webhook": self._post,
        }

    def make_room(self, wanted: int = 1) -> bool:
        """Forget the oldest runs that ended where there are too many; return whether so many more can begin."""
        runs = self._store.workflow_runs
        excess = len(runs) + wanted - MAX_RUNS
        if excess > 0:
            for run in list(islice((run for run in runs.all() if run.status != "running"), excess)):
                runs.remove(run)
        return len(runs) + wanted <= MAX_RUNS

    def start(self, workflow: Workflow, contact: Contact, now: float) -> Run:
        """Let a contact in; the first step is taken when time goes on. The workflow must be active, and have room."""
        trigger = workflow.trigger()
        run = Run(
            number=self._store.next_number("workflow_run"),
            workflow=workflow.number,
            contact=contact.number,
            started_at=now,
            node=None if trigger is None else trigger.number,
            due_at=now,
        )
        self._store.workflow_runs.save(run)
        return run

    def listening(self, event: str) -> list[Workflow]:
        """Return the active workflows that an event of this name begins."""
        return [
            workflow
            for workflow in self._store.workflows.all()
            if workflow.status == "active" and custom_event(workflow) == event
        ]

    def observe(self, contact: Contact, event: ContactEvent, now: float) -> None:
        """Let a contact in wherever what happened to it is the trigger."""
        for workflow in self._store.workflows.all():
            if workflow.status == "active" and workflow.trigger_type == f"contact.{event}":
                if self.make_room():
                    self.start(workflow, contact, now)
                else:
                    _logger.warning("Workflow %s let nobody in: %d runs are under way.", workflow.id, MAX_RUNS)

    def hold(self, workflow: Workflow, held: bool) -> None:
        """Hold the runs of a workflow where they are, or let them go on; waits go on meanwhile."""
        for run in self._store.workflow_runs.all():
            if run.workflow == workflow.number and run.status == "running":
                run.held = held
                self._store.workflow_runs.save(run)

    def remove(self, workflow: Workflow) -> None:
        """Forget a workflow with its runs, which go no further."""
        for run in self._store.workflow_runs.all():
            if run.workflow == workflow.number:
                self._store.workflow_runs.remove(run)
        self._store.workflows.remove(workflow)

    def run(self, now: float) -> None:
        """Take the steps that are due, or of very many the first; the others still are due afterwards."""
        for _ in range(_STEPS_IN_A_TURN):
            run = self._store.workflow_runs.due(now)
            if run is None:
                break
            try:
                self._go_on(run, now)
            except _Stop as stop:
                self._end(run, "stopped", now, str(stop))
            except RefusalError as refusal:
                self._end(run, "failed", now, refusal.error)
            self._store.workflow_runs.save(run)

    def _go_on(self, run: Run, now: float) -> None:
        workflow, contact = self._store.workflows.get(run.workflow), self._store.contacts.get(run.contact)
        node = None if workflow is None else workflow.node(run.node)
        if contact is None:
            raise _Stop("The contact was deleted.")
        if workflow is None or node is None:
            raise _Stop("The step it was at was taken out of the workflow.")
        branch = None
        if not run.waiting:
            if len(run.path) >= _MAX_STEPS:
                raise RefusalError(422, f"A run takes at most {_MAX_STEPS} steps.")
            run.path.append(node.id)
            if node.type == "wait":
                run.due_at = now + wait_seconds(node.config)
                run.waiting = True
                return
            branch = self._steps[node.type](run, node, contact, now)
        run.waiting = False
        following = workflow.after(node, branch)
        if following is None:
            run.node = None
            self._end(run, "completed", now)
        else:
            run.node, run.due_at = following.number, now

    def _end(self, run: Run, status: WorkflowRunStatus, now: float, problem: str | None = None) -> None:
        run.status, run.problem = status, problem
        run.due_at, run.waiting = None, False
        run.completed_at = now

    def _send(self, run: Run, node: Node, contact: Contact, now: float) -> None:
        if contact.unsubscribed:
            raise _Stop("The contact is unsubscribed.")
        if self._store.suppression(contact.email) is not None:
            raise _Stop("The address of the contact is suppressed.")
        workflow = self._store.workflows.get(run.workflow)
        email = self._backend.lifecycle.accept(
            compose(self._backend, email_payload(self._backend, node.config, contact), _ITSELF),
            "em_" + self._backend.ids(18),
            now,
            test_mode=workflow is None or workflow.test_mode,
            scheduled_at=None,
            idempotency_key=None,
            fingerprint="",
        )
        run.email_ids.append(email.id)

    def _decide(self, run: Run, node: Node, contact: Contact, now: float) -> WorkflowBranch:
        return "match" if meets(self._backend, node.config, contact, now) else "no_match"

    def _post(self, run: Run, node: Node, contact: Contact, now: float) -> None:
        workflow = self._store.workflows.get(run.workflow)
        data = {
            "workflow_id": None if workflow is None else workflow.id,
            "node_id": node.id,
            "run_id": run.number,
            **contact_data(contact),
        }
        self._backend.deliveries.post(webhook_url(node.config), "workflow.webhook", data, now)
