"""Failures on demand."""

from __future__ import annotations

from typing import Any

import pytest

from poststack.emulator import faults
from tests.emulator.app import App


def test_a_status_replaces_the_answer_so_many_times(app: App) -> None:
    app.emulator.fail(503, times=2, retry_after=7)
    replies = [app.send() for _ in range(3)]

    assert [reply.status for reply in replies] == [503, 503, 202]
    assert replies[0].error == (503, "service_unavailable")
    assert replies[0].headers["retry-after"] == "7"
    assert replies[0].headers["x-request-id"]
    assert app.emulator.store.total == 1


@pytest.mark.parametrize(("seconds", "header"), [(0, "0"), (0.25, "0.25"), (20, "20"), (1_234_567, "1234567")])
def test_retry_after_is_written_without_an_exponent(app: App, seconds: float, header: str) -> None:
    app.emulator.fail(429, retry_after=seconds)

    assert app.send().headers["retry-after"] == header


def test_a_fault_without_a_count_stays_until_it_is_cleared(app: App) -> None:
    app.emulator.fail(429, code="monthly_limit_exceeded", error="Monthly limit reached")
    replies = [app.send() for _ in range(5)]
    app.emulator.clear_faults()

    assert {reply.error for reply in replies} == {(429, "monthly_limit_exceeded")}
    assert replies[0].json["error"] == "Monthly limit reached"
    assert app.send().status == 202


def test_a_reset_loses_the_request_and_a_lost_answer_only_the_answer(app: App) -> None:
    app.emulator.fail(reset=True, times=1, delay=2)
    app.emulator.fail(lost_answer=True, times=1)
    answers = [app.answer("POST", "/emails", {"from": "a@x.test", "to": ["b@x.test"], "subject": "", "text": "x"})
               for _ in range(2)]  # fmt: skip

    assert [(answer.response, answer.delay) for answer in answers] == [(None, 2), (None, 0)]
    assert app.emulator.store.total == 1


def test_a_delay_alone_answers_late(app: App) -> None:
    app.emulator.fail(delay=3)
    answer = app.answer("GET", "/emails")

    assert answer.delay == 3
    assert answer.response is not None
    assert answer.response.status == 200


@pytest.mark.parametrize(
    ("path", "method", "hits"),
    [
        ("/", None, True),
        ("/emails", None, True),
        ("/emails/", "post", True),
        ("/emails", "GET", False),
        ("/email", None, False),
        ("/emails/*/cancel", None, True),
        ("*/cancel", None, True),
        ("/emails/?", None, False),
        ("/webhooks", None, False),
    ],
)
def test_a_fault_hits_its_paths_and_method(app: App, path: str, method: str | None, hits: bool) -> None:
    app.emulator.fail(418, path=path, method=method)

    assert (app.post("/emails/em_x/cancel").status == 418) == hits


def test_a_share_of_the_requests_is_hit_the_same_ones_with_the_same_seed(app: App) -> None:
    def statuses(seed: int | None) -> list[int]:
        app.emulator.clear_faults()
        app.emulator.fail(503, share=0.2, seed=seed)
        app.emulator.fail(429, share=0.5, seed=7)
        return [app.send().status for _ in range(500)]

    first, again, other = statuses(1), statuses(1), statuses(2)

    assert first == again != other
    # Expected are 100, and 200: half of the four fifths that are left. The seeds make the numbers the same each time.
    assert 60 <= first.count(503) <= 140
    assert 140 <= first.count(429) <= 260
    assert len({tuple(statuses(None)) for _ in range(3)}) == 3


def test_a_share_counts_only_what_it_hits_as_times(app: App) -> None:
    app.emulator.fail(503, share=0.5, times=3, seed=5)
    replies = [app.send().status for _ in range(40)]

    assert replies.count(503) == 3
    assert replies[3:] != replies[:-3]
    assert app.emulator.faults() == []


def test_a_fault_waits_for_its_idempotency_key(app: App) -> None:
    app.emulator.fail(503, idempotency_key="welcome/1", times=1)
    app.emulator.fail(429, idempotency_key="reset/*", times=1)

    def status(**headers: str) -> int:
        payload = {"from": "a@x.test", "to": ["b@x.test"], "subject": "Hi", "text": "x"}
        return app.post("/emails", payload, **headers).status

    assert status() == 202
    assert status(Idempotency_Key="welcome/12") == 202
    assert status(Idempotency_Key="welcome/1") == 503
    assert status(Idempotency_Key="welcome/1") == 202
    assert status(Idempotency_Key="reset/5") == 429


def test_controls_are_never_hit(app: App) -> None:
    app.emulator.fail(500)

    assert app.get("/_emulator/health").status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"status": 500, "reset": True},
        {"reset": True, "lost_answer": True},
        {"status": 199},
        {"status": 600},
        {"status": 500, "times": 0},
        {"delay": -1},
        {"delay": float("nan")},
        {"status": 500, "retry_after": float("inf")},
        {"status": 500, "path": "emails"},
        {"status": 500, "share": 0},
        {"status": 500, "share": 1.5},
        {"status": 500, "share": float("nan")},
    ],
)
def test_a_fault_must_make_sense(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|Choose|Say"):
        app.emulator.fail(**wrong)


def test_faults_are_set_listed_and_removed_over_http(app: App) -> None:
    made = app.post("/_emulator/faults", {"status": 503, "times": None, "path": "/emails", "retry_after": 1.5,
                                          "share": 1, "seed": 3})  # fmt: skip
    app.post("/_emulator/faults", {"reset": True, "method": "GET", "times": 3, "idempotency_key": "a/*", "share": 0.25})
    listed = app.get("/_emulator/faults").json["faults"]
    failed = app.send()
    removed = app.call("DELETE", "/_emulator/faults/1")

    assert made.status == 201
    assert (made.json["fault"]["kind"], made.json["fault"]["share"], made.json["fault"]["seed"]) == ("answer", 1, 3)
    assert [(fault["id"], fault["kind"], fault["times"]) for fault in listed] == [(1, "answer", None), (2, "reset", 3)]
    assert [(fault["idempotency_key"], fault["share"]) for fault in listed] == [(None, 1), ("a/*", 0.25)]
    assert failed.headers["retry-after"] == "1.5"
    assert removed.status == 200
    assert app.call("DELETE", "/_emulator/faults/1").error == (404, "not_found")
    assert [fault.id for fault in app.emulator.faults()] == [2]
    assert app.call("DELETE", "/_emulator/faults").status == 200
    assert app.emulator.faults() == []
    assert not app.emulator.remove_fault(2)


@pytest.mark.parametrize(
    ("content", "status"),
    [({}, 422), ({"status": "500"}, 400),
     ({"status": 500, "share": 2}, 422), ({"status": 500, "seed": "x"}, 400),
     ({"delay": True}, 400), ({"delay": 10**400}, 400), ({"reset": 1}, 400),
     ({"status": 500, "path": "/" + "x" * 300}, 422)],
)  # fmt: skip
def test_a_bad_fault_is_refused(app: App, content: dict[str, object], status: int) -> None:
    assert app.post("/_emulator/faults", content).status == status


def test_there_is_a_limit(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_MAX_FAULTS", 1)
    app.emulator.fail(500)

    with pytest.raises(ValueError, match="Clear them"):
        app.emulator.fail(500)
