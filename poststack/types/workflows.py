"""Graphs of steps that contacts pass through (poststack-api §4.13)."""

from typing import Any, Literal

from poststack.types.common import NotRequired, TypedDict

__all__ = [
    "CreateWorkflow",
    "PutWorkflowEdge",
    "PutWorkflowGraph",
    "TriggerWorkflow",
    "UpdateWorkflow",
    "Workflow",
    "WorkflowAnswer",
    "WorkflowBranch",
    "WorkflowEdge",
    "WorkflowEvent",
    "WorkflowEventAnswer",
    "WorkflowGraph",
    "WorkflowGraphAnswer",
    "WorkflowList",
    "WorkflowNode",
    "WorkflowNodeType",
    "WorkflowRun",
    "WorkflowRunAnswer",
    "WorkflowRunStatus",
    "WorkflowStatus",
    "WorkflowTriggerType",
    "WorkflowValidation",
]

WorkflowStatus = Literal["draft", "active", "paused"]
WorkflowTriggerType = Literal["contact.created", "contact.subscribed", "custom", "manual"]
WorkflowNodeType = Literal["trigger", "send_email", "wait", "condition", "webhook"]
WorkflowBranch = Literal["match", "no_match"]
WorkflowRunStatus = Literal["running", "completed", "failed", "stopped"]


class Workflow(TypedDict):
    """A workflow without its graph. `publicId` is the `wf_…` id that every method takes; `id` is internal."""

    id: int
    publicId: str
    name: str
    triggerType: WorkflowTriggerType
    triggerConfig: NotRequired[dict[str, Any] | None]
    status: WorkflowStatus
    createdAt: str
    updatedAt: str


class WorkflowAnswer(TypedDict):
    """One workflow."""

    workflow: Workflow


class WorkflowList(TypedDict):
    """All workflows."""

    data: list[Workflow]


class CreateWorkflow(TypedDict):
    """A new workflow, a draft until it is activated."""

    name: str
    trigger_type: WorkflowTriggerType
    trigger_config: NotRequired[dict[str, Any]]


class UpdateWorkflow(TypedDict, total=False):
    """What to change; everything else stays."""

    name: str
    trigger_type: WorkflowTriggerType
    trigger_config: dict[str, Any] | None


class WorkflowNode(TypedDict):
    """One step, and where the editor draws it. `public_id` is `wfn_…`, in a new step of your own choice."""

    public_id: str
    type: WorkflowNodeType
    config: dict[str, Any]
    canvas_x: float
    canvas_y: float


class WorkflowEdge(TypedDict):
    """What follows a step. `branch` is `None` except behind a condition."""

    from_public_id: str
    to_public_id: str
    branch: WorkflowBranch | None


class PutWorkflowEdge(TypedDict):
    """What is to follow a step. Give `branch` behind a condition only."""

    from_public_id: str
    to_public_id: str
    branch: NotRequired[WorkflowBranch | None]


class WorkflowGraph(TypedDict):
    """All steps of a workflow."""

    nodes: list[WorkflowNode]
    edges: list[WorkflowEdge]


class WorkflowGraphAnswer(TypedDict):
    """The graph of one workflow."""

    graph: WorkflowGraph


class PutWorkflowGraph(TypedDict):
    """All steps that the workflow is to have."""

    nodes: list[WorkflowNode]
    edges: list[PutWorkflowEdge]


class WorkflowValidation(TypedDict):
    """Whether the stored graph can run, and what is wrong when it cannot."""

    valid: bool
    errors: NotRequired[list[str]]


class TriggerWorkflow(TypedDict):
    """Whom to send through: a `con_…` id."""

    contact_id: str


class WorkflowRun(TypedDict):
    """One contact on its way. Ids are internal."""

    id: int
    workflowId: int
    contactId: int
    status: WorkflowRunStatus
    currentNodeId: int | None
    nodesVisited: int
    startedAt: str
    completedAt: str | None


class WorkflowRunAnswer(TypedDict):
    """The run that was begun."""

    run: WorkflowRun


class WorkflowEvent(TypedDict):
    """Something that happened in your application, to the contact `contact_id` (`con_…`) or `email`: give one."""

    event: str
    """Upper and lower case count."""
    contact_id: NotRequired[str]
    email: NotRequired[str]


class WorkflowEventAnswer(TypedDict):
    """How many workflows listen for the event. None usually means that its name is misspelt."""

    event: NotRequired[str]
    matched: int
