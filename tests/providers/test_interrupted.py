"""A bulk that is told to stop: what was under way stays in doubt, and nothing else does."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailMessageDto, MailBridge, MemoryKeyStore, SqliteKeyStore
from poststack.providers._each import acall_each, call_each
from poststack.transports.base import Clock, HttpRequest, HttpResponse, SystemClock
from tests.patience import PATIENCE
from tests.providers.fakes.sendgrid import FakeSendGrid

ACCEPTED: Final = HttpResponse(202, {"x-message-id": "id1"})
LATER: Final = HttpResponse(429, {"retry-after": "60"}, b"{}")
BACKENDS: Final = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


def bulk(count: int) -> list[EmailMessageDto]:
    return [EmailMessageDto(f"u{n}@example.net", "Hi", f"<p>{n}</p>", idempotency_key=f"key-{n}") for n in range(count)]


def states(store: MemoryKeyStore | SqliteKeyStore, count: int) -> list[str]:
    return [store.begin(f"key-{n}", "nobody").state for n in range(count)]


class Stopping:
    """Cancels the scope at one of its requests, and answers or waits."""

    def __init__(self, scope: anyio.CancelScope, answer: HttpResponse | None, *, clock: Clock | None = None) -> None:
        self._scope = scope
        self._answer = answer
        self.clock = clock

    async def asend(self, request: HttpRequest) -> HttpResponse:
        self._scope.cancel()
        if self._answer is None:
            await anyio.sleep_forever()
            raise AssertionError
        return self._answer

    async def aclose(self) -> None:
        pass


async def _stopped(answer: HttpResponse | None, store: Any, count: int) -> None:
    with anyio.CancelScope() as scope:
        transport = Stopping(scope, answer)
        async with AsyncMailBridge(
            "sendgrid", api_key="SG.x", from_email="shop@example.org", transport=transport, keys=store, concurrency=1
        ) as mailer:
            await mailer.send_bulk(bulk(count))


@pytest.mark.anyio
@BACKENDS
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("answer", "state"), [(None, "in doubt"), (LATER, "new"), (ACCEPTED, "done")], ids=["none", "later", "accepted"]
)
async def test_only_what_was_under_way_stays_in_doubt(
    answer: HttpResponse | None, state: str, kind: str, tmp_path: Path
) -> None:
    store = MemoryKeyStore() if kind == "memory" else SqliteKeyStore(tmp_path / "keys.db")
    await _stopped(answer, store, 3)
    first, *others = states(store, 3)
    assert first == state
    # With one request at a time, none of these has begun.
    assert set(others) <= {"new"} if answer is not ACCEPTED else {"new", "done"}


@pytest.mark.anyio
@BACKENDS
async def test_keys_claimed_when_the_claims_are_interrupted_are_free_again() -> None:
    class Slow(MemoryKeyStore):
        async def abegin(self, key: str, provider: str) -> Any:
            if key == "key-2":
                scope.cancel()
                await anyio.sleep_forever()
            return self.begin(key, provider)

    store = Slow()
    with FakeSendGrid() as fake, anyio.CancelScope() as scope:
        async with AsyncMailBridge("sendgrid", **fake.settings(), from_email="shop@example.org", keys=store) as mailer:
            same = [EmailMessageDto(one.to, "Hi", "<p>Hi</p>", idempotency_key=one.idempotency_key) for one in bulk(4)]
            await mailer.send_bulk(same)
    assert states(store, 4) == ["new"] * 4
    assert fake.requests == []


def test_ctrl_c_during_a_wait_frees_the_key() -> None:
    class Impatient(SystemClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    class Refusing:
        clock = Impatient()

        def send(self, request: HttpRequest) -> HttpResponse:
            return LATER

        def close(self) -> None:
            pass

    store = MemoryKeyStore()
    with (
        MailBridge(
            "sendgrid", api_key="SG.x", from_email="shop@example.org", transport=Refusing(), keys=store, concurrency=1
        ) as mailer,
        pytest.raises(KeyboardInterrupt),
    ):
        mailer.send_bulk(bulk(2))
    assert states(store, 2) == ["new", "new"]


def test_an_interruption_waits_for_what_is_under_way_and_begins_no_more() -> None:
    begun: list[int] = []
    ended: list[int] = []
    second_began = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            assert second_began.wait(PATIENCE)
            raise KeyboardInterrupt
        second_began.set()
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        call_each(work, range(1000), 2)
    assert ended
    assert sorted([0, *ended]) == sorted(begun)
    assert len(begun) < 1000


def test_each_call_sees_the_context_of_its_caller_and_changes_none_but_its_own() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nobody")

    def work(item: int) -> str:
        seen = variable.get()
        variable.set(f"changed by {item}")
        return seen

    variable.set("caller")
    assert call_each(work, range(20), 4) == ["caller"] * 20
    assert variable.get() == "caller"


@pytest.mark.anyio
@BACKENDS
async def test_an_exception_in_one_ends_the_others_before_it_is_raised() -> None:
    under_way: set[int] = set()

    async def work(item: int) -> None:
        under_way.add(item)
        try:
            await anyio.sleep(0 if item == 1 else 60)
        finally:
            under_way.discard(item)
        raise ValueError

    with pytest.raises(BaseException) as caught:  # a group, of a type that Python 3.10 lacks
        await acall_each(work, range(3), 3)
    assert [type(error) for error in getattr(caught.value, "exceptions", ())] == [ValueError]
    assert under_way == set()
