"""Files that are sent: what arrives, what is reported, and what is said about it."""

from __future__ import annotations

import io
import json
import os
import stat
import sys

import pytest

from tests.sending_many.desk import Desk, emails, lines, recipients


def test_every_row_of_a_jsonl_is_sent_once_under_a_key_of_its_own(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(230))

    assert desk.run("news.jsonl") == 0

    assert desk.accepted == recipients(230)
    [begun, *_] = lines(desk.folder / "news.jsonl.poststack-journal")
    assert desk.keys() == {f"{begun['key_prefix']}-{n}" for n in range(230)}
    assert "230 rows: 230 sent, 0 failed." in desk.out
    assert not (desk.folder / "news.jsonl.failed.jsonl").exists()


def test_a_csv_fills_a_template(desk: Desk) -> None:
    desk.write("people.csv", "to;name;subject\nada@example.com;Ada;\ngrace@example.com;Grace;Just for you\n")
    desk.write("body.html", "<p>Hello {{name}}</p>")

    assert desk.run("people.csv", "--from", "Shop <shop@example.com>", "--subject", "News", "--html", "body.html") == 0

    sent = {email.message.to[0].address: email.message for email in desk.api.emulator.store.accepted()}
    assert {to: (message.subject, message.html) for to, message in sent.items()} == {
        "ada@example.com": ("News", "<p>Hello Ada</p>"),
        "grace@example.com": ("Just for you", "<p>Hello Grace</p>"),
    }


def test_options_give_what_a_row_lacks(desk: Desk) -> None:
    desk.jsonl(
        "two.jsonl",
        [
            {"to": "ada@example.com", "tags": None},
            {"to": "grace@example.com", "from": "own@example.com", "tags": ["own"], "reply_to": "r@example.com"},
        ],
    )
    desk.write("body.txt", "\ufeffHello")
    options = ["--from", "shop@example.com", "--subject", "S", "--text", "body.txt", "--reply-to", "all@example.com"]

    assert desk.run("two.jsonl", *options, "--tag", "a", "--tag", "b", "--unsubscribe") == 0

    sent = {email.message.to[0].address: email.message for email in desk.api.emulator.store.accepted()}
    ada, grace = sent["ada@example.com"], sent["grace@example.com"]
    assert (ada.from_.address, ada.tags, ada.text, ada.unsubscribe) == ("shop@example.com", ("a", "b"), "Hello", True)
    assert (grace.from_.address, grace.tags) == ("own@example.com", ("own",))
    assert [ada.reply_to[0].address, grace.reply_to[0].address] == ["all@example.com", "r@example.com"]


def test_what_fails_is_reported_costs_no_other_and_can_be_sent_when_it_is_put_right(desk: Desk) -> None:
    rows = emails(6)
    rows[1]["to"] = ["nobody"]
    rows[3]["from"] = "shop@elsewhere.example.com"
    text = "".join(f"{line}\n" for line in map(json.dumps, rows))
    desk.write("news.jsonl", text.replace(json.dumps(rows[4]), "{broken") + '{"to": []}\n')

    assert desk.run("news.jsonl", "--key-prefix", "may") == 1

    assert desk.accepted == ["u0@example.com", "u2@example.com", "u5@example.com"]
    report = desk.folder / "news.jsonl.failed.jsonl"
    failed = lines(report)
    reasons = [one.pop("_failure") for one in failed]
    assert [reason["line"] for reason in reasons] == [2, 4, 5, 7]
    assert {reason["outcome"] for reason in reasons} == {"not sent"}
    assert reasons[1]["error"] == "Domain not verified"
    assert reasons[2]["raw"] == "{broken"
    assert failed[0] == {**rows[1], "idempotency_key": "may-1"}
    assert failed[1] == {**rows[3], "idempotency_key": "may-3"}
    assert "7 rows: 3 sent, 4 failed." in desk.out
    assert "1  Domain not verified" in desk.out

    corrected = report.read_text("utf-8").replace("nobody", "u1@example.com").replace("elsewhere.", "")
    report.write_text(corrected, "utf-8")
    assert desk.run(report.name) == 1

    assert desk.accepted == ["u0@example.com", "u1@example.com", "u2@example.com", "u3@example.com", "u5@example.com"]
    assert desk.keys() == {"may-0", "may-1", "may-2", "may-3", "may-5"}


def test_a_report_is_for_its_owner_only_and_no_address_is_told(desk: Desk) -> None:
    rows = emails(3)
    rows[0]["headers"] = {"X-A": "secret@example.com\nBcc: x@example.com"}
    rows[1]["to"] = ["secret@example.com, x"]
    rows[2]["to"] = ["bounce+cli@example.com"]
    desk.jsonl("news.jsonl", rows)

    assert desk.run("news.jsonl") == 1

    assert "example.com" not in desk.out + desk.err
    if os.name == "posix":
        for name in ("news.jsonl.failed.jsonl", "news.jsonl.poststack-journal"):
            assert stat.S_IMODE((desk.folder / name).stat().st_mode) == 0o600


def test_rows_with_a_key_of_their_own_keep_it_and_the_same_key_twice_is_one_email(desk: Desk) -> None:
    [email] = emails(1)
    other = {**email, "subject": "Another"}
    rows = [{**email, "idempotency_key": "k"}, {**email, "idempotency_key": "k"}, {**other, "idempotency_key": "k"}]
    desk.jsonl("news.jsonl", rows)

    assert desk.run("news.jsonl", "--concurrency", "1") == 1

    assert desk.keys() == {"k"}
    assert "1 sent, 1 accepted before under the same key, 1 failed" in desk.out
    assert "used with another payload" in desk.out


def test_thousands_of_rows_that_are_wrong_cost_nothing_but_their_report(desk: Desk) -> None:
    good, more = ("".join(json.dumps(email) + "\n" for email in emails(3, name)) for name in "uv")
    desk.write("news.jsonl", good + "{broken\n" * 1_203 + more)

    assert desk.run("news.jsonl") == 1

    assert len(desk.accepted) == 6
    assert [one["_failure"]["line"] for one in lines(desk.folder / "news.jsonl.failed.jsonl")] == list(range(4, 1_207))


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "times": 3},
        {"status": 429, "retry_after": 0, "times": 3},
        {"lost_answer": True, "times": 2},
        {"reset": True, "times": 2},
        {"status": 500, "share": 0.3, "seed": 4},
    ],
    ids=["503", "429", "lost-answer", "reset", "share"],
)
def test_an_api_that_fails_now_and_then_loses_and_doubles_nothing(desk: Desk, fault: dict[str, object]) -> None:
    desk.jsonl("news.jsonl", emails(350))
    desk.fail(**fault)

    assert desk.run("news.jsonl") == 0

    assert desk.accepted == recipients(350)
    assert "350 rows" in desk.out


def test_standard_input_is_sent_under_a_prefix_and_again_without_doubling(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(json.dumps(email) + "\n" for email in emails(120)).encode() + b'{"to": []}\n'
    for number in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert desk.run("-", "--key-prefix", "pipe", "--report", f"failed-{number}.jsonl") == 1

    assert desk.accepted == recipients(120)
    assert "0 sent, 120 accepted before under the same key, 1 failed" in desk.out
    assert [one["_failure"]["line"] for one in lines(desk.folder / "failed-1.jsonl")] == [121]
    assert sorted(path.name for path in desk.folder.iterdir()) == ["failed-0.jsonl", "failed-1.jsonl"]


def test_a_csv_comes_by_standard_input_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    data = "\ufeffto;name\nada@example.com;Ada\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    desk.write("body.txt", "Hello {{name}}")
    options = ["--from", "shop@example.com", "--subject", "Hi {{name}}", "--text", "body.txt"]

    assert desk.run("-", "--format", "csv", "--key-prefix", "pipe", "--report", "failed.jsonl", *options) == 0

    [email] = desk.api.emulator.store.accepted()
    assert (email.message.subject, email.message.text) == ("Hi Ada", "Hello Ada")


def test_a_dry_run_sends_nothing_writes_nothing_and_names_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write("people.csv", "to,name\nada@example.com,Ada\n,Nobody\nx@example.com,A,B\n")
    desk.write("body.txt", "Hi")
    monkeypatch.delenv("POSTSTACK_API_KEY")
    before = sorted(desk.folder.iterdir())

    options = ["--from", "shop@example.com", "--text", "body.txt"]
    assert desk.run("people.csv", "--dry-run", *options, "--subject", "S") == 1
    assert "3 rows, 1 can be sent, 2 cannot" in desk.out
    assert "line 3: The e-mail has no recipients" in desk.out
    assert "line 4: The row has 3 columns" in desk.out
    assert "fields: to." in desk.out
    assert "variables: name." in desk.out

    assert desk.run("people.csv", "--dry-run", *options) == 1
    assert "line 2: The e-mail has no subject" in desk.out
    assert (desk.requests, sorted(desk.folder.iterdir())) == (0, before)


def test_the_key_may_be_in_a_file_and_is_told_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTSTACK_API_KEY")
    desk.write("key", "sk_test_from_a_file\n")
    desk.jsonl("news.jsonl", emails(1))

    assert desk.run("news.jsonl", "--api-key-file", "key") == 0

    journal = (desk.folder / "news.jsonl.poststack-journal").read_text()
    assert "from_a_file" not in desk.out + desk.err + journal


def test_quiet_tells_only_the_end(desk: Desk) -> None:
    desk.jsonl("news.jsonl", emails(1))

    assert desk.run("news.jsonl", "--quiet") == 0

    assert desk.err == ""
    assert desk.out.startswith("1 row: 1 sent, 0 failed.")


@pytest.mark.parametrize(
    ("name", "content", "options", "problem"),
    [
        ("no.jsonl", None, [], "No such file"),
        ("x.txt", "x", [], "give --format"),
        ("x.jsonl", "", [], "has no e-mails in it"),
        ("x.csv", "", [], "is empty"),
        ("x.csv", "email\na@example.com\n", [], "Rename 'email' to 'to'"),
        ("x.csv", "to\na@example.com\n", [], "no sender"),
        ("x.csv", "to,from\na@example.com,b@example.com\n", [], "no subject"),
        ("x.csv", "to,from,subject\na@example.com,b@example.com,S\n", [], "no content"),
        ("x.csv", "to,from\na@example.com,b@example.com\n", ["--html", "none.html"], "--html none.html: No such"),
        ("x.jsonl", "{}\n", ["--delimiter", ";"], "--delimiter is for a CSV"),
        ("x.jsonl", "{}\n", ["--delimiter", ";;"], "one character"),
        ("x.jsonl", "{}\n", ["--concurrency", "0"], "from 1 to 100"),
        ("x.jsonl", "{}\n", ["--rate-limit", "0"], "more than 0"),
        ("x.jsonl", "{}\n", ["--rate-limit", "nan"], "more than 0"),
        ("x.jsonl", "{}\n", ["--retry-for", "-1"], "0 or more"),
        ("x.jsonl", "{}\n", ["--key-prefix", ""], "1 to 200"),
        ("x.jsonl", "{}\n", ["--scheduled-at", "yesterday"], "of ISO 8601 such as"),
        ("x.jsonl", "{}\n", ["--scheduled-at", "2026-02-30T09:00:00Z", "--dry-run"], "of ISO 8601 such as"),
        ("x.jsonl", "{}\n", ["--api-key-file", "none"], "--api-key-file none: No such"),
        ("x.jsonl", "{}\n", ["--base-url", "ftp://x"], "http or https"),
        (".", None, [], "is not a file"),
        ("-", None, [], "--key-prefix"),
        ("-", None, ["--key-prefix", "k", "--report", "r", "--restart"], "nothing to forget"),
    ],
    ids=lambda value: None if isinstance(value, (list, type(None))) else str(value)[:24],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    desk: Desk, name: str, content: str | None, options: list[str], problem: str
) -> None:
    if content is not None:
        desk.write(name, content)

    assert desk.run(name, *options) == 2

    assert problem in desk.err
    assert "example.com" not in desk.err.replace("hello@example.com", "")
    assert desk.requests == 0
    assert not list(desk.folder.glob("*failed*"))


def test_without_a_key_it_says_how_to_give_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTSTACK_API_KEY")
    desk.jsonl("news.jsonl", emails(1))

    assert desk.run("news.jsonl") == 2

    assert "Set POSTSTACK_API_KEY" in desk.err
