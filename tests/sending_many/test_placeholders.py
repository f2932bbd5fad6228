"""Placeholders in options that no column of a CSV fills."""

from __future__ import annotations

import pytest

from tests.sending_many.desk import Desk

OPTIONS = ["--from", "shop@example.com", "--subject", "Hi {{ name }}", "--text", "body.txt"]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["sending", "dry-run"])
def test_placeholders_without_a_column_stop_it_before_anything_is_sent(desk: Desk, dry: list[str]) -> None:
    desk.write("people.csv", "to,Name,plan\nada@example.com,Ada,gold\n")
    desk.write("body.txt", "{{plan}} {{name}} {{ town }} {{TO}}\n{{signature}}")

    assert desk.run("people.csv", *OPTIONS, *dry) == 2

    assert "{{name}} in --subject and --text (there is a column Name)\n" in desk.err
    assert "{{town}} in --text\n" in desk.err
    assert "{{TO}} in --text (the column to is a field of the e-mail, and no variable)\n" in desk.err
    assert "{{plan}}" not in desk.err
    assert "{{signature}}" not in desk.err
    assert "--allow-unfilled" in desk.err
    assert desk.requests == 0
    assert desk.run("people.csv", *OPTIONS, *dry, "--allow-unfilled") == 0
    assert len(desk.accepted) == (0 if dry else 1)


def test_of_many_placeholders_the_first_are_named(desk: Desk) -> None:
    desk.write("people.csv", "to,name\nada@example.com,Ada\n")
    desk.write("body.txt", "".join(f"{{{{a{n}}}}}" for n in range(12)))

    assert desk.run("people.csv", *OPTIONS) == 2

    assert "{{a9}} in --text\n  … and 2 more\n" in desk.err


@pytest.mark.parametrize(
    ("header", "row", "options"),
    [
        ("to,variables", 'ada@example.com,"{""name"": ""Ada""}"', []),
        ("to,other", "ada@example.com,x", ["--template", "tpl_1"]),
        ("to,template_id", "ada@example.com,tpl_1", []),
    ],
    ids=["variables", "template", "column-of-templates"],
)
def test_what_something_else_may_fill_is_not_asked_for(desk: Desk, header: str, row: str, options: list[str]) -> None:
    desk.write("people.csv", f"{header}\n{row}\n")
    desk.write("body.txt", "Hello {{name}}")

    assert desk.run("people.csv", *OPTIONS, *options, "--dry-run") == 0

    assert "1 can be sent" in desk.out
