"""Whatever happens on the way, an e-mail is sent once at most, and the response never says more than is known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    EmailMessageDto,
    EmailResponseDTO,
    Failover,
    MailBridge,
)
from tests.providers.world import DEADLY, NOT_TAKEN, SETTINGS, TAKEN, Killed, World, WorldKeyStore, WorldTransport

FLAVOURS: Final = ("threads", "asyncio", "trio")


@dataclass
class Case:
    """A bulk, through whom and how it is sent, and what happens to its requests."""

    providers: tuple[str, ...]
    flavour: str
    has_store: bool
    slots: list[tuple[str, int, int]]
    """(kind, content, which one is meant)."""
    arguments: dict[str, Any]
    scripts: list[list[str]]
    store_fails: list[bool] = field(default_factory=list[bool])

    @property
    def keys_count(self) -> bool:
        """Whether the keys of this bulk are minded by somebody for ever."""
        return self.has_store or self.providers == ("poststack",)

    def messages(self) -> list[EmailMessageDto]:
        """Return the bulk, made anew as after a restart."""
        bulk: list[EmailMessageDto] = []
        for number, (kind, content, which) in enumerate(self.slots):
            earlier = bulk[which % number] if number else None
            if kind == "same object" and earlier is not None:
                bulk.append(earlier)
            elif kind == "same key" and earlier is not None:
                # As when a job builds the same e-mail twice.
                bulk.append(_message(earlier.to[0], content, earlier.idempotency_key))
            else:
                key = f"key-{number}" if kind != "no key" and self.keys_count else None
                bulk.append(_message(f"u{number}@example.net", content, key))
        return bulk


def _message(recipient: str, content: int, key: str | None) -> EmailMessageDto:
    return EmailMessageDto(recipient, "News", f"<p>{content}</p>", idempotency_key=key)


@st.composite
def cases(draw: st.DrawFn, *, fates: Sequence[str], runs: int) -> Case:
    names = tuple(draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3, unique=True)))
    slot = st.tuples(
        st.sampled_from(["new", "new", "no key", "same object", "same key"]), st.integers(0, 2), st.integers(0, 39)
    )
    return Case(
        names,
        draw(st.sampled_from(FLAVOURS)),
        draw(st.booleans()),
        draw(st.lists(slot, min_size=1, max_size=40)),
        {
            "max_retries": draw(st.sampled_from([0, 1, 2, 4, 80])),
            "deadline": draw(st.sampled_from([None, 0.5, 15.0, 45.0])),
            "concurrency": draw(st.sampled_from([1, 3, 10])),
        },
        [draw(st.lists(st.sampled_from(fates), min_size=1, max_size=10)) for _ in range(runs)],
        draw(st.one_of(st.just([]), st.lists(st.booleans(), max_size=60))),
    )


class Application:
    """Sends the bulk of a case, once for each script, with new objects each time as after a restart."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = World([])
        self.store = WorldKeyStore(self.world, case.store_fails) if case.has_store else None

    def run(self, script: Sequence[str], messages: Sequence[EmailMessageDto]) -> list[EmailResponseDTO] | None:
        """Return the responses, `None` when the process did not live to see them."""
        self.world.script, self.world.dead = list(script), False
        try:
            if self.case.flavour == "threads":
                mailer: MailBridge | Failover = self._mailer(MailBridge, Failover)
                return mailer.send_bulk(messages).responses
            return anyio.run(self._arun, messages, backend=self.case.flavour)
        except BaseException as error:
            if not _is_deadly(error):
                raise
            return None

    async def _arun(self, messages: Sequence[EmailMessageDto]) -> list[EmailResponseDTO] | None:
        with anyio.CancelScope() as scope:
            self.world.cancel = scope.cancel
            mailer: AsyncMailBridge | AsyncFailover = self._mailer(AsyncMailBridge, AsyncFailover)
            return (await mailer.send_bulk(messages)).responses
        return None

    def _mailer(self, bridge: Any, failover: Any) -> Any:
        world, store = self.world, self.store
        arguments = {**self.case.arguments, "from_email": "shop@example.org"}
        several = len(self.case.providers) > 1
        bridges = [
            bridge(name, transport=WorldTransport(world, name), **SETTINGS[name], **arguments,
                   **({} if several else {"keys": store}))
            for name in self.case.providers
        ]  # fmt: skip
        return failover(bridges, keys=store, threshold=2, clock=world.clock.monotonic) if several else bridges[0]


def _is_deadly(error: BaseException) -> bool:
    inner: Sequence[BaseException] = getattr(error, "exceptions", ())
    return isinstance(error, Killed) or (bool(inner) and all(map(_is_deadly, inner)))


def check_responses(
    world: World, before: Counter[str], messages: Sequence[EmailMessageDto], responses: Sequence[EmailResponseDTO]
) -> None:
    """Compare what was said of each recipient's e-mails with what was delivered."""
    assert len(responses) == len(messages)
    said: dict[str, list[EmailResponseDTO]] = {}
    for message, response in zip(messages, responses, strict=True):
        said.setdefault(message.to[0], []).append(response)
        if response.message_id in world.ids:
            assert message.to[0] in world.ids[response.message_id]
        assert response.success == (response.failure is None)
        assert response.success or not response.replayed
    keyed = {message.to[0] for message in messages if message.idempotency_key}
    for recipient, about in said.items():
        sent = world.delivered[recipient] - before[recipient]
        successes = sum(response.success for response in about)
        doubtful = sum(response.may_have_been_sent for response in about)
        if recipient not in keyed:
            assert successes <= sent <= successes + doubtful, (about, sent)
        elif successes:
            assert world.delivered[recipient] == 1, (about, world.delivered[recipient])
        else:
            assert sent <= min(doubtful, 1), (about, sent)


def check_keys(application: Application, messages: Sequence[EmailMessageDto]) -> None:
    """Compare what the store says of each key with what was delivered."""
    for message in messages:
        key, sent = message.idempotency_key, application.world.delivered[message.to[0]]
        if key is None or not application.case.keys_count:
            continue
        assert sent <= 1
        if application.store is not None and application.case.providers != ("poststack",):
            state = application.store.told(key)
            assert (state, sent) in {("new", 0), ("done", 1), ("in doubt", 0), ("in doubt", 1)}


@pytest.mark.repetitive
@given(case=cases(fates=TAKEN + NOT_TAKEN, runs=3), seed=st.integers(0, 99))
@settings(max_examples=400)
def test_nothing_is_sent_twice_and_nothing_is_said_that_is_not_so(case: Case, seed: int) -> None:
    random.seed(seed)
    application = Application(case)
    world = application.world
    for number, script in enumerate(case.scripts):
        messages = [one for one in case.messages() if number == 0 or one.idempotency_key]
        before = world.delivered.copy()
        responses = application.run(script, messages)
        assert responses is not None
        check_responses(world, before, messages, responses)
        check_keys(application, messages)
        if case.has_store and not case.store_fails and case.providers != ("poststack",):
            # What is said to be free was never sent, also not by the runs before: only the store can know that.
            for message, response in zip(messages, responses, strict=True):
                if message.idempotency_key and not response.success and not response.may_have_been_sent:
                    assert world.delivered[message.to[0]] == 0, response


@pytest.mark.repetitive
@given(case=cases(fates=TAKEN + NOT_TAKEN + DEADLY * 3, runs=3), seed=st.integers(0, 99))
@settings(max_examples=300)
def test_a_process_that_ends_in_the_middle_sends_nothing_twice_when_it_is_back(case: Case, seed: int) -> None:
    random.seed(seed)
    application = Application(case)
    for script in case.scripts:
        messages = [one for one in case.messages() if one.idempotency_key]
        before = application.world.delivered.copy()
        responses = application.run(script, messages)
        check_keys(application, messages)
        if responses is not None:
            check_responses(application.world, before, messages, responses)
