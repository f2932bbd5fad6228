"""The outbox handed to real workers of Celery and RQ: what is committed arrives once, and nothing else.

Workers are killed, brokers are away and forget, and the API fails, loses answers and refuses.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.with_django.queues.project.shell import SUBJECT, TEXT
from tests.with_django.queues.stand import Kind, Stand, each_arrived_once
from tests.with_tasks.kills.choosing import exhaustive, only_exhaustively
from tests.with_tasks.stand.brokers import Valkey
from tests.with_tasks.stand.processes import wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., Stand]
HELD_FOR = 60.0
"""Seconds. Nobody waits for it: whoever is held is killed."""
SECRETS = (SUBJECT, TEXT, "@example.com", "sk_test_stand")


def nothing_private(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@pytest.mark.parametrize("kind", ["celery", "rq", exhaustive("celery-rabbitmq")])
def test_what_is_committed_arrives_once_and_nothing_else(kind: Kind, stands: Stands) -> None:
    stand = stands(kind)
    # RQ's scheduler belongs to those who live on: a dead one is missed only after a minute.
    victims = stand.start_workers(2, scheduler=False)
    before = ("before 1", "before 2", "before 3", "before 4")
    stand.project("commit", *before)
    stand.project("commit", "undone before", rolled_back=True)
    stand.wait_until_final(*before)

    held = ("accepted and not answered", "not accepted")
    faults = [stand.api.hold(name, seconds=HELD_FOR, accepted=name == held[0]) for name in held]
    stand.project("commit", *held)
    stand.api.wait_until_hit(*faults)
    # Everybody who could do these is held.
    stand.api.fail(idempotency_key="fails twice", status=503, times=2)
    stand.api.fail(idempotency_key="answer lost", lost_answer=True, times=1)
    stand.api.fail(idempotency_key="refused", status=422)
    waiting = ("fails twice", "answer lost", "waiting")
    stand.project("commit", *waiting, "refused")
    stand.project("commit", "undone after", rolled_back=True)
    if kind != "celery-rabbitmq":
        in_broker = stand.broker_has()
        assert "send_stored_email" in in_broker
        nothing_private(in_broker)

    for victim in victims:
        victim.kill_all()
    stand.start_workers(2)
    stand.wait_until_final(*before, *held, *waiting, "refused")
    stand.wait_until_quiet()

    sent = (*before, *held, *waiting)
    assert stand.statuses() == {**dict.fromkeys(sent, "queued"), "refused": "refused"}
    each_arrived_once(stand, sent)
    rows = stand.rows()
    assert rows["fails twice"]["attempts"] >= 3
    assert rows["refused"]["id"] is None
    # At least once: on a slow machine a lease may end before the call, and then two workers hear of the same e-mail.
    heard = {(signal, key) for signal, key, *_ in stand.heard() if signal != "pre_send"}
    assert heard == {*(("post_send", name) for name in sent), ("send_failed", "refused")}
    logs = stand.logs()
    assert logs.count("send_stored_email") > len(sent)
    nothing_private(logs)


@pytest.mark.parametrize("kind", ["celery", "rq"])
def test_what_the_broker_never_had_or_has_lost_is_sent_by_the_drain(kind: Kind, stands: Stands) -> None:
    stand = stands(kind)
    broker = stand.broker
    assert isinstance(broker, Valkey)
    stand.project("commit", "broker up")
    assert stand.jobs() == 1

    broker.kill()
    stand.project("commit", "broker down")
    broker.start()
    assert stand.jobs() == 1
    assert "were not enqueued as tasks, and wait there: 1" in stand.logs()
    # The connection of the project's process is the one that the broker's end has broken.
    stand.project("commit", "broker up again")
    assert stand.jobs() == 2
    broker.client.flushdb()
    stand.project("commit", "after the loss")
    stand.start_workers(1)
    stand.wait_until_final("after the loss")
    stand.wait_until_quiet()
    left = ("broker up", "broker down", "broker up again")
    assert stand.statuses() == {**dict.fromkeys(left, "waiting"), "after the loss": "queued"}

    stand.project("drain_by_queue")
    stand.wait_until_final(*left)
    stand.wait_until_quiet()

    assert set(stand.statuses().values()) == {"queued"}
    each_arrived_once(stand, (*left, "after the loss"))
    nothing_private(stand.logs())


@only_exhaustively
def test_a_hard_time_limit_loses_no_task(stands: Stands) -> None:
    pytest.importorskip("celery", "5.7")
    limits = {"task_annotations": {"poststack_django.send_stored_email": {"time_limit": 3}}}
    # So long that the broker does not hand the task to somebody else meanwhile.
    stand = stands("celery", celery={**limits, "broker_transport_options": {"visibility_timeout": 600}})
    held = stand.api.hold("killed by the limit", seconds=HELD_FOR, accepted=True)
    stand.start_workers(1)

    stand.project("commit", "killed by the limit")
    stand.api.wait_until_hit(held)
    stand.wait_until_final("killed by the limit")
    stand.wait_until_quiet()

    assert "Hard time limit (3s) exceeded" in stand.logs()
    each_arrived_once(stand, ["killed by the limit"])


@pytest.mark.parametrize("kind", [exhaustive("celery"), exhaustive("rq")])
def test_a_drainer_beside_the_workers_doubles_nothing(kind: Kind, stands: Stands) -> None:
    stand = stands(kind)
    stand.start_workers(2)
    names = [f"number {number}" for number in range(40)]

    for at in range(0, len(names), 4):
        stand.project("commit", *names[at : at + 4])
        stand.project("drain_by_command")
    stand.wait_until_final(*names)
    wait_until(lambda: stand.jobs() == 0, "the broker is empty")

    assert set(stand.statuses().values()) == {"queued"}
    each_arrived_once(stand, names)
