"""Where a run writes: what cannot be its journal or its report is refused before anything is sent."""

from __future__ import annotations

import os
import sys

import pytest

from tests.sending_many.desk import Desk, emails, lines, recipients


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_sent(desk: Desk) -> None:
    desk.jsonl("news.jsonl", [*emails(1), {"to": []}])

    assert desk.run("news.jsonl", "--report", "missing/failed.jsonl") == 2

    assert "The report missing/failed.jsonl cannot be written: No such file" in desk.err
    assert "--report" in desk.err
    assert desk.requests == 0
    assert desk.run("news.jsonl", "--report", "failed.jsonl") == 1
    assert len(lines(desk.folder / "failed.jsonl")) == 1


def test_a_report_that_can_no_longer_be_written_can_be_another_as_long_as_nothing_is_in_it(desk: Desk) -> None:
    place = desk.folder / "reports"
    place.mkdir()
    desk.jsonl("news.jsonl", [*emails(1), {"to": []}])
    desk.fail(status=429, code="daily_limit_exceeded", error="Daily limit reached", times=1)
    assert desk.run("news.jsonl", "--report", "reports/failed.jsonl") == 2
    assert not list(place.iterdir())
    place.rmdir()

    assert desk.run("news.jsonl", "--report", "reports/failed.jsonl") == 2
    assert "The report reports/failed.jsonl cannot be written" in desk.err
    kept = desk.write("kept", "precious\n")
    assert desk.run("news.jsonl", "--report", "kept") == 2
    assert kept.read_text() == "precious\n"
    assert desk.accepted == []

    desk.fail(status=429, code="daily_limit_exceeded", error="Daily limit reached", times=1)
    assert desk.run("news.jsonl", "--report", "other.jsonl") == 2
    assert desk.run("news.jsonl", "--report", "other.jsonl") == 1  # Which is now that of the run.
    assert desk.accepted == recipients(1)
    assert len(lines(desk.folder / "other.jsonl")) == 1

    assert desk.run("news.jsonl", "--report", "third.jsonl") == 2
    assert "other.jsonl. Give --report" in desk.err


@pytest.mark.parametrize("link", [None, os.symlink, os.link], ids=["name", "symlink", "hard-link"])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--journal", "x", "--report", "same"], "The journal and the report are one file"),
        (["--report", "news.jsonl"], "news.jsonl is the file to be sent, and cannot be its report"),
        (["--journal", "news.jsonl"], "news.jsonl is the file to be sent, and cannot be its journal"),
        (["--journal", "x.old", "--report", "x"], "x.old is where an older report is kept"),
    ],
    ids=["journal-report", "file-report", "file-journal", "journal-old-report"],
)
def test_two_files_that_are_one_are_refused(desk: Desk, link: object, options: list[str], problem: str) -> None:
    path = desk.jsonl("news.jsonl", emails(1))
    same = "x"
    if callable(link):
        desk.write("x", "")
        link("x", "other")
        same = "other"
    before = path.read_bytes()

    assert desk.run("news.jsonl", *(same if option == "same" else option for option in options)) == 2

    assert problem in desk.err
    assert (path.read_bytes(), desk.requests) == (before, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="There are no such files.")
@pytest.mark.parametrize("option", ["--journal", "--report"])
@pytest.mark.parametrize("path", ["/dev/full", ".", "pipe"])
def test_what_is_no_regular_file_is_refused(desk: Desk, option: str, path: str) -> None:
    desk.jsonl("news.jsonl", emails(1))
    os.mkfifo(desk.folder / "pipe")

    assert desk.run("news.jsonl", option, path) == 2

    assert f"{option} {path} is not a regular file" in desk.err
    assert desk.requests == 0


def test_where_nothing_can_be_written_both_options_are_named(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))

    assert desk.run("news.jsonl", "--journal", "missing/journal") == 2

    assert "Name another place with --journal, and with --report" in desk.err
