"""What the benchmarks stand on: a server that answers as the API does, sides by turns, a page that keeps the rest."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from benchmarks.page import Page
from benchmarks.section import Goal
from benchmarks.serving import Server, served
from benchmarks.turns import by_turns, middle_ratio
from poststack import PostStack
from poststack.types import SendEmail

EMAIL: SendEmail = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with served() as running:
        yield running


def test_the_server_answers_each_email_of_a_batch(server: Server) -> None:
    with PostStack("sk_test_x", server.address) as client:
        for count in (1, 3, 100):
            assert len(client.emails.batch({"emails": [EMAIL] * count})["data"]) == count


def test_the_server_answers_large_emails_and_small_ones_on_one_connection(server: Server) -> None:
    with PostStack("sk_test_x", server.address, max_retries=0) as client:
        for text in ("x" * 3_000_000, "x", "x" * 300_000):
            assert client.emails.send({**EMAIL, "text": text})["id"].startswith("em_")


def test_whoever_goes_first_changes_and_the_first_round_does_not_count() -> None:
    asked: list[str] = []

    def run(side: str) -> int:
        asked.append(side)
        return len(asked)

    figures = by_turns(["a", "b"], 2, run)

    assert asked == ["a", "b", "b", "a", "a", "b"]
    assert figures == {"a": [4, 5], "b": [3, 6]}


def test_a_ratio_is_that_of_what_was_measured_side_by_side() -> None:
    assert middle_ratio([1, 20, 3], [2, 40, 3]) == 0.5


def test_one_section_is_measured_anew_and_the_others_stay() -> None:
    order = ["First one", "Second"]
    page = Page("", order)
    page.put("Second", "two\n\n| a |\n|---|", [Goal("speed", 3.0, 2.0, at_least=True)])
    page.put("First one", "one", [Goal("cost", 0.4, 0.5), Goal("memory", 120.0, 100.0, unit=" MiB", digits=0)])

    again = Page(str(page), order)
    again.put("First one", "new", [Goal("cost", 0.3, 0.5)])

    text = str(again)
    assert (
        text.index("## Goals") < text.index("## First one\n\nnew\n") < text.index("## Second\n\ntwo\n\n| a |\n|---|\n")
    )
    assert "| [First one](#first-one) | cost | **0.30x** | at most 0.50x | met |" in text
    assert "| [Second](#second) | speed | **3.00x** | at least 2.00x | met |" in text
    assert "memory" not in text
    assert str(Page(text, order)) == text


def test_a_missed_goal_says_so() -> None:
    assert Goal("memory", 120.0, 100.0, unit=" MiB", digits=0).cells[-1] == "**missed**"
