"""Whatever is asked of the whole API, in whatever order: it never fails, and stays one consistent thing."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from poststack.emulator.model import EventType
from tests.emulator.whole_api.arguments import PEOPLE, SHOP, calls
from tests.emulator.whole_api.methods import METHODS
from tests.emulator.whole_api.world import World

IS_EXHAUSTIVE: Final = os.environ.get("POSTSTACK_EXHAUSTIVE") == "1"
EXAMPLES: Final = 3_000 if IS_EXHAUSTIVE else 20
GROUPS: Final = sorted({name.split(".")[0] for name in METHODS})
HAPPENING: Final[tuple[EventType, ...]] = ("opened", "clicked", "bounced", "complained", "unsubscribed", "delivered", "failed", "deferred")

pytestmark = pytest.mark.timeout(7_200 if IS_EXHAUSTIVE else 300)
reached: set[str] = set()


class WholeApi(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.focus: list[str] = METHODS

    @initialize(groups=st.lists(st.sampled_from(GROUPS), min_size=2, max_size=6, unique=True))
    def begin(self, groups: list[str]) -> None:
        self.world.populate()
        self.focus = [name for name in METHODS if name.split(".")[0] in groups]

    @rule(data=st.data(), times=st.integers(1, 4))
    def use(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            self.world.call(data.draw(calls(self.world.known, self.focus, careful=True)))

    @rule(data=st.data(), times=st.integers(1, 4))
    def use_anything(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            self.world.call(data.draw(calls(self.world.known, METHODS, careful=True)))

    @rule(data=st.data(), times=st.integers(1, 4))
    def misuse(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            self.world.call(data.draw(calls(self.world.known, METHODS, careful=False)))

    @rule(data=st.data(), number=st.integers(0, 20))
    def use_another_key(self, data: st.DataObject, number: int) -> None:
        key = self.world.keys[number % len(self.world.keys)]
        self.world.call(data.draw(calls(self.world.known, METHODS, careful=True)), key)

    @rule(seconds=st.sampled_from([0, 0.3, 1, 2, 61, 3_700, 90_000, 3_000_000]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(number=st.integers(0, 50), event=st.sampled_from(HAPPENING))
    def simulate(self, number: int, event: EventType) -> None:
        self.world.simulate(number, event)

    @rule(sender=st.sampled_from(PEOPLE), attached=st.booleans(), at=st.sampled_from([f"info@{SHOP}", "a@example.com"]))
    def receive(self, sender: str, attached: bool, at: str) -> None:
        self.world.receive(sender, attached=attached, recipient=at)

    @rule(number=st.integers(0, 5), readable=st.booleans(), missing=st.booleans())
    def set_dns(self, number: int, readable: bool, missing: bool) -> None:
        self.world.set_dns(number, readable=readable, missing=missing)

    @rule(number=st.integers(0, 50))
    def tidy(self, number: int) -> None:
        self.world.tidy(number)

    @rule()
    def look(self) -> None:
        self.world.look()

    @rule()
    def restart(self) -> None:
        self.world.restart()

    def teardown(self) -> None:
        reached.update(self.world.reached)
        self.world.close()


def test_the_api_holds_together_whatever_is_asked_of_it() -> None:
    reached.clear()
    run_state_machine_as_test(
        WholeApi,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize=not IS_EXHAUSTIVE,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    unreached: list[Any] = [name for name in METHODS if name not in reached]
    print(len(reached), "of", len(METHODS), "reached; not:", unreached)
