"""Any graph of a workflow, at any moments, with restarts in between: what happens is what the graph says, once.

The oracle walks through the graph by itself. It knows nothing of the emulator but the documented meaning of a step.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.core import Emulator
from poststack.emulator.journal import SqliteJournal
from tests.client.workflow_graphs import edges, mail, node
from tests.emulator.app import START, App

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOUR = 3_600
MOST_STEPS = 1_000

IS_YES = {"operator": "or", "conditions": [{"field": "firstName", "comparator": "equals", "value": "yes"}]}


def step(public_id: str, kind: str, hours: int) -> Any:
    """Return a step; `hours` is how long a wait takes."""
    if kind == "send_email":
        return mail(public_id)
    configs: dict[str, dict[str, Any]] = {
        "webhook": {"url": f"http://localhost/{public_id}"},
        "wait": {"delay": f"{hours}h"},
        "condition": IS_YES,
    }
    return node(public_id, kind, **configs[kind])


@dataclass
class World:
    """A graph, who goes through it when, and when the emulator is looked at or started again."""

    graph: dict[str, Any]
    starts: list[tuple[int, str]]
    looks: list[int]
    restarts: frozenset[int]

    @property
    def moments(self) -> list[int]:
        return sorted({*(hour for hour, _ in self.starts), *self.looks})


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = [f"n{number}" for number in range(draw(st.integers(1, 7)))]
    kinds = {name: draw(st.sampled_from(["send_email", "wait", "condition", "webhook"])) for name in names}
    nodes = [node("start", "trigger"), *(step(name, kinds[name], draw(st.integers(1, 50))) for name in names)]
    links: list[tuple[str, ...]] = [("start", draw(st.sampled_from(names)))]
    for name in names:
        for branch in (("match",), ("no_match",)) if kinds[name] == "condition" else ((),):
            end = draw(st.none() | st.sampled_from(names))
            if end is not None:
                links.append((name, end, *branch))
    hours = st.integers(0, 120)
    starts = draw(st.lists(st.tuples(hours, st.sampled_from(["yes", "no"])), min_size=1, max_size=3))
    looks = draw(st.lists(hours, max_size=6))
    restarts = frozenset(draw(st.sets(st.sampled_from(sorted({*looks, *(hour for hour, _ in starts)})))))
    graph: dict[str, Any] = {"nodes": nodes, "edges": edges(*links)}
    if draw(st.integers(0, 9)):
        # Most graphs are to have no step that nothing leads to, so that most can be activated.
        kept = reached(graph)
        graph = {
            "nodes": [entry for entry in nodes if entry["public_id"] in kept],
            "edges": [edge for edge in graph["edges"] if edge["from_public_id"] in kept],
        }
    return World(graph, starts, looks, restarts)


@dataclass
class Walk:
    """What the graph says of one contact until a moment: steps with their hours, and how it stands."""

    steps: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    status: str = "running"


def walk(graph: dict[str, Any], hour: int, contact: str, until: int) -> Walk:
    nodes = {entry["public_id"]: entry for entry in graph["nodes"]}
    following = {(edge["from_public_id"], edge["branch"]): edge["to_public_id"] for edge in graph["edges"]}
    found, here = Walk(), "start"
    while True:
        if len(found.steps) == MOST_STEPS:
            found.status = "failed"
            return found
        found.steps.append((here, hour))
        entry, branch = nodes[here], None
        if entry["type"] == "wait":
            hour += int(entry["config"]["delay"][:-1])
            if hour > until:
                return found
        elif entry["type"] == "condition":
            branch = "match" if contact == "yes" else "no_match"
        if (here, branch) not in following:
            found.status = "completed"
            return found
        here = following[here, branch]


def loops_in_no_time(graph: dict[str, Any]) -> bool:
    """Return whether somebody could go round without a wait, by taking away what leads nowhere again and again."""
    quick = {entry["public_id"] for entry in graph["nodes"] if entry["type"] != "wait"}
    links = {(edge["from_public_id"], edge["to_public_id"]) for edge in graph["edges"]}
    left = set(quick)
    while dead := {name for name in left if not any((name, other) in links for other in left)}:
        left -= dead
    return bool(left)


def reached(graph: dict[str, Any]) -> set[str]:
    found = {"start"}
    while new := {e["to_public_id"] for e in graph["edges"] if e["from_public_id"] in found} - found:
        found |= new
    return found


@dataclass
class Outcome:
    """Everything that can be seen of what happened."""

    mails: list[tuple[str, str, float]]
    posts: list[str]
    runs: list[Any]
    due: float | None


def opened(file: Path) -> App:
    app = App()
    # Counted ids would begin anew with each start and so come twice.
    app.emulator = Emulator(journal=SqliteJournal(file))
    return app


def lived(world: World, folder: Path, *, restart: bool) -> Outcome | None:
    """Let it all happen; `None` for a graph that is not activated."""
    file = folder / f"{restart}.sqlite"
    app = opened(file)
    workflow = app.post("/workflows", {"name": "w", "trigger_type": "manual"}).json["workflow"]["publicId"]
    assert app.call("PUT", f"/workflows/{workflow}/graph", world.graph).status == 200
    people = {
        name: app.post("/contacts", {"email": f"{name}@example.com", "first_name": name}).json["contact"]["publicId"]
        for name in ("yes", "no")
    }
    activated = app.post(f"/workflows/{workflow}/activate")
    if activated.status != 200:
        app.emulator.close()
        assert loops_in_no_time(world.graph) or reached(world.graph) < {n["public_id"] for n in world.graph["nodes"]}
        return None
    posts: list[str] = []
    for hour in world.moments:
        posts += [body.decode() for body in app.wait(START + hour * HOUR - app.now)]
        for moment, name in world.starts:
            if moment == hour:
                assert app.post(f"/workflows/{workflow}/trigger", {"contact_id": people[name]}).status == 201
        if restart and hour in world.restarts:
            app.emulator.close()
            now, app = app.now, opened(file)
            app.now = now
    posts += [body.decode() for body in app.wait(HOUR / 2)]
    store = app.emulator.store
    outcome = Outcome(
        [(email.message.subject, email.message.to[0].address, email.created_at) for email in store.accepted()],
        posts,
        [replace(run, email_ids=[str(len(run.email_ids))]) for run in store.workflow_runs.all()],
        store.next_due(),
    )
    app.emulator.close()
    return outcome


@QUICK
@given(worlds())
def test_what_happens_is_what_the_graph_says_and_a_restart_changes_nothing(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcome, undisturbed = (lived(world, Path(folder), restart=restart) for restart in (True, False))
    if outcome is None or undisturbed is None:
        assert outcome is undisturbed
        return
    end = world.moments[-1]
    starts = sorted(world.starts, key=lambda start: start[0])
    walks = [walk(world.graph, hour, name, end) for hour, name in starts]
    taken = [(step, name, hour) for (_, name), found in zip(starts, walks, strict=True) for step, hour in found.steps]
    kinds = {entry["public_id"]: entry["type"] for entry in world.graph["nodes"]}
    sent = Counter(
        (step, f"{name}@example.com", START + hour * HOUR) for step, name, hour in taken if kinds[step] == "send_email"
    )

    assert [run.status for run in outcome.runs] == [found.status for found in walks]
    assert [run.path for run in outcome.runs] == [[step for step, _ in found.steps] for found in walks]
    assert all((run.due_at is not None) == (run.status == "running") == run.waiting for run in outcome.runs)
    assert Counter(outcome.mails) == sent
    assert sum(int(run.email_ids[0]) for run in outcome.runs) == sent.total()
    assert len(outcome.posts) == sum(kinds[step] == "webhook" for step, _, _ in taken)
    assert (outcome.mails, outcome.runs, outcome.due) == (undisturbed.mails, undisturbed.runs, undisturbed.due)
