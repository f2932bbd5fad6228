"""The faults page: what it sets is what the next requests meet."""

from __future__ import annotations

import pytest

from poststack.transports.base import HttpRequest
from tests.emulator.inbox.site import Site, words


def test_a_fault_set_by_hand_hits_the_next_request(site: Site) -> None:
    answer = site.post(
        "/inbox/faults", kind="status", status="503", times="2", path="/emails", delay="", retry_after="7"
    )
    shown = words(site.get("/inbox/faults"))
    met = site.emulator.answer(HttpRequest("GET", "http://emulator/emails", {}), site.now).response

    assert answer.headers["location"] == "/inbox/faults?done=fault-added"
    assert "Status 503 on /emails, 2 more requests, Retry-After 7 s" in shown.replace(" , ", ", ").replace(
        " on  ", " on "
    )
    assert met is not None
    assert (met.status, met.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "reset"}, "Connection dropped on / , every request"),
        ({"kind": "lost_answer", "times": "1"}, "Accepted, answer lost on / , 1 more request"),
        ({"kind": "delay", "delay": "1.5"}, "Late answer on / , every request, 1.5 s late"),
        ({"kind": "reset", "share": "12.5"}, "Connection dropped on / , every request, 12.5 % of them at random"),
    ],
)
def test_every_kind_is_described(site: Site, form: dict[str, str], said: str) -> None:
    site.post("/inbox/faults", **form)

    assert said in words(site.get("/inbox/faults"))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"status": "9"}, "status must be that of an error, from 400 to 599."),
        ({"status": "x"}, "status must be a whole number."),
        ({"status": ""}, "Say what goes wrong"),
        ({"status": "500", "times": "0"}, "times must be at least 1"),
        ({"status": "500", "delay": "nan"}, "delay must be a number of seconds"),
        ({"status": "500", "share": "-1"}, "share must be a percentage"),
        ({"status": "500", "share": "0"}, "share must be above 0"),
        ({"status": "500", "delay": "soon"}, "delay must be a number of seconds"),
        ({"status": "500", "retry_after": "-1"}, "retry after must be a number of seconds"),
        ({"status": "500", "path": "emails"}, "path must start with /"),
        ({"status": "500", "path": "/" * 300}, "The path is too long."),
    ],
)
def test_a_form_that_makes_no_sense_comes_back_with_the_reason(site: Site, form: dict[str, str], reason: str) -> None:
    page = site.post("/inbox/faults", kind="status", **form)

    assert page.status_code == 422
    assert reason in words(page)
    assert site.emulator.faults() == []


def test_faults_are_removed_one_by_one_and_together(site: Site) -> None:
    kept, removed = site.emulator.fail(500), site.emulator.fail(501)
    first = site.post(f"/inbox/faults/{removed.id}/remove")
    left = site.emulator.faults()
    second = site.post("/inbox/faults/clear")

    assert left == [kept]
    assert site.emulator.faults() == []
    assert first.headers["location"] == "/inbox/faults?done=fault-removed"
    assert second.headers["location"] == "/inbox/faults?done=faults-cleared"


def test_a_fault_for_the_api_leaves_the_pages_alone(site: Site) -> None:
    site.emulator.fail(500, times=None)

    assert site.get("/inbox/").status_code == 200
    assert "Faults 1 set" in words(site.get("/inbox/"))
