"""Whether the steps of a workflow hang together, whatever each of them does. Pure rules, no state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from poststack.emulator.outreach.workflows import Edge, Node

__all__ = ["problems"]

_NAMED = 5


def problems(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[str]:
    """Return what keeps these steps from being run, in the order of the steps; nothing when they can be.

    The ends of all edges must be among the steps.
    """
    triggers = [node for node in nodes if node.type == "trigger"]
    if len(triggers) != 1:
        return [f"A workflow has exactly one node of type trigger, not {len(triggers)}."]
    (trigger,) = triggers
    found = [problem for node in nodes for problem in _problems_behind(node, [e for e in edges if e.start == node.id])]
    if any(edge.end == trigger.id for edge in edges):
        found.append(f"Node `{trigger.id}`: nothing can lead to the trigger.")
    reached = _reached(trigger, edges)
    found += [f"Node `{node.id}`: no path leads to it from the trigger." for node in nodes if node.id not in reached]
    if loop := _loop_without_wait(nodes, edges):
        found.append(f"{_names(loop)}: a loop must pass through a wait.")
    return found


def _problems_behind(node: Node, leaving: Sequence[Edge]) -> Iterable[str]:
    if node.type == "trigger" and not leaving:
        yield f"Node `{node.id}`: the trigger leads to no step."
    if node.type == "condition":
        if any(edge.branch is None for edge in leaving):
            yield f"Node `{node.id}`: each edge behind a condition needs the branch match or no_match."
    elif any(edge.branch is not None for edge in leaving):
        yield f"Node `{node.id}`: only edges behind a condition have a branch."
    if any(times > 1 for times in Counter(edge.branch for edge in leaving).values()):
        yield f"Node `{node.id}`: more than one edge leaves it" + (
            " on the same branch." if node.type == "condition" else "."
        )


def _reached(trigger: Node, edges: Sequence[Edge]) -> set[str]:
    followers: dict[str, list[str]] = {}
    for edge in edges:
        followers.setdefault(edge.start, []).append(edge.end)
    reached, ahead = {trigger.id}, [trigger.id]
    while ahead:
        new = set(followers.get(ahead.pop(), ())) - reached
        reached |= new
        ahead += new
    return reached


def _loop_without_wait(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[Node]:
    """Return the steps on loops that no time passes in, and those between such loops."""
    left = [node for node in nodes if node.type != "wait"]
    while True:
        ids = {node.id for node in left}
        inner = [edge for edge in edges if edge.start in ids and edge.end in ids]
        starts, ends = {edge.start for edge in inner}, {edge.end for edge in inner}
        kept = [node for node in left if node.id in starts and node.id in ends]
        if len(kept) == len(left):
            return kept
        left = kept


def _names(nodes: Sequence[Node]) -> str:
    named = ", ".join(f"`{node.id}`" for node in nodes[:_NAMED])
    return ("Node " if len(nodes) == 1 else "Nodes ") + named + (", …" if len(nodes) > _NAMED else "")
