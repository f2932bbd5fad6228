"""Whatever is asked of the whole API, in whatever order: it never fails, and stays one consistent thing."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from poststack.emulator.model import EventType
from tests.emulator.whole_api.arguments import PEOPLE, SHOP, calls
from tests.emulator.whole_api.looking import READING
from tests.emulator.whole_api.methods import METHODS
from tests.emulator.whole_api.world import World

IS_EXHAUSTIVE: Final = os.environ.get("POSTSTACK_EXHAUSTIVE") == "1"
STORIES: Final = 3_000 if IS_EXHAUSTIVE else 25
STEPS: Final = 80
CHANGING: Final = [name for name in METHODS if name not in READING]
GROUPS: Final = sorted({name.split(".")[0] for name in CHANGING})
SECONDS: Final = (0, 0.3, 1, 2, 6, 61, 1_900, 5_000, 90_000, 3_000_000)
HAPPENING: Final[tuple[EventType, ...]] = (
    "opened",
    "clicked",
    "bounced",
    "complained",
    "unsubscribed",
    "delivered",
    "failed",
    "deferred",
)

pytestmark = pytest.mark.timeout(14_400 if IS_EXHAUSTIVE else 600)
reached: set[str] = set()
not_simulated: set[str] = set()


def tell_story(data: st.DataObject) -> None:
    """Tell one story: mostly of a few groups of the API, so that they meet, and now and then of all of them."""
    world = World()
    try:
        world.populate()
        groups = data.draw(st.lists(st.sampled_from(GROUPS), min_size=2, max_size=4, unique=True), "groups")
        focus = [name for name in CHANGING if name.split(".")[0] in groups]
        for _ in range(STEPS):
            go_on(world, data, focus)
        world.end()
    finally:
        reached.update(world.reached)
        not_simulated.update(world.not_simulated)
        world.close()


def go_on(world: World, data: st.DataObject, focus: list[str]) -> None:
    """Take one step of a story."""
    what, number = data.draw(st.tuples(st.integers(0, 99), st.integers(0, 99)), "what and which")
    if what == 0:
        note("nothing")  # the simplest step, so that a story shrinks to those that matter
    elif what < 55:
        world.call(data.draw(calls(world.known, focus, careful=True), "use"))
    elif what < 62:
        world.call(data.draw(calls(world.known, METHODS, careful=True), "use anything"))
    elif what < 78:
        world.call(data.draw(calls(world.known, METHODS, careful=False), "misuse"))
    elif what < 82:
        key = world.keys[number % len(world.keys)]
        world.call(data.draw(calls(world.known, METHODS, careful=True), f"use key {number}"), key)
    elif what < 87:
        world.wait(SECONDS[number % len(SECONDS)])
    elif what < 91:
        world.simulate(number // 8, HAPPENING[number % len(HAPPENING)])
    elif what < 94:
        at = "a@example.com" if number % 3 == 0 else f"support+7@{SHOP}"
        world.receive(PEOPLE[number % len(PEOPLE)], attached=number % 2 == 0, recipient=at)
    elif what < 96:
        world.set_dns(number // 4, readable=number % 2 == 0, missing=number % 4 > 1)
    elif what < 98:
        world.tidy(number)
    elif number % 2:
        note("restart")
        world.restart()
    else:
        world.look()


def test_the_api_holds_together_whatever_is_asked_of_it() -> None:
    reached.clear()
    not_simulated.clear()
    settings(
        max_examples=STORIES,
        deadline=None,
        # The usual run is always the same one, so that it says the same everywhere.
        derandomize=not IS_EXHAUSTIVE,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )(given(data=st.data())(tell_story))()
    simulated = set(METHODS) - not_simulated
    # Which calls come depends on the release of Hypothesis, but most must have been answered in some story.
    assert len(reached & simulated) >= 2 / 3 * len(simulated), sorted(simulated - reached)
