"""Whatever the API does, `send_many` has each e-mail accepted once at most, and never says more than is known."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack import BulkProgress, BulkResult, PostStackError
from tests.client.bulk.world import ENDING, NOT_TAKEN, OF_EMAILS, TAKEN, World

IS_EXHAUSTIVE: Final = os.environ.get("POSTSTACK_EXHAUSTIVE") == "1"
EXAMPLES: Final = 5_000 if IS_EXHAUSTIVE else 300

pytestmark = pytest.mark.timeout(3_600 if IS_EXHAUSTIVE else 300)
FLAVOURS: Final = ("threads", "asyncio", "trio")
WRONG: Final[dict[str, Any]] = {
    "no recipient": {"to": []},
    "not a number": {"variables": {"sum": float("nan")}},
    "a moment": {"scheduled_at": datetime(2030, 1, 1)},  # noqa: DTZ001  # only that it is none of JSON's types counts
    "half a character": {"text": "\ud800"},
    "blank key": {"idempotency_key": " "},
    "a key that is none": {"idempotency_key": 7},
    "a line break": {"subject": "Hi\nBcc: eve@example.com"},
}


class InputError(Exception):
    """What the application's own generator raises."""


@dataclass
class Run:
    """How the e-mails are sent, and what happens to them."""

    flavour: str
    source: str
    arguments: dict[str, Any]
    calls: Sequence[str]
    emails: Sequence[str]
    stop_after: int | None
    """Break out when there are so many results."""


@dataclass
class Case:
    """E-mails that are sent in several runs with the same keys."""

    slots: list[str]
    raises_at: int | None
    client: dict[str, Any]
    runs: list[Run]

    def email(self, index: int) -> Any:
        """Return an e-mail, made anew as after a restart."""
        kind = self.slots[index]
        if kind == "a text":
            return "ada@example.com"
        earlier = index - 1 if kind == "same again" and index else index
        recipient = f"u{earlier}@example.net"
        email: dict[str, Any] = {"from": "shop@example.org", "to": [recipient], "subject": "News", "text": "Hello"}
        if kind in {"own key", "same again"} or (index + 1 < len(self.slots) and self.slots[index + 1] == "same again"):
            email["idempotency_key"] = f"own-ä-{earlier}"
        return {**email, **WRONG.get(kind, {})}

    def is_wrong(self, index: int) -> bool:
        return self.slots[index] in WRONG or self.slots[index] == "a text"

    def source(self, form: str) -> Any:
        """Return the input in one of its forms."""
        end = len(self.slots) if self.raises_at is None else min(self.raises_at, len(self.slots))

        def one_by_one() -> Generator[Any, None, None]:
            for index in range(end):
                yield self.email(index)
            if self.raises_at is not None:
                raise InputError

        async def awaited() -> AsyncGenerator[Any, None]:
            for email in one_by_one():
                if email and random.random() < 0.1:  # nothing secret
                    await anyio.sleep(0)
                yield email

        if form == "list" and self.raises_at is None:
            return list(one_by_one())
        return awaited() if form == "async generator" else one_by_one()

    @property
    def size(self) -> int:
        return len(self.slots) if self.raises_at is None else min(self.raises_at, len(self.slots))


@st.composite
def cases(draw: st.DrawFn, *, endings: bool) -> Case:
    count = draw(st.one_of(st.integers(0, 12), st.sampled_from([99, 100, 101, 200, 201, 330])))
    kinds = ["good"] * 12 + ["own key", "same again", "a text", *WRONG]
    rare = draw(st.dictionaries(st.integers(0, max(count - 1, 0)), st.sampled_from(kinds), max_size=12))
    slots = [rare.get(index, "good") for index in range(count)]
    for index in range(count):
        # The e-mail of which it is the same must be one that can be sent.
        if slots[index] == "same again" and (index == 0 or slots[index - 1] != "good"):
            slots[index] = "good"
    calls = TAKEN + NOT_TAKEN + (ENDING * 4 if endings else ())

    def run() -> Run:
        flavour = draw(st.sampled_from(FLAVOURS))
        forms = ["list", "generator"] + (["async generator"] if flavour != "threads" else [])
        return Run(
            flavour,
            draw(st.sampled_from(forms)),
            {
                "concurrency": draw(st.sampled_from([1, 2, 4, 9])),
                "retry_for": draw(st.sampled_from([0, 0.6, 20, 60.0, 300])),
                "timeout": draw(st.sampled_from([None, 3.0])),
            },
            draw(st.lists(st.sampled_from(calls), min_size=1, max_size=10)),
            draw(st.one_of(st.just(["accepted"]), st.lists(st.sampled_from(OF_EMAILS), min_size=1, max_size=10))),
            draw(st.one_of(st.none(), st.integers(0, count))) if endings else None,
        )

    return Case(
        slots,
        draw(st.one_of(st.none(), st.integers(0, count))) if endings else None,
        {
            "max_retries": draw(st.sampled_from([0, 1, 3])),
            "deadline": draw(st.sampled_from([None, 5.0, 45.0])),
            "rate_limit": draw(st.sampled_from([None, 2.0, 500.0])),
        },
        [run() for _ in range(draw(st.integers(1, 3)))],
    )


class Application:
    """Sends the e-mails of a case to a world, run after run."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = World()
        self.progress: list[BulkProgress] = []

    def run(self, run: Run) -> list[BulkResult] | None:
        """Return the results, `None` when the run was cancelled."""
        world = self.world
        world.follow(run.calls, run.emails)
        world.most_in_flight, world.cancel, self.progress = 0, None, []
        results = self._send(run) if run.flavour == "threads" else anyio.run(self._asend, run, backend=run.flavour)
        assert world.in_flight == 0
        assert world.most_in_flight <= run.arguments["concurrency"]
        return results

    def _arguments(self, run: Run) -> dict[str, Any]:
        return {**run.arguments, "key_prefix": "news", "on_progress": self.progress.append}

    def _send(self, run: Run) -> list[BulkResult] | None:
        client = self.world.client(**self.case.client)
        results: list[BulkResult] = []
        try:
            with closing(client.emails.send_many(self.case.source(run.source), **self._arguments(run))) as sending:
                for result in sending:
                    results.append(result)
                    if len(results) == run.stop_after:
                        break
        except InputError:
            assert len(results) == self.case.size
        else:
            assert self._is_complete(run, results)
        return results

    async def _asend(self, run: Run) -> list[BulkResult] | None:
        client, results = self.world.async_client(**self.case.client), list[BulkResult]()
        with anyio.CancelScope() as scope:
            self.world.cancel = scope.cancel
            try:
                async with aclosing(
                    client.emails.send_many(self.case.source(run.source), **self._arguments(run))
                ) as sending:
                    async for result in sending:
                        results.append(result)
                        if len(results) == run.stop_after:
                            break
            except InputError:
                assert len(results) == self.case.size
            else:
                assert self._is_complete(run, results)
            finally:
                # Nothing goes on behind the back of the one who has stopped.
                assert self.world.in_flight == 0
                calls = self.world.number_of_calls
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0)
                    await anyio.sleep(0)
                assert self.world.number_of_calls == calls
        return None if scope.cancelled_caught else results

    def _is_complete(self, run: Run, results: Sequence[BulkResult]) -> bool:
        if run.stop_after is not None and len(results) == run.stop_after:
            return True
        return len(results) == self.case.size and self.case.raises_at is None

    def check(self, results: Sequence[BulkResult], before: Counter[str]) -> None:
        """Compare what was said of each e-mail with what the API has done."""
        world, case = self.world, self.case
        assert [result.index for result in results] == list(range(len(results)))
        for index, result in enumerate(results):
            recipient = f"u{index - 1 if case.slots[index] == 'same again' else index}@example.net"
            error = result.error
            if case.is_wrong(index):
                assert isinstance(error, ValueError)
                assert result.id is None
                assert world.taken[recipient] == 0
                continue
            given = case.email(index).get("idempotency_key")
            assert result.idempotency_key == (f"news-{index}" if given is None else given)
            if error is None:
                assert result.id is not None
                assert world.ids[result.id] == (recipient, result.idempotency_key)
                assert result.sent
                continue
            assert isinstance(error, PostStackError)
            assert result.id is None
            assert not result.replayed
            assert not result.sent
            if not error.may_have_taken_effect and given is None:
                assert world.taken[recipient] == before[recipient]
            # What a caller may keep of a failure holds on to no e-mail.
            assert error.__traceback__ is None

    def check_progress(self, results: Sequence[BulkResult]) -> None:
        """Compare what was told on the way with the results."""
        told = self.progress
        assert all(earlier.done < later.done for earlier, later in pairwise(told))
        if results:
            sent = sum(result.sent for result in results)
            replayed = sum(result.replayed for result in results)
            assert told[-1] == (sent, len(results) - sent, replayed)


@given(case=cases(endings=False), seed=st.integers(0, 99))
@settings(max_examples=EXAMPLES)
def test_each_e_mail_is_accepted_once_at_most_and_each_result_is_true(case: Case, seed: int) -> None:
    random.seed(seed)
    application = Application(case)
    for run in case.runs:
        before = application.world.taken.copy()
        results = application.run(run)
        assert results is not None
        assert len(results) == case.size
        application.check(results, before)
        application.check_progress(results)
    check_that_it_ends_well(application)


@given(case=cases(endings=True), seed=st.integers(0, 99))
@settings(max_examples=EXAMPLES)
def test_stopping_anywhere_leaves_nothing_running_and_repeating_doubles_nothing(case: Case, seed: int) -> None:
    random.seed(seed)
    application = Application(case)
    for run in case.runs:
        before = application.world.taken.copy()
        results = application.run(run)
        if results is not None:
            application.check(results, before)
    check_that_it_ends_well(application)


def check_that_it_ends_well(application: Application) -> None:
    """Send the same e-mails once more while nothing goes wrong: all of them have been accepted then, once."""
    case, world = application.case, application.world
    assert max(world.taken.values(), default=0) <= 1
    case.raises_at = None
    results = application.run(Run("threads", "list", {"concurrency": 3}, ["accepted"], ["accepted"], None))
    assert results is not None
    application.check(results, world.taken)
    for index, result in enumerate(results):
        assert result.sent != case.is_wrong(index)
    assert set(world.taken.values()) <= {1}
    assert len(world.taken) == len({result.id for result in results if result.sent})
