"""The same command once more: what it goes on with, what it refuses, and what it sends again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from poststack.sending_many.journal import Journal
from poststack.sending_many.locking import lock
from poststack.sending_many.rows import InputError
from poststack.sending_many.source import Source
from tests.sending_many.desk import Desk, emails, lines, recipients


def test_a_file_that_is_sent_is_not_sent_again(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(3))
    assert desk.run("news.jsonl") == 0
    requests = desk.requests

    assert desk.run("news.jsonl") == 0

    assert "Nothing was sent now" in desk.out
    assert "3 rows: 3 sent, 0 failed." in desk.out
    assert desk.requests == requests


def test_a_file_with_failures_stays_one_with_failures(desk: Desk) -> None:
    desk.jsonl("news.jsonl", [*emails(1), {"to": []}])
    assert [desk.run("news.jsonl"), desk.run("news.jsonl")] == [1, 1]
    assert "news.jsonl.failed.jsonl" in desk.out


def test_restart_sends_everything_again_under_new_keys_and_makes_a_new_report(desk: Desk) -> None:
    desk.jsonl("news.jsonl", [*emails(2), {"to": []}])
    assert [desk.run("news.jsonl"), desk.run("news.jsonl", "--restart")] == [1, 1]

    assert desk.accepted == sorted(recipients(2) * 2)
    assert len(desk.keys()) == 4
    assert len(lines(desk.folder / "news.jsonl.failed.jsonl")) == 1
    assert len(lines(desk.folder / "news.jsonl.failed.jsonl.old")) == 1
    assert desk.run("news.jsonl") == 1
    assert "Nothing was sent now" in desk.out


def test_restart_under_the_old_prefix_sends_only_what_is_new(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(2))
    assert desk.run("news.jsonl", "--key-prefix", "may") == 0
    desk.jsonl("news.jsonl", emails(3))

    assert desk.run("news.jsonl", "--key-prefix", "may", "--restart") == 0

    assert desk.accepted == recipients(3)
    assert "1 sent, 2 accepted before" in desk.out


def test_without_its_journal_a_prefix_keeps_a_file_from_being_doubled(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(2))
    assert desk.run("news.jsonl", "--key-prefix", "may") == 0
    (desk.folder / "news.jsonl.poststack-journal").unlink()

    assert desk.run("news.jsonl", "--key-prefix", "may") == 0

    assert desk.accepted == recipients(2)
    assert "0 sent, 2 accepted before" in desk.out


@pytest.mark.parametrize("is_longer", [False, True], ids=["same-size", "longer"])
def test_a_changed_file_is_refused_with_the_ways_out(desk: Desk, is_longer: bool) -> None:
    path = desk.jsonl("news.jsonl", emails(2))
    desk.fail(status=429, code="daily_limit_exceeded", error="Daily limit reached", times=1)
    assert desk.run("news.jsonl") == 2
    before = path.read_text()
    path.write_text(before + before if is_longer else before.replace("Hello", "Hullo"))

    assert desk.run("news.jsonl") == 2
    assert "is not what it was when it was begun" in desk.err
    assert "put the old file back" in desk.err
    assert "--restart" in desk.err
    assert desk.accepted == []

    path.write_text(before)
    assert desk.run("news.jsonl") == 0
    assert desk.accepted == recipients(2)


def test_a_new_file_under_the_name_of_one_that_was_sent_is_refused_once(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    assert desk.run("news.jsonl") == 0
    desk.jsonl("news.jsonl", emails(1, "v"))

    assert desk.run("news.jsonl") == 2
    assert "sent to its end, and has been changed since" in desk.err
    assert desk.run("news.jsonl", "--restart") == 0
    assert desk.accepted == ["u0@example.com", "v0@example.com"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--subject", "Other"], "--subject"),
        ([], "--subject"),
        (["--subject", "S", "--tag", "x"], "--tag"),
        (["--subject", "S", "--key-prefix", "june"], "--key-prefix"),
        (["--subject", "S", "--base-url", "http://127.0.0.1:9"], "now it is http://127.0.0.1:9"),
    ],
    ids=["changed", "left-out", "added", "prefix", "api"],
)
def test_other_options_are_refused_by_name(desk: Desk, options: list[str], named: str) -> None:
    rows = [{name: value for name, value in email.items() if name != "subject"} for email in emails(2)]
    desk.jsonl("news.jsonl", [*rows, {**rows[0], "subject": "Own"}])
    assert desk.run("news.jsonl", "--subject", "S", "--key-prefix", "may") == 0

    assert desk.run("news.jsonl", *options) == 2

    assert named in desk.err
    assert desk.run("news.jsonl", "--subject", "S") == 0  # The prefix need not be given again.


def test_what_was_tried_with_a_test_key_is_not_taken_for_sent_with_a_live_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.jsonl("news.jsonl", emails(1))
    assert desk.run("news.jsonl") == 0
    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_live_x")

    assert desk.run("news.jsonl") == 2

    assert "it was a test key, now it is a live key" in desk.err


def test_a_key_that_is_refused_ends_it_at_once_and_the_right_one_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.jsonl("news.jsonl", emails(2_000))
    monkeypatch.setenv("POSTSTACK_API_KEY", "wrong")

    assert desk.run("news.jsonl") == 2
    assert "The API refuses this key" in desk.err
    assert desk.requests <= 8
    assert not (desk.folder / "news.jsonl.failed.jsonl").exists()

    monkeypatch.setenv("POSTSTACK_API_KEY", "sk_test_right")
    assert desk.run("news.jsonl") == 0
    assert desk.accepted == recipients(2_000)


def test_a_key_that_may_not_send_ends_it(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(3))
    desk.fail(status=403, code="forbidden", error="This key may only read.")

    assert desk.run("news.jsonl") == 2

    assert "This key may only read" in desk.err
    desk.no_more_faults()
    assert desk.run("news.jsonl") == 0


def test_when_all_of_the_first_emails_are_refused_alike_it_stops_and_fails_none(desk: Desk) -> None:
    desk.jsonl("news.jsonl", [{**email, "from": "shop@elsewhere.example"} for email in emails(1_500)])

    assert desk.run("news.jsonl") == 2
    assert "refused for one reason: Domain not verified" in desk.err
    assert "0 rows" in desk.out
    assert not (desk.folder / "news.jsonl.failed.jsonl").exists()
    assert desk.requests <= 8

    assert desk.run("news.jsonl", "--keep-going") == 1
    assert "1,500 rows: 0 sent, 1,500 failed." in desk.out
    assert len(lines(desk.folder / "news.jsonl.failed.jsonl")) == 1_500


@pytest.mark.parametrize(
    ("row", "change"),
    [(0, {}), (50, {"to": ["nobody"]}), (99, {})],
    ids=["first-accepted", "another-reason", "hundredth-accepted"],
)
def test_many_that_are_refused_alike_are_reported_when_not_all_are(
    desk: Desk, row: int, change: dict[str, object]
) -> None:
    rows = emails(150)
    for number, email in enumerate(rows):
        email.update(change if number == row else {"from": "shop@elsewhere.example"})
    desk.jsonl("news.jsonl", rows)

    assert desk.run("news.jsonl") == 1

    assert [one["_failure"]["line"] for one in lines(desk.folder / "news.jsonl.failed.jsonl")] == [
        number + 1 for number in range(150) if number != row or change
    ]


def test_a_used_up_quota_ends_it_and_it_goes_on_where_it_ended(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(350))
    assert desk.run("--concurrency", "1", "news.jsonl", "--dry-run") == 0
    desk.fail(status=503, times=1)  # Which the client waits out, so that the next fault meets the second call.
    desk.fail(status=429, code="monthly_limit_exceeded", error="Limit of ada@example.com reached", times=1)

    assert desk.run("news.jsonl") == 2
    assert "The sending quota is used up: Limit of … reached" in desk.err
    assert "give the same command again" in desk.err
    assert len(desk.accepted) < 350

    assert desk.run("news.jsonl") == 0
    assert desk.accepted == recipients(350)
    assert "350 rows" in desk.out


def test_an_api_that_is_away_ends_it_and_fails_no_row(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(450))
    desk.fail(status=503)

    assert desk.run("news.jsonl", "--retry-for", "0", "--concurrency", "2") == 2
    assert "The API is away" in desk.err
    assert "0 rows: 0 sent, 0 failed." in desk.out

    desk.no_more_faults()
    assert desk.run("news.jsonl", "--retry-for", "60") == 0  # How it is sent may change in between.
    assert desk.accepted == recipients(450)


def test_rows_whose_outcome_is_unknown_are_marked_and_can_be_sent_without_doubling(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(250))
    desk.fail(lost_answer=True, times=4)  # All attempts of the first call.

    assert desk.run("news.jsonl", "--retry-for", "0", "--concurrency", "1") == 1
    assert "100 of them may have been accepted all the same" in desk.out
    report = desk.folder / "news.jsonl.failed.jsonl"
    assert {one["_failure"]["outcome"] for one in lines(report)} == {"unknown"}
    assert desk.accepted == recipients(250)

    assert desk.run(report.name) == 0
    assert "0 sent, 100 accepted before" in desk.out
    assert desk.accepted == recipients(250)


def test_a_file_that_is_written_to_while_it_is_open_is_noticed(desk: Desk) -> None:
    path = desk.jsonl("news.jsonl", emails(2))
    with closing(Source("news.jsonl", None, None)) as source:
        assert len(list(source.rows(source.start))) == 2
        assert not source.has_changed
        with path.open("a") as file:
            file.write("more")
        assert source.has_changed


def test_only_one_process_sends_a_file(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    with (desk.folder / "news.jsonl.poststack-journal").open("wb") as other:
        assert lock(other.fileno())

        assert desk.run("news.jsonl") == 2
        assert "Another process is sending this file" in desk.err

    assert desk.run("news.jsonl") == 0


def test_a_report_of_something_else_is_not_overwritten(desk: Desk) -> None:
    desk.jsonl("news.jsonl", [*emails(1), {"to": []}])
    kept = desk.write("news.jsonl.failed.jsonl", "precious\n")

    assert desk.run("news.jsonl") == 2

    assert "is there already" in desk.err
    assert (kept.read_text(), desk.requests) == ("precious\n", 0)
    assert desk.run("news.jsonl", "--report", "other.jsonl") == 1


def test_something_else_than_a_journal_is_not_touched(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    kept = desk.write("notes", '{"poststack": "no"}\nprecious\n')

    assert desk.run("news.jsonl", "--journal", "notes") == 2

    assert "not a journal" in desk.err
    assert kept.read_text().endswith("precious\n")


def test_a_journal_that_cannot_be_written_is_refused(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))

    assert desk.run("news.jsonl", "--journal", "missing/journal") == 2

    assert "Name another place with --journal" in desk.err


def interrupted(desk: Desk, *, age: int = 0, is_settled: bool = False) -> None:
    """Have a run of 300 rows end after at least one hundred, with a failure among them."""
    desk.jsonl("news.jsonl", [{"to": []}, *emails(299)])
    desk.fail(lost_answer=True, times=1)
    assert desk.run("news.jsonl", "--concurrency", "1") == 1
    journal = desk.folder / "news.jsonl.poststack-journal"
    begun, *known = lines(journal)
    place = {"row": 1, "line": 1, "offset": len('{"to": []}\n'), "report_size": known[-1]["report_size"]}
    counts = {"sent": 0, "replayed": 0, "failed": 1, "unknown": 0, "reasons": known[-1]["reasons"]}
    early = {**known[-1], **place, **counts, "finished": False, "settled": is_settled, "at": known[-1]["at"] - age}
    begun["begun_at"] -= age
    journal.write_text(json.dumps(begun, separators=(",", ":")) + "\n" + json.dumps(early) + "\n")


def test_what_a_dead_process_reported_and_did_not_note_is_reported_once(desk: Desk) -> None:
    interrupted(desk)
    report = desk.folder / "news.jsonl.failed.jsonl"
    [failed] = lines(report)
    with report.open("a") as file:
        file.write(json.dumps({**failed, "half": "a line"})[:40])

    assert desk.run("news.jsonl") == 1

    assert lines(report) == [failed]
    assert "300 rows: 0 sent, 299 accepted before under the same key, 1 failed" in desk.out
    assert desk.accepted == recipients(299)


def test_a_report_that_was_changed_is_refused_and_one_that_is_gone_begun_anew(desk: Desk) -> None:
    interrupted(desk)
    report = desk.folder / "news.jsonl.failed.jsonl"
    report.write_text("changed\n")

    assert desk.run("news.jsonl") == 2
    assert "Move it away" in desk.err

    report.unlink()
    assert desk.run("news.jsonl") == 1
    assert "is gone; what fails from here on is in a new one" in desk.err
    assert not report.exists()
    assert desk.accepted == recipients(299)


def test_a_crash_that_is_so_long_ago_that_keys_may_be_forgotten_is_not_gone_on_with_unasked(desk: Desk) -> None:
    interrupted(desk, age=14 * 24 * 3600)
    requests = desk.requests

    assert desk.run("news.jsonl") == 2
    assert "more than 13 days ago" in desk.err
    assert "those after line 1." in desk.err
    assert desk.requests == requests
    assert desk.run("news.jsonl", "--even-if-old") == 1


@pytest.mark.parametrize(("age", "is_settled"), [(14, True), (12, False)], ids=["nothing-under-way", "younger"])
def test_what_cannot_have_been_forgotten_is_gone_on_with(desk: Desk, age: int, is_settled: bool) -> None:
    interrupted(desk, age=age * 24 * 3600, is_settled=is_settled)

    assert desk.run("news.jsonl") == 1
    assert "300 rows" in desk.out


def test_a_journal_that_a_crash_cuts_off_anywhere_says_what_is_left_of_it(desk: Desk) -> None:
    interrupted(desk)
    whole = (desk.folder / "news.jsonl.poststack-journal").read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    path = desk.folder / "cut"
    for size in {*range(0, len(whole), 7), *(end + near for end in [0, *ends] for near in (-2, -1, 0, 1))}:
        if not 0 <= size <= len(whole):
            continue
        path.write_bytes(whole[:size])
        journal = Journal.open(path)
        journal.close()
        found = (journal.plan is not None) + (journal.checkpoint is not None)
        assert found == sum(end <= size for end in ends)
        assert path.stat().st_size == max([0, *(end for end in ends if end <= size)])


@pytest.mark.parametrize(
    "content",
    ["x\n", "{}\n", '{"poststack_journal":1}\n', '{"poststack_journal":99}\n', "[]\n", "\u00e9", '{"row":1}\n'],
)
def test_what_no_crash_leaves_is_no_journal(tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal"
    path.write_text(content)

    with pytest.raises(InputError):
        Journal.open(path)

    assert path.read_text() == content
