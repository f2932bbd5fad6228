"""Graphs of workflows for tests, in few words."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

EMAIL = {"from": "shop@example.com", "subject": "Welcome", "text": "Hello"}


def node(public_id: str, kind: str, **config: Any) -> Any:
    """Return a step."""
    return {"public_id": public_id, "type": kind, "config": config, "canvas_x": 1.5, "canvas_y": -2}


def mail(public_id: str, **config: Any) -> Any:
    """Return a step that sends an e-mail whose subject is the id of the step."""
    return node(public_id, "send_email", **{**EMAIL, "subject": public_id, **config})


def edges(*pairs: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return edges between steps; a third part of a pair is the branch."""
    return [
        {"from_public_id": pair[0], "to_public_id": pair[1], "branch": pair[2] if len(pair) == 3 else None}
        for pair in pairs
    ]


def chain(*nodes: Any) -> Any:
    """Return a graph in which the steps follow one another, behind a trigger."""
    every = [node("start", "trigger"), *nodes]
    return {
        "nodes": every,
        "edges": edges(*((before["public_id"], after["public_id"]) for before, after in pairwise(every))),
    }
