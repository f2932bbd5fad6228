"""A message with Django's attributes, whatever library made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from poststack.mime import finished_payload, payload_from


@dataclass
class Message:
    subject: Any = "Hi"
    body: Any = "Text"
    from_email: Any = "a@example.com"
    to: Any = ("b@example.com",)
    cc: Any = ()
    bcc: Any = ()
    reply_to: Any = ()
    attachments: Any = ()
    extra_headers: Any = field(default_factory=dict[str, str])
    content_subtype: Any = "plain"
    alternatives: Any = ()


def test_all_that_it_says_is_in_the_payload() -> None:
    message = Message(
        cc=["c@example.com"],
        bcc=[("Dee", "d@example.com")],
        reply_to=["e@example.com"],
        extra_headers={"X-A": "1"},
        alternatives=[("<p>Hi", "text/html")],
        attachments=[("a.txt", "x", None)],
    )

    payload = payload_from(message, charset="utf-8")
    assert payload.pop("attachments") == [{"filename": "a.txt", "content": "eA==", "content_type": "text/plain"}]
    assert payload == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "cc": ["c@example.com"],
        "bcc": ["Dee <d@example.com>"],
        "reply_to": "e@example.com",
        "subject": "Hi",
        "text": "Text",
        "html": "<p>Hi",
        "headers": {"X-A": "1"},
    }


def test_a_message_without_a_sender_has_the_default_one() -> None:
    payload = payload_from(Message(from_email=None), charset="utf-8", default_sender=("Acme", "acme@example.com"))

    assert payload["from"] == "Acme <acme@example.com>"


def test_no_subject_is_an_empty_one() -> None:
    assert payload_from(Message(subject=None), charset="utf-8").get("subject") == ""


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Message(to=()), "no `to`"),
        (Message(content_subtype="calendar"), "content_subtype"),
        (Message(alternatives=[("x", "text/calendar")]), "text/calendar"),
        (Message(alternatives=[("x", "text/plain")]), "two bodies"),
        (Message(reply_to=["a@example.com", "b@example.com"]), "takes one"),
        (Message(extra_headers={"To": "x@example.com"}), "names other recipients"),
        (Message(subject="a\nb"), "line break"),
    ],
)
def test_what_the_api_cannot_say_is_refused(message: Message, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        payload_from(message, charset="utf-8")


def test_a_template_supplies_what_is_empty() -> None:
    payload = payload_from(Message(subject="", body=""), charset="utf-8")
    payload["template_id"] = "tpl_1"

    assert finished_payload(payload) == {"from": "a@example.com", "to": ["b@example.com"], "template_id": "tpl_1"}


def test_half_a_character_is_refused_at_the_end() -> None:
    with pytest.raises(ValueError, match="`subject` contains half"):
        finished_payload(payload_from(Message(subject="\ud800"), charset="utf-8"))
