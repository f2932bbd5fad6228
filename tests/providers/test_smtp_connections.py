"""SMTP's connections: kept, renewed, bounded, and honest about what may have been sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import cast

import pytest
import trio

from poststack.mailbridge import AsyncMailBridge, ConfigurationError, EmailMessageDto, MailBridge
from tests.patience import PATIENCE
from tests.providers.fakes.smtp import Event, FakeSmtp
from tests.providers.smtp_senders import SENDERS, Send, kinds, mails, settings


@pytest.fixture
def fake() -> Generator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture(params=SENDERS, ids=["threads", "asyncio"])
def send(request: pytest.FixtureRequest) -> Send:
    return cast("Send", request.param)


@pytest.mark.unmeasured
def test_defect_25_a_bulk_keeps_its_connections(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(60), mails(60))) == [None] * 120
    assert fake.connections <= 4
    assert fake.most_open_connections <= 4
    assert all(session.commands.count("EHLO") == 1 for session in fake.sessions)
    assert all(session.ended_politely for session in fake.sessions)


def test_no_more_connections_are_open_than_allowed(fake: FakeSmtp, send: Send) -> None:
    fake.latency = 0.01
    assert kinds(send(fake, mails(30), max_connections=2, concurrency=20)) == [None] * 30
    assert fake.most_open_connections == 2


def test_waiting_for_a_connection_takes_no_time_of_a_step(fake: FakeSmtp, send: Send) -> None:
    fake.latency = 0.3
    assert kinds(send(fake, mails(8), max_connections=1, timeout=2)) == [None] * 8


def test_a_connection_carries_so_many_emails_and_no_more(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(25), max_connections=1, messages_per_connection=10)) == [None] * 25
    assert [session.messages for session in fake.sessions] == [10, 10, 5]
    assert all(session.ended_politely for session in fake.sessions)


def test_an_idle_connection_is_not_used_for_ever(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(1), mails(1), idle_limit=0)) == [None, None]
    assert fake.connections == 2


def test_defect_26_a_farewell_in_the_middle_of_a_bulk_costs_no_email(fake: FakeSmtp, send: Send) -> None:
    fake.most_per_connection = 3
    assert kinds(send(fake, mails(10), max_connections=1)) == [None] * 10
    assert len(fake.delivered) == 10
    assert [session.messages for session in fake.sessions] == [3, 3, 3, 1]


def test_defect_26_a_restart_of_the_server_costs_no_email(fake: FakeSmtp, send: Send) -> None:
    assert kinds(send(fake, mails(5), mails(5), between=fake.drop_all)) == [None] * 10
    assert len(fake.delivered) == 10


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_kept_connection_that_is_lost_before_the_content_is_renewed_at_once(
    fake: FakeSmtp, send: Send, verb: str
) -> None:
    def lose_the_next() -> None:
        fake.once(verb, Event(drop=True))

    assert kinds(send(fake, mails(1), mails(1), between=lose_the_next)) == [None, None]
    assert len(fake.delivered) == 2
    assert fake.connections == 2


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_new_connection_that_is_lost_before_the_content_sent_nothing(fake: FakeSmtp, send: Send, verb: str) -> None:
    fake.once(verb, Event(drop=True))
    (response,) = send(fake, mails(1))
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)
    assert fake.connections == 1


def test_what_was_not_sent_is_tried_again(fake: FakeSmtp, send: Send) -> None:
    fake.once("CONNECT", "421 4.3.2 Starting")
    fake.once("DATA", Event(drop=True))
    assert kinds(send(fake, mails(1), max_retries=2)) == [None]
    assert (fake.connections, len(fake.delivered)) == (3, 1)


def test_content_that_is_cut_off_before_its_end_was_not_sent(fake: FakeSmtp, send: Send) -> None:
    fake.once("CONTENT", Event())
    large = EmailMessageDto(
        "ada@example.net", "Hi", "<p>Hi</p>", attachments=[("a.bin", bytes(20_000_000), "application/x")]
    )
    (response,) = send(fake, [large])
    assert (response.kind, response.may_have_been_sent) == ("unavailable", False)


@pytest.mark.parametrize("taken", [True, False])
def test_a_connection_lost_after_the_final_dot_leaves_it_open_and_is_not_repeated(
    fake: FakeSmtp, send: Send, taken: bool
) -> None:
    fake.once("END", Event(drop=True, taken=taken))
    (response,) = send(fake, mails(1), max_retries=3)
    assert (response.kind, response.may_have_been_sent) == ("ambiguous", True)
    assert len(fake.delivered) == taken
    assert fake.connections == 1


def test_a_kept_connection_lost_after_the_final_dot_is_not_renewed(fake: FakeSmtp, send: Send) -> None:
    def lose_the_next() -> None:
        fake.once("END", Event(drop=True, taken=True))

    assert kinds(send(fake, mails(1), mails(1), between=lose_the_next)) == [None, "ambiguous"]
    assert len(fake.delivered) == 2


def test_an_email_that_may_have_been_sent_is_repeated_when_duplicates_are_allowed(fake: FakeSmtp, send: Send) -> None:
    fake.once("END", Event(drop=True, taken=True))
    assert kinds(send(fake, mails(1), allow_duplicates=True, max_retries=1)) == [None]
    # With one Message-ID, by which mailboxes can tell that it is the same.
    assert len({one.message_id for one in fake.delivered}) == 1
    assert len(fake.delivered) == 2


def test_a_loss_in_a_second_transaction_leaves_the_first_accepted(fake: FakeSmtp, send: Send) -> None:
    fake.most_recipients = 2
    fake.refusals["u3@example.net"] = "421 4.3.2 Shutting down"
    (response,) = send(fake, [EmailMessageDto([f"u{n}@example.net" for n in range(4)], "Hi", "<p>Hi</p>")])
    assert response.success
    assert sorted(response.refused) == ["u2@example.net", "u3@example.net"]
    assert len(fake.delivered) == 1


def test_the_client_calls_itself_what_it_is_told_and_looks_no_name_up(
    fake: FakeSmtp, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", None)
    monkeypatch.setattr(socket, "gethostbyname", None)
    send(fake, mails(1))
    send(fake, mails(1), local_hostname="app.example.org")
    assert [session.hello for session in fake.sessions] == ["[127.0.0.1]", "app.example.org"]


def test_one_mailer_serves_several_event_loops(fake: FakeSmtp) -> None:
    mailer = AsyncMailBridge("smtp", **settings(fake, {}))

    async def main() -> None:
        assert (await mailer.send_bulk(mails(3))).failed == 0
        await mailer.close()

    for _ in range(3):
        asyncio.run(main())
    trio.run(main)
    assert len(fake.delivered) == 12
    assert all(session.ended_politely for session in fake.sessions)


def test_one_mailer_serves_many_threads(fake: FakeSmtp) -> None:
    with MailBridge("smtp", **settings(fake, {})) as mailer:
        threads = [threading.Thread(target=mailer.send_bulk, args=(mails(10),)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(fake.delivered) == 50
    assert fake.most_open_connections <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(fake: FakeSmtp) -> None:
    mailer = MailBridge("smtp", **settings(fake, {}))
    assert mailer.send_bulk(mails(1)).failed == 0
    child = multiprocessing.get_context("fork").Process(target=_send_in_child, args=(mailer,))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert mailer.send_bulk(mails(1)).failed == 0
    mailer.close()
    # The parent's connection went on, and only the child's own was added.
    assert [session.messages for session in fake.sessions] == [2, 1]


def _send_in_child(mailer: MailBridge) -> None:
    assert mailer.send_bulk(mails(1)).failed == 0
    mailer.close()


def test_a_mailer_that_nobody_closes_leaves_no_connection(fake: FakeSmtp) -> None:
    MailBridge("smtp", **settings(fake, {})).send_bulk(mails(1))
    gc.collect()
    _until(lambda: fake.open_connections == 0)


def test_cancelled_in_the_middle_nothing_goes_on(fake: FakeSmtp) -> None:
    fake.latency = 0.05

    async def main() -> int:
        async with AsyncMailBridge("smtp", **settings(fake, {})) as mailer:
            bulk = asyncio.create_task(mailer.send_bulk(mails(500)))
            while len(fake.delivered) < 5:
                await asyncio.sleep(0.01)
            bulk.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bulk
            await asyncio.sleep(0.2)
            delivered = len(fake.delivered)
            await asyncio.sleep(0.2)
            assert len(fake.delivered) == delivered
            # The connections that were cut off are not used again.
            assert (await mailer.send_bulk(mails(4))).failed == 0
            return delivered

    assert asyncio.run(main()) < 500


def test_without_aiosmtplib_only_the_asynchronous_client_is_refused(
    fake: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtplib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'poststack\[smtp\]'"):
        AsyncMailBridge("smtp", **settings(fake, {}))
    with MailBridge("smtp", **settings(fake, {})) as mailer:
        assert mailer.send_bulk(mails(1)).failed == 0


def _until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.005)
