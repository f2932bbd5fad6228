"""What is said of errors: in words that are whole, and of the e-mail that met them."""

from __future__ import annotations

import io
import sys

import pytest

from tests.sending_many.desk import Desk, emails


def test_a_long_text_of_the_api_is_cut_after_a_word(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    desk.fail(status=403, code="forbidden", error=("wonderful " * 15).strip())

    assert desk.run("news.jsonl") == 2

    assert "wonderful… (forbidden)" in desk.err
    assert desk.err.count("wonderful") == 12


def test_a_text_that_is_one_word_is_cut_in_it(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))
    desk.fail(status=403, code="forbidden", error="No " + "w" * 150)

    assert desk.run("news.jsonl") == 2

    assert f"No {'w' * 116}… (forbidden)" in desk.err


def test_an_api_that_is_away_is_told_without_advice_to_programs(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(2))

    assert desk.run("news.jsonl", "--base-url", "http://127.0.0.1:9", "--retry-for", "0") == 2

    assert "The API is away: No connection to http://127.0.0.1:9 (" in desk.err
    assert "taken effect" not in desk.err
    assert "Nothing was sent" not in desk.err
    assert "idempotency_key" not in desk.err


def test_a_refusal_is_told_as_the_api_says_it_and_not_as_of_a_row_that_was_not_tried(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1_500))
    desk.fail(status=403, code="forbidden", error="This key may only read.")

    assert desk.run("news.jsonl") == 2

    assert "The API refuses this key: This key may only read (forbidden) (403)." in desk.err


@pytest.mark.parametrize(
    ("data", "options"),
    [("", []), ("\n\n", []), ("to,name\n", ["--format", "csv"]), ("", ["--format", "csv"])],
    ids=["nothing", "blank", "header", "no-header"],
)
def test_standard_input_without_an_email_is_like_an_empty_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, data: str, options: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))

    assert desk.run("-", "--key-prefix", "pipe", "--report", "failed.jsonl", *options) == 2

    assert "no e-mails in it" in desk.err or "is empty" in desk.err
    assert list(desk.folder.iterdir()) == []
