"""What is new in a reply, and what a thread is held together by."""

from __future__ import annotations

import pytest

from poststack.emulator.model import Address
from poststack.emulator.receiving.inbound import InboundEmail, InboundMessage
from poststack.emulator.receiving.replies import forwarded_html, quoted_html, stripped_reply, thread_headers

ADA = Address("ada@customer.test", "Ada")


def said(text: str | None = None, html: str | None = None) -> str | None:
    return stripped_reply(InboundMessage(ADA, text=text, html=html))


@pytest.mark.parametrize(
    "quoted",
    [
        "On Mon, 23 Mar 2026 at 10:00, Shop <shop@example.com> wrote:\n> Hello\n> there",
        "On Mon, Mar 23, 2026 at 10:00 AM Shop <\nshop@example.com> wrote:\n\n> Hello",
        "Am 23.03.2026 um 10:00 schrieb Shop <shop@example.com>:\n> Hallo",
        "Le lun. 23 mars 2026 à 10:00, Shop a écrit :\n> Bonjour",
        "El lun, 23 mar 2026, Shop escribió:\n> Hola",
        "> Hello",
        "-----Original Message-----\nFrom: Shop\nHello",
        "________________________________\nFrom: Shop\nSent: Monday",
        "From: Shop <shop@example.com>\nSent: Monday\nTo: Ada\nSubject: Hi\n\nHello",
        "On Monday Shop wrote:\nHello without any mark",
        "-- \nAda Lovelace\nCustomer",
    ],
)
def test_quotes_and_signatures_are_stripped(quoted: str) -> None:
    assert said(f"That worked, thanks!\n\nAda\n\n{quoted}\n") == "That worked, thanks!\n\nAda"


def test_answers_between_the_quotes_stay() -> None:
    text = "Hi\n\nOn Monday Shop wrote:\n> One?\nYes.\n> Two?\n\nNo.\n"

    assert said(text) == "Hi\n\nYes.\n\nNo."


@pytest.mark.parametrize(
    "text",
    [
        "On the whole it works.\nIt was wrote: like this",
        "Am Ende gilt:\nalles",
        "From: the heart",
        "a -- b\n--- c",
    ],
)
def test_words_that_only_look_like_a_quote_stay(text: str) -> None:
    assert said(text) == text


@pytest.mark.parametrize(
    ("text", "html", "reply"),
    [
        (None, None, None),
        ("", None, None),
        (" \n", "", None),
        ("> all of it", None, ""),
        (None, "<p>Yes &amp; no</p><blockquote>Old</blockquote>", "Yes & no"),
        (None, '<div>Yes</div><div class="gmail_quote">On Monday … <blockquote>Old</blockquote></div>', "Yes"),
        (" ", "<p>Yes</p>", "Yes"),
    ],
)
def test_the_html_speaks_where_there_is_no_text(text: str | None, html: str | None, reply: str | None) -> None:
    assert said(text, html) == reply


@pytest.mark.parametrize(
    "piece", ["On \n", "From: \n", "> \n", "On a\n\n", "<blockquote", "<a gmail", "-", "_" * 19 + " \n"]
)
def test_nothing_makes_stripping_slow(piece: str) -> None:
    text = piece * (200_000 // len(piece))

    assert said(text, text) is not None
    assert said(None, text) is not None


@pytest.mark.parametrize(
    ("headers", "references"),
    [
        ({}, "<m@x>"),
        ({"references": "<a@x> <b@x>"}, "<a@x> <b@x> <m@x>"),
        ({"in-reply-to": "<b@x>"}, "<b@x> <m@x>"),
        ({"references": "junk <a@x>, <m@x>"}, "<a@x> <m@x>"),
        (
            {"references": " ".join(f"<{number}@x>" for number in range(99))},
            " ".join(["<0@x>", *(f"<{number}@x>" for number in range(79, 99)), "<m@x>"]),
        ),
    ],
)
def test_references_grow_and_stay_bounded(headers: dict[str, str], references: str) -> None:
    message = InboundMessage(ADA, message_id="<m@x>", headers=headers)

    assert thread_headers(message) == {"In-Reply-To": "<m@x>", "References": references}


def test_a_mail_without_an_id_starts_no_thread() -> None:
    assert thread_headers(InboundMessage(ADA, headers={"references": "<a@x>"})) == {}


def test_only_the_inside_of_html_is_quoted() -> None:
    html = "<html><head><title>t</title></head><body class=x><p>Hi</p></body></html>"
    email = InboundEmail(1, "in@shop.test", InboundMessage(ADA, html=html), 0.0)

    assert quoted_html(email).endswith("<blockquote><p>Hi</p></blockquote>")
    assert (forwarded_html(email, "") or "").endswith("To: in@shop.test</p>\n<p>Hi</p>")
