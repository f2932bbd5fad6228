"""Jobs of `poststack_tasks` in a Django project, done by real workers: their e-mails are rows like all others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.with_django.queues.project.shell import SUBJECT, TEXT
from tests.with_django.queues.stand import Kind, Stand, each_arrived_once
from tests.with_tasks.stand.processes import wait_until

pytestmark = [pytest.mark.services, pytest.mark.slow]

Stands = Callable[..., Stand]
HELD_FOR = 60.0
"""Seconds. Nobody waits for it: whoever is held is killed."""


@pytest.mark.parametrize("kind", ["celery", "rq"])
def test_each_job_is_a_row_whatever_becomes_of_it(kind: Kind, stands: Stands) -> None:
    stand = stands(
        kind, poststack={"SUPPRESSIONS": True, "ALLOWED_RECIPIENTS": ["*@example.com", "bounced@example.org"]}
    )
    stand.project("suppress", "bounced@example.org")
    victims = stand.start_workers(2, scheduler=False)
    stand.api.fail(idempotency_key="refused", status=422)
    stand.project("enqueue", "plain")
    stand.project("enqueue", "to some", "bounced@example.org", "customer@example.net")
    stand.project("enqueue", "refused")
    stand.wait_until_final("plain", "to some", "refused")

    held = ("accepted and not answered", "not accepted")
    faults = [stand.api.hold(name, seconds=HELD_FOR, accepted=name == held[0]) for name in held]
    for name in held:
        stand.project("enqueue", name)
    stand.api.wait_until_hit(*faults)
    assert {name: stand.rows()[name]["status"] for name in held} == dict.fromkeys(held, "pending")
    # PostStack delivers it before anybody here knows its id.
    [early] = [mail for mail in stand.api.mails() if mail.key == held[0]]
    assert stand.project("webhook", early.id, early.to) == [200, "early"]
    stand.api.fail(idempotency_key="fails twice", status=503, times=2)
    stand.project("enqueue", "fails twice")
    for victim in victims:
        victim.kill_all()
    stand.start_workers(2)
    stand.wait_until_final(*held, "fails twice")
    stand.wait_until_quiet(kept=1)

    sent = ("plain", "to some", *held, "fails twice")
    delivered = {held[0]: "delivered"}
    assert stand.statuses() == {**dict.fromkeys(sent, "queued"), "refused": "refused", **delivered}
    each_arrived_once(stand, sent)
    assert stand.rows()["to some"]["recipients"] == {
        "to.some@example.com": "queued",
        "bounced@example.org": "suppressed",
        "customer@example.net": "withheld",
    }
    rows, heard = stand.rows(), stand.heard()
    assert [one for one in heard if one[0] == "tracking"] == [["tracking", held[0], "email.delivered"]]
    # At least once: a worker that is killed after it told is followed by one that tells again. `pre_send` is about
    # messages of Django, and a job has none.
    assert {tuple(one) for one in heard if one[0] != "tracking"} == {
        *(("post_send", name, rows[name]["id"]) for name in sent),
        ("send_failed", "refused", "refused"),
    }
    logs = stand.logs()
    assert "poststack.send_email" in logs
    for secret in (SUBJECT, TEXT, "@example.", "sk_test_stand"):
        assert secret not in logs


def test_an_rq_worker_whose_project_cannot_be_set_up_sends_nothing_and_loses_nothing(stands: Stands) -> None:
    broken = {"DJANGO_SETTINGS_MODULE": "tests.with_django.queues.project.broken_settings"}
    stand = stands("rq", environment=broken, poststack={"ALLOWED_RECIPIENTS": []})
    stand.project("enqueue", "guarded")
    [worker] = stand.start_workers(1)
    wait_until(lambda: "again in" in worker.written(), "the job is put off")
    worker.kill_all()
    assert "Django cannot be set up (ImproperlyConfigured)" in worker.written()
    assert "sk_live_in_an_error" not in worker.written()
    assert stand.api.requests == 0
    assert stand.jobs() == 1
