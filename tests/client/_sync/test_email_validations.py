# Written by tools/unasync.py from tests/client/_async/test_email_validations.py. Do not edit.
"""What can be said of an address before it is written to."""

from __future__ import annotations

from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.testing import EmulatorSession

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("email", "result", "risk"),
    [
        ("ada@shop.test", "unknown", "medium"),
        ("ada@gmail.com", "unknown", "low"),
        ("ada@mailinator.com", "risky", "high"),
        ("ada@nowhere.invalid", "undeliverable", "high"),
        ("deliverable@nowhere.invalid", "undeliverable", "high"),
        ("deliverable@shop.test", "deliverable", "low"),
        ("Deliverable+1@shop.test", "deliverable", "low"),
        ("undeliverable@shop.test", "undeliverable", "high"),
        ("risky-7@shop.test", "risky", "medium"),
        ("unknown@shop.test", "unknown", "low"),
        ("bounce@shop.test", "undeliverable", "high"),
        ("fail@shop.test", "undeliverable", "high"),
        ("complain@shop.test", "risky", "medium"),
        ("defer@shop.test", "unknown", "low"),
        ("support@gmail.com", "unknown", "medium"),
    ],
)
def test_results_follow_from_the_address(client: PostStack, email: str, result: str, risk: str) -> None:
    found = client.email_validations.validate(email)

    assert (found["email"], found["result"], found.get("risk")) == (email, result, risk)


@pytest.mark.parametrize(
    "email",
    [
        "nobody",
        "a@b@shop.test",
        "Ada <ada@shop.test>",
        " a@b.test",
        "a" * 2_000,
        "a@\n",
        "a" * 65 + "@shop.test",
        "é" * 33 + "@shop.test",
    ],
)
def test_wrong_syntax_is_undeliverable(client: PostStack, email: str) -> None:
    found = client.email_validations.validate(email)

    assert found["result"] == "undeliverable"
    assert found.get("checks") == dict.fromkeys(("syntax", "mx", "disposable", "role", "free"), False)


@pytest.mark.parametrize(
    ("email", "true"),
    [
        ("ada@shop.test", {"syntax"}),
        ("ada@GMX.de", {"syntax", "mx", "free"}),
        ("ada@yopmail.com", {"syntax", "mx", "disposable"}),
        ("support+x@shop.test", {"syntax", "role"}),
        ("deliverable@shop.test", {"syntax", "mx"}),
    ],
)
def test_checks_say_what_is_known_offline(client: PostStack, email: str, true: set[str]) -> None:
    checks: Any = (client.email_validations.validate(email)).get("checks")

    assert {name for name, value in checks.items() if value} == true


def test_a_bounce_here_makes_an_address_undeliverable(client: PostStack, emu: EmulatorSession) -> None:
    client.emails.send({"from": "a@shop.test", "to": ["ada@shop.test"], "subject": "Hi", "text": "x"})
    emu.simulate(emu.sent[0].id, "bounced")
    client.suppressions.add({"email": "bob@shop.test", "reason": "unsubscribe"})

    assert (client.email_validations.validate("Ada@shop.test"))["result"] == "undeliverable"
    assert (client.email_validations.validate("bob@shop.test"))["result"] == "unknown"


def test_a_batch_answers_in_order(client: PostStack) -> None:
    emails = [f"deliverable+{number}@shop.test" for number in range(99)] + ["nobody"]
    found = (client.email_validations.validate_batch(emails))["results"]

    assert [each["email"] for each in found] == emails
    assert {each["result"] for each in found[:99]} == {"deliverable"}
    assert found[99]["result"] == "undeliverable"
    assert (client.email_validations.validate_batch([]))["results"] == []


def test_a_batch_has_at_most_a_hundred(client: PostStack) -> None:
    with pytest.raises(PostStackError) as caught:
        client.email_validations.validate_batch(["ada@shop.test"] * 101)

    assert caught.value.status_code == 422


def test_an_empty_address_is_none(client: PostStack) -> None:
    with pytest.raises(PostStackError) as caught:
        client.email_validations.validate("")

    assert caught.value.status_code == 400
