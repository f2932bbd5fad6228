"""Whatever comes in whatever order, however often: each recipient and the e-mail end in the same, right state."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import Any, Final

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from poststack_django.models import EmailEvent
from tests.with_django.api import RecordingApi
from tests.with_django.histories import (
    ID,
    RECIPIENTS,
    START,
    Accepted,
    Outcome,
    Settled,
    Step,
    Stored,
    Told,
    everything_stored,
    expected,
    outcome,
    stored,
)

pytestmark = pytest.mark.django_db

KINDS = [
    "queued",
    "sent",
    "deferred",
    "soft_bounced",
    "delivered",
    "opened",
    "clicked",
    "unsubscribed",
    "failed",
    "bounced",
    "complained",
    "invented_tomorrow",
]
# As PostStack may spell them, and somebody to whom the e-mail was not sent.
SPELLINGS = ["", *RECIPIENTS, "ADA@Example.com", '"Bob, B." <bob@example.com>', "Ca, Rol <carol@EXAMPLE.com>", "x@b.c"]


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), how=st.sampled_from(["plain", "hashed"]), count=st.integers(1, 3))
def test_any_history_in_any_order_ends_in_what_it_adds_up_to(
    settings: Any, data: st.DataObject, how: str, count: int
) -> None:
    settings.POSTSTACK = {"STORE_RECIPIENTS": how}
    recipients = RECIPIENTS[:count]
    pairs = st.tuples(st.sampled_from(KINDS), st.sampled_from(SPELLINGS))
    drawn = data.draw(st.lists(pairs, max_size=6), label="history")
    history = [Told(number, kind, recipient) for number, (kind, recipient) in enumerate(drawn)]
    steps: list[Step] = [*history, Accepted(), Settled()]
    repeated = data.draw(st.lists(st.sampled_from(steps), max_size=4), label="repeated")
    order = data.draw(st.permutations([*history, *repeated, Accepted()]), label="order")

    with transaction.atomic():
        stored(recipients)
        for step in order:
            step.arrives()
        overall, each = outcome()
        assert (overall[0], tuple(status for status, _ in each)) == expected(history, recipients)
        assert EmailEvent.objects.filter(sent_email__email_id=ID).count() == len(history)
        transaction.set_rollback(True)


# Two recipients: one opens, the other one complains and is then reported as delivered to.
OPENED: Final = Told(3, "opened", RECIPIENTS[0])
HISTORY: Final[list[Step]] = [
    Accepted(),
    Told(2, "delivered", RECIPIENTS[0]),
    OPENED,
    Told(4, "complained", RECIPIENTS[1]),
    Told(5, "delivered", RECIPIENTS[1]),
]
RIGHT: Final = Outcome(
    ("complained", START + timedelta(minutes=4)),
    (("delivered", START + timedelta(minutes=2)), ("complained", START + timedelta(minutes=4))),
)


@pytest.mark.repetitive
@pytest.mark.parametrize(
    ("history", "orders"),
    [
        # 4! orders, and for each of the four steps that comes twice 5!/2 more.
        pytest.param([step for step in HISTORY if step != OPENED], 24 + 4 * 60, id="264"),
        # 5! orders, and for each of the five steps that comes twice 6!/2 more.
        pytest.param(
            HISTORY,
            120 + 5 * 360,
            id="1920",
            marks=[
                pytest.mark.slow,
                pytest.mark.timeout(600),
                pytest.mark.skipif(
                    os.environ.get("POSTSTACK_REQUIRE_SERVICES") != "1", reason="takes half a minute: CI runs it"
                ),
            ],
        ),
        # 6! orders, and for each of the six steps that comes twice 7!/2 more. A minute or two.
        pytest.param(
            [Told(1, "sent"), *HISTORY],
            720 + 6 * 2_520,
            id="15840",
            marks=[
                pytest.mark.timeout(1_800),
                pytest.mark.skipif(
                    os.environ.get("POSTSTACK_EXHAUSTIVE") != "1",
                    reason="takes minutes: POSTSTACK_EXHAUSTIVE=1 runs it",
                ),
            ],
        ),
    ],
)
def test_every_order_of_a_real_history_with_every_single_repetition_ends_the_same(
    api: RecordingApi, history: list[Step], orders: int
) -> None:
    stored(RECIPIENTS[:2])

    assert _EveryOrder(history).ends(()) == {RIGHT: orders}


class _EveryOrder:
    """Continues in every way, and counts what the database says whenever every step has been taken.

    Orders that begin alike share their beginning: what follows it is rolled back. Those whose beginnings have left
    the same in the database, and the same steps to take, share what follows.
    """

    def __init__(self, history: list[Step]) -> None:
        self._history = history
        self._known: dict[tuple[frozenset[int], bool, Stored], Counter[Outcome]] = {}

    def ends(self, taken: tuple[int, ...]) -> Counter[Outcome]:
        """Return how often each outcome follows these steps."""
        steps, repeated = frozenset(taken), len(set(taken)) < len(taken)
        begun = (steps, repeated, everything_stored())
        if begun not in self._known:
            self._known[begun] = ends = Counter([outcome()] if len(steps) == len(self._history) else [])
            for number, step in enumerate(self._history):
                if number in steps and repeated:
                    continue  # One repetition at most.
                with transaction.atomic():
                    step.arrives()
                    ends += self.ends((*taken, number))
                    transaction.set_rollback(True)
        return self._known[begun]
