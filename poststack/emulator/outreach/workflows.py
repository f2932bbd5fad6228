"""Workflows with their graphs, and the runs of contacts through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poststack.emulator.tables import Kind
from poststack.types.workflows import (
    WorkflowBranch,
    WorkflowNodeType,
    WorkflowRunStatus,
    WorkflowStatus,
    WorkflowTriggerType,
)

__all__ = ["RUNS", "WORKFLOWS", "Edge", "Node", "Run", "Workflow"]


@dataclass(frozen=True)
class Node:
    """One step. `id` is the public one; `number` is another one when the step was replaced by one of another type."""

    number: int
    id: str
    type: WorkflowNodeType
    config: Mapping[str, Any] = field(repr=False)
    canvas_x: float
    canvas_y: float


@dataclass(frozen=True)
class Edge:
    """What follows a step. The ends are public ids of steps; only behind a condition there is a branch."""

    start: str
    end: str
    branch: WorkflowBranch | None = None


@dataclass
class Workflow:
    """A graph of steps. `test_mode` is that of the key which activated it, and so of the e-mails that it sends."""

    number: int
    id: str
    name: str
    trigger_type: WorkflowTriggerType
    created_at: float
    updated_at: float
    trigger_config: Mapping[str, Any] | None = None
    status: WorkflowStatus = "draft"
    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()
    test_mode: bool = True

    def node(self, number: int | None) -> Node | None:
        """Return the step with this number."""
        return next((node for node in self.nodes if node.number == number), None)

    def trigger(self) -> Node | None:
        """Return the step where every run begins."""
        return next((node for node in self.nodes if node.type == "trigger"), None)

    def after(self, node: Node, branch: WorkflowBranch | None) -> Node | None:
        """Return the step that follows on this branch, `None` where the graph ends."""
        end = next((edge.end for edge in self.edges if edge.start == node.id and edge.branch == branch), None)
        return next((node for node in self.nodes if node.id == end), None)


@dataclass
class Run:
    """One contact on its way. `workflow`, `contact` and `node`, the step it is at, are numbers.

    `path` holds the public ids of the steps taken, in order. A run is `waiting` when it took its step and time has to
    pass before the next; it is `held` while its workflow is paused. `problem` says why it failed or was stopped.
    """

    number: int
    workflow: int
    contact: int
    started_at: float
    node: int | None
    due_at: float | None
    status: WorkflowRunStatus = "running"
    completed_at: float | None = None
    waiting: bool = False
    held: bool = False
    path: list[str] = field(default_factory=list[str])
    email_ids: list[str] = field(default_factory=list[str])
    problem: str | None = None


def _workflow(*, nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], **rest: Any) -> Workflow:
    return Workflow(nodes=[Node(**node) for node in nodes], edges=[Edge(**edge) for edge in edges], **rest)


WORKFLOWS = Kind("workflow", _workflow, keys={"id": lambda workflow: workflow.id})
RUNS = Kind("workflow_run", Run, due=lambda run: None if run.held else run.due_at)
