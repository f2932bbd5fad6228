"""Signatures in chains, groups and links: what is wrong is told while somebody is there who can mend it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from poststack.testing import EmulatorSession
from poststack_tasks import JobError
from poststack_tasks.celery import process_event, send_batch, send_email
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.types import SendEmail

MAIL: SendEmail = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Secret body"}
BAD: Any = {**MAIL, "to": []}

made: dict[str, Callable[[], Any]] = {
    "s": lambda: send_email.s(BAD),
    "si": lambda: send_email.si(BAD),
    "signature": lambda: cast("Any", send_email).signature((BAD,), immutable=True),
    "subtask": lambda: cast("Any", send_email).subtask(kwargs={"payload": BAD}),
    "keyword": lambda: send_email.s(payload=BAD),
    "key": lambda: send_email.si(MAIL, idempotency_key=""),
    "batch": lambda: send_batch.si([MAIL, BAD]),
    "event": lambda: process_event.s({"id": "evt_1"}),
}


@pytest.mark.parametrize("name", made)
def test_a_signature_is_checked_when_it_is_made(app: Any, name: str) -> None:
    with pytest.raises(JobError) as raised:
        made[name]()

    assert "ada@" not in str(raised.value)


def test_a_signature_may_wait_for_its_payload(app: Any) -> None:
    for signature in (send_email.s(), send_email.s("welcome/1"), send_email.s(expires=60), send_batch.s("news/1")):
        signature.clone()


def test_what_is_linked_is_checked_before_anything_is_sent(worker: Any, emu: EmulatorSession) -> None:
    chain: Any = import_module("celery").chain

    with pytest.raises(JobError):
        chain(send_email.si(MAIL), send_email.si(BAD)).apply_async()
    with pytest.raises(JobError):
        send_email.apply_async([MAIL], link=send_email.si(BAD))

    chain(send_email.si(MAIL), send_email.si({**MAIL, "subject": "Second"})).apply_async().get(timeout=PATIENCE)
    assert [one.subject for one in emu.sent] == ["Hi", "Second"]


def test_a_chain_of_jobs_that_are_tried_again_goes_on(worker: Any, emu: EmulatorSession) -> None:
    chain: Any = import_module("celery").chain
    emu.fail(503, times=2, path="/emails")

    chain(send_email.si(MAIL, "a/1"), send_email.si({**MAIL, "subject": "Second"})).apply_async().get(timeout=PATIENCE)

    assert [one.subject for one in emu.sent] == ["Hi", "Second"]


def test_a_signature_of_a_job_that_is_tried_again_is_not_checked_as_a_new_one(app: Any) -> None:
    # As Celery makes it for a retry, of a job that a process with other limits had enqueued.
    cast("Any", send_email).signature((BAD,), {}, {"headers": {"poststack_enqueued_at": 1.0}})


@pytest.mark.parametrize(
    ("task", "args", "kwargs"),
    [
        (send_email, [{"id": "em_1"}], {}),
        (send_email, [{"id": "em_1", "replayed": True}, MAIL], {}),
        (send_email, [None, MAIL, "welcome/1"], {}),
        (send_email, [None], {"payload": MAIL}),
        (send_batch, [{"id": "em_1"}, [MAIL]], {}),
        (send_batch, [[{"id": "em_1"}, {"id": "em_2"}]], {}),
        (process_event, [None, {"id": "evt_1"}], {}),
    ],
)
def test_the_result_of_the_task_before_is_no_payload(
    app: Any, task: Any, args: list[Any], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(JobError, match=r"use \.si\(…\)") as raised:
        task.apply_async(args, kwargs)

    assert "ada@" not in str(raised.value)
