"""Bulks over real connections whose time is up, whose process has been forked, or whose `with` block fails."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncMailBridge,
    BulkInterruptedError,
    EmailMessageDto,
    EmailResponseDTO,
    MailBridge,
    SqliteKeyStore,
)
from tests.patience import PATIENCE
from tests.providers.fakes.sendgrid import FakeSendGrid

SENDER = "shop@example.org"


@pytest.fixture
def fake() -> Generator[FakeSendGrid]:
    with FakeSendGrid() as server:
        yield server


def bulk(count: int) -> list[EmailMessageDto]:
    return [EmailMessageDto(f"u{n}@example.net", "Hi", f"<p>{n}</p>", idempotency_key=f"key-{n}") for n in range(count)]


def check(fake: FakeSendGrid, responses: list[EmailResponseDTO]) -> None:
    """Those who were never asked for are certainly not sent; in doubt are those that were under way in the end."""
    delivered = {one.to[0][1] for one in fake.delivered}
    kinds = [response.kind for response in responses]
    assert kinds.count("unavailable") >= 10
    assert kinds.count("ambiguous") <= 2
    for number, kind in enumerate(kinds):
        if kind in {None, "unavailable"}:
            assert (f"u{number}@example.net" in delivered) == (kind is None)


def test_a_deadline_leaves_in_doubt_only_what_is_under_way(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    fake.latency = 0.2
    arguments: dict[str, Any] = {**fake.settings(), "from_email": SENDER, "keys": store}
    with MailBridge("sendgrid", deadline=1.0, concurrency=2, **arguments) as mailer:
        check(fake, mailer.send_bulk(bulk(30)).responses)
    fake.latency = 0.0
    with MailBridge("sendgrid", **arguments) as mailer:
        again = mailer.send_bulk(bulk(30))
    assert {response.kind for response in again.responses} <= {None, "ambiguous"}
    delivered = [one.to[0][1] for one in fake.delivered]
    assert len(delivered) == len(set(delivered))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_so_does_one_on_an_event_loop(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    fake.latency = 0.2
    arguments: dict[str, Any] = {**fake.settings(), "from_email": SENDER, "keys": store}
    async with AsyncMailBridge("sendgrid", deadline=1.0, concurrency=2, **arguments) as mailer:
        check(fake, (await mailer.send_bulk(bulk(30))).responses)


def test_a_with_block_that_fails_in_a_bulk_closes_and_loses_no_response(fake: FakeSendGrid) -> None:
    def rows() -> Iterator[EmailMessageDto]:
        for one in bulk(3):
            one.idempotency_key = None
            yield one
        raise LookupError

    mailer = MailBridge("sendgrid", **fake.settings(), from_email=SENDER)
    with pytest.raises(BulkInterruptedError) as caught, mailer:
        mailer.send_bulk(rows())
    assert [response.success for response in caught.value.responses] == [True] * 3
    assert len(fake.delivered) == 3
    # Closed is not broken.
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    mailer.close()


def _send_in_a_child(mailer: MailBridge, number: int) -> None:
    responses = mailer.send_bulk(bulk(20)).responses
    own = mailer.send(f"child-{number}@example.net", "Hi", "<p>Hi</p>")
    os._exit(0 if own.success and all(one.success or one.may_have_been_sent for one in responses) else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="There is no fork.")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_share_the_keys_and_no_connection(fake: FakeSendGrid, tmp_path: Path) -> None:
    store = SqliteKeyStore(tmp_path / "keys.db")
    with MailBridge("sendgrid", **fake.settings(), from_email=SENDER, keys=store) as mailer:
        assert mailer.send("parent@example.net", "Hi", "<p>Hi</p>").success
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=_send_in_a_child, args=(mailer, number)) for number in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(PATIENCE)
        assert [child.exitcode for child in children] == [0, 0, 0]
        assert mailer.send("parent-2@example.net", "Hi", "<p>Hi</p>").success
    recipients = [one.to[0][1] for one in fake.delivered]
    assert sorted(recipients) == sorted(
        [f"u{n}@example.net" for n in range(20)]
        + [f"child-{n}@example.net" for n in range(3)]
        + ["parent@example.net", "parent-2@example.net"]
    )
