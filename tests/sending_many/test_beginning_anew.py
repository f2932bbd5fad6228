"""A file that was begun before, and begins anew without being asked, because nothing is sent twice by it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sending_many.desk import Desk, emails, lines, recipients


def failing_twice(desk: Desk) -> tuple[str, list[dict[str, Any]]]:
    """Have two rows of three fail, and one of them again when their report is sent; return that report."""
    rows = emails(3)
    rows[1]["to"], rows[2]["to"] = ["one"], ["two"]
    desk.jsonl("news.jsonl", rows)
    assert desk.run("news.jsonl") == 1
    report = desk.folder / "news.jsonl.failed.jsonl"
    report.write_text(report.read_text("utf-8").replace('"one"', '"u1@example.com"'), "utf-8")
    assert desk.run(report.name) == 1
    return report.name, lines(report)


def test_a_report_that_is_repaired_a_second_time_is_sent_and_nothing_is_doubled(desk: Desk) -> None:
    name, failed = failing_twice(desk)
    failed[1]["to"] = ["u2@example.com"]
    desk.jsonl(name, failed)

    assert desk.run(name) == 0

    assert "Its rows have keys of their own, under which none is sent twice" in desk.err
    assert "1 sent, 1 accepted before under the same key" in desk.out
    assert desk.accepted == recipients(3)
    assert len(lines(desk.folder / f"{name}.failed.jsonl.old")) == 1


def test_the_report_of_a_file_that_was_restarted_is_sent(desk: Desk) -> None:
    name, _ = failing_twice(desk)
    assert desk.run("news.jsonl", "--restart") == 1
    failed = lines(desk.folder / name)
    for number, email in enumerate(failed):
        email["to"] = [f"v{number}@example.com"]
    desk.jsonl(name, failed)

    assert desk.run(name) == 0

    assert "2 rows: 2 sent" in desk.out
    assert desk.accepted == ["u0@example.com", "u0@example.com", "u1@example.com", "v0@example.com", "v1@example.com"]


def test_a_report_with_a_row_without_a_key_asks_first(desk: Desk) -> None:
    name, failed = failing_twice(desk)
    requests = desk.requests
    del failed[1]["idempotency_key"]
    desk.jsonl(name, failed)

    assert desk.run(name) == 2

    assert "sent to its end, and has been changed since" in desk.err
    assert "(rows with keys of their own keep them)" in desk.err
    assert desk.requests == requests


def test_options_of_a_run_that_has_sent_nothing_may_be_put_right(desk: Desk) -> None:
    rows = [{name: value for name, value in email.items() if name != "from"} for email in emails(150)]
    desk.jsonl("news.jsonl", rows)
    assert desk.run("news.jsonl", "--from", "shop@elsewhere.example") == 2
    assert desk.run("news.jsonl", "--from", "shop@elsewhere.example", "--keep-going") == 1
    [begun, *_] = lines(desk.folder / "news.jsonl.poststack-journal")

    assert desk.run("news.jsonl", "--from", "shop@example.com") == 0

    assert "Nothing of news.jsonl was sent so far. It begins anew, as these differ: --from." in desk.err
    assert desk.accepted == recipients(150)
    # A call of the run before that was accepted after all is not sent again.
    assert desk.keys() == {f"{begun['key_prefix']}-{n}" for n in range(150)}
    assert len(lines(desk.folder / "news.jsonl.failed.jsonl.old")) == 150
    assert desk.run("news.jsonl", "--from", "other@example.com") == 2
    assert "was begun with other options" in desk.err


def test_another_api_and_another_kind_of_key_may_follow_when_nothing_was_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.jsonl("news.jsonl", emails(1))
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_live_x")  # Which an emulator refuses.
    assert desk.run("news.jsonl", "--base-url", desk.api.address.replace("127.0.0.1", "localhost")) == 2
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_x")

    assert desk.run("news.jsonl") == 0

    assert "it was http://localhost" in desk.err
    assert "it was a live key, now it is a test key" in desk.err
    assert desk.accepted == recipients(1)


def test_other_keys_ask_first_while_calls_may_have_been_under_way(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(450))
    desk.fail(lost_answer=True)  # The API accepts all of them, and nobody hears of it.
    assert desk.run("news.jsonl", "--retry-for", "0", "--concurrency", "1") == 2
    assert "0 rows: 0 sent" in desk.out
    desk.no_more_faults()

    assert desk.run("news.jsonl", "--key-prefix", "other") == 2
    assert "was begun with other options" in desk.err

    # With another option what was accepted is refused instead of sent once more.
    accepted = len(desk.accepted)
    assert desk.run("news.jsonl", "--tag", "x", "--keep-going") == 1
    assert accepted >= 200
    assert f"450 rows: {450 - accepted} sent, {accepted} failed" in desk.out
    assert desk.accepted == recipients(450)


def test_where_some_may_have_been_sent_other_options_ask_first(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(2))
    desk.fail(lost_answer=True)
    assert desk.run("news.jsonl", "--retry-for", "0") == 2
    journal = desk.folder / "news.jsonl.poststack-journal"
    begun, *_, known = lines(journal)
    unknown = {**known, "failed": 1, "unknown": 1}
    journal.write_text(json.dumps(begun) + "\n" + json.dumps(unknown) + "\n")

    assert desk.run("news.jsonl", "--tag", "x") == 2

    assert "was begun with other options" in desk.err
