# Written by tools/unasync.py from tests/client/_async/test_inbound_emails.py. Do not edit.
"""Mail that was received: reading, answering and forwarding it."""

from __future__ import annotations

import json
from email.message import EmailMessage
from typing import Any

import pytest

from poststack import PostStack, PostStackError, attachments
from poststack.testing import EmulatorSession, Settings, emulator
from poststack.types import ForwardInbound, ReplyInbound
from tests.conforming import checked

pytestmark = pytest.mark.anyio

REPLY: ReplyInbound = {"from": "Shop <support@shop.test>", "text": "We are on it."}


def received(emu: EmulatorSession, **changes: Any) -> int:
    mail: dict[str, Any] = {
        "from_": "Ada Lovelace <ada@customer.test>",
        "to": "support+order-42@shop.test",
        "subject": "Where is it?",
        "text": "Nothing came.",
        "headers": {"Message-ID": "<first@customer.test>"},
    }
    return emu.receive(**{**mail, **changes})


def forward(**changes: Any) -> ForwardInbound:
    usual: ForwardInbound = {"from": "support@shop.test", "to": ["boss@shop.test"]}
    return {**usual, **changes}  # type: ignore[typeddict-item]  # the changes are the test's business


def test_a_received_mail_says_what_it_brought(client: PostStack, emu: EmulatorSession) -> None:
    number = received(emu, cc=["Bob <bob@shop.test>"], html="<p>Nothing came.</p>")
    email = (client.inbound_emails.get(number))["inboundEmail"]

    assert (email["fromAddress"], email["fromName"]) == ("ada@customer.test", "Ada Lovelace")
    assert (email["toAddress"], email["mailboxHash"]) == ("support+order-42@shop.test", "order-42")
    assert email["toAddresses"] == [{"address": "support+order-42@shop.test", "name": None}]
    assert email["ccAddresses"] == [{"address": "bob@shop.test", "name": "Bob"}]
    assert (email["subject"], email["messageId"]) == ("Where is it?", "<first@customer.test>")
    assert (email["textBody"], email["htmlBody"]) == ("Nothing came.", "<p>Nothing came.</p>")
    assert (email["spamVerdict"], email["strippedReply"]) == ("clean", "Nothing came.")
    assert (email["headers"] or {})["message-id"] == "<first@customer.test>"


def test_each_recipient_on_our_domains_gets_a_record(client: PostStack) -> None:
    with emulator(Settings(domains=("shop.test",))) as emu:
        ours = checked(emu.client())
        first = received(emu, to=["support@shop.test", "else@where.test"], cc=["sales@SHOP.test"])
        listed = (ours.inbound_emails.list())["data"]

        assert [(email["id"], email["toAddress"]) for email in listed] == [
            (first + 1, "sales@SHOP.test"),
            (first, "support@shop.test"),
        ]
        with pytest.raises(ValueError, match="no recipient on a domain that receives"):
            received(emu, to="else@where.test")


def test_a_domain_that_was_added_receives_once_it_says_so(client: PostStack, emu: EmulatorSession) -> None:
    domain = (client.domains.create({"name": "shop.test"}))["domain"]["id"]
    with pytest.raises(ValueError, match="inbound_enabled"):
        received(emu)
    client.domains.update(domain, {"inbound_enabled": True})
    with pytest.raises(ValueError, match="verified"):
        received(emu)
    client.domains.verify(domain)
    emu.clock.advance(1)
    number = received(emu, to=["boss@else.test", "support@SHOP.test"])

    email = (client.inbound_emails.get(number))["inboundEmail"]
    assert (email["toAddress"], email["domainId"]) == ("support@SHOP.test", domain)
    client.domains.delete(domain)
    with pytest.raises(ValueError, match="no recipient"):
        received(emu)


def test_an_envelope_outweighs_the_headers(client: PostStack, emu: EmulatorSession) -> None:
    number = received(emu, to=[], recipients=["hidden@shop.test"])
    email = (client.inbound_emails.get(number))["inboundEmail"]

    assert (email["toAddress"], email["toAddresses"]) == ("hidden@shop.test", None)


def test_mail_of_any_program_can_come_in(client: PostStack, emu: EmulatorSession) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Jürgen <j@customer.test>", "in@shop.test", "Grüße 🎈"
    message.set_content("Hällo")
    message.add_alternative("<p>Hällo</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung Ü.pdf")
    as_message, as_bytes = emu.receive(message), emu.receive(bytes(message))
    email = (client.inbound_emails.get(as_message))["inboundEmail"]
    files = (client.inbound_emails.list_attachments(as_bytes))["attachments"]

    assert (email["fromName"], email["subject"]) == ("Jürgen", "Grüße 🎈")
    assert (email["textBody"], email["htmlBody"]) == ("Hällo\n", "<p>Hällo</p>\n")
    assert [(file["filename"], file["contentType"], file["size"]) for file in files] == [
        ("Rechnung Ü.pdf", "application/pdf", 4)
    ]


def test_a_list_is_newest_first_in_pages_of_one_domain(client: PostStack, emu: EmulatorSession) -> None:
    numbers = [received(emu, to=f"a@{domain}.test") for domain in ("shop", "other", "shop")]
    page = client.inbound_emails.list({"per_page": 2})
    shop = client.inbound_emails.list({"domain": "Shop.TEST"})
    everything = [email["id"] for email in client.inbound_emails.iterate({"per_page": 1})]

    assert [email["id"] for email in page["data"]] == [numbers[2], numbers[1]]
    assert page["meta"] == {"page": 1, "perPage": 2, "total": 3, "totalPages": 2}
    assert [email["id"] for email in shop["data"]] == [numbers[2], numbers[0]]
    assert everything == numbers[::-1]


def test_files_come_as_they_were_sent(client: PostStack, emu: EmulatorSession) -> None:
    content = bytes(range(256))
    number = received(emu, attachments=[attachments.from_bytes(content, "all.bin"), attachments.from_bytes(b"", "no")])
    other = received(emu)
    files = (client.inbound_emails.list_attachments(number))["attachments"]

    assert [(file["filename"], file["size"]) for file in files] == [("all.bin", 256), ("no", 0)]
    assert client.inbound_emails.download_attachment(number, files[0]["id"]) == content
    assert client.inbound_emails.download_attachment(number, files[1]["id"]) == b""
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.download_attachment(other, files[0]["id"])
    assert caught.value.status_code == 404


def test_what_is_not_there_is_404(client: PostStack, emu: EmulatorSession) -> None:
    inbound = client.inbound_emails
    for call in (
        lambda: inbound.get(9),
        lambda: inbound.list_attachments(9),
        lambda: inbound.download_attachment(9, 1),
        lambda: inbound.draft_reply(9),
        lambda: inbound.reply(9, REPLY),
        lambda: inbound.forward(9, forward()),
        lambda: inbound.download_attachment(received(emu), 9),
    ):
        with pytest.raises(PostStackError) as caught:
            call()
        assert caught.value.status_code == 404


def test_a_reply_goes_to_the_sender_in_the_same_thread(client: PostStack, emu: EmulatorSession) -> None:
    headers = {"Message-ID": "<third@c>", "In-Reply-To": "<second@s>", "References": "<first@c>\t<second@s>"}
    number = received(emu, headers=headers)
    sent = client.inbound_emails.reply(number, {**REPLY, "html": "<p>Hi</p>", "cc": ["a@b.test"]})
    [answer] = emu.sent

    assert answer.id == sent["id"]
    assert (answer.from_, answer.to) == ("Shop <support@shop.test>", ["Ada Lovelace <ada@customer.test>"])
    assert (answer.cc, answer.bcc) == (["a@b.test"], [])
    assert (answer.subject, answer.text, answer.html) == ("Re: Where is it?", "We are on it.", "<p>Hi</p>")
    assert answer.headers == {"In-Reply-To": "<third@c>", "References": "<first@c> <second@s> <third@c>"}
    emu.clock.advance(1)
    assert emu.sent[0].status == "delivered"


@pytest.mark.parametrize(
    ("subject", "answered"), [("RE: AW: x", "RE: AW: x"), ("", "Re:"), ("x" * 998, ("Re: " + "x" * 998)[:998])]
)
def test_a_subject_has_one_prefix(client: PostStack, emu: EmulatorSession, subject: str, answered: str) -> None:
    client.inbound_emails.reply(received(emu, subject=subject), REPLY)

    assert emu.sent[0].subject == answered


def test_a_reply_goes_where_reply_to_says(client: PostStack, emu: EmulatorSession) -> None:
    client.inbound_emails.reply(received(emu, reply_to="Desk <desk@customer.test>"), REPLY)

    assert emu.sent[0].to == ["Desk <desk@customer.test>"]


def test_a_reply_without_anybody_to_go_to_is_refused(client: PostStack, emu: EmulatorSession) -> None:
    nameless = emu.receive(b"To: in@shop.test\n\nHello")
    broken = emu.receive(b"From: <not an address>\nTo: in@shop.test\n\nHello")
    for number in (nameless, broken):
        with pytest.raises(PostStackError) as caught:
            client.inbound_emails.reply(number, REPLY)
        assert caught.value.status_code == 422
    assert emu.sent == []


def test_a_reply_needs_a_body(client: PostStack, emu: EmulatorSession) -> None:
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.reply(received(emu), {"from": "support@shop.test"})

    assert caught.value.status_code == 400


def test_replies_and_forwards_are_not_idempotent(client: PostStack, emu: EmulatorSession) -> None:
    number = received(emu)
    for _ in range(2):
        client.inbound_emails.reply(number, REPLY)
        client.inbound_emails.forward(number, forward())

    assert len({email.id for email in emu.sent}) == 4


def test_a_forwarded_mail_has_its_files_below_a_note(client: PostStack, emu: EmulatorSession) -> None:
    picture = attachments.from_bytes(b"GIF", "logo.gif", content_type="image/gif", content_id="logo")
    number = received(emu, html="<html><body bgcolor=red><img src='cid:logo'></body></html>", attachments=[picture])
    sent = client.inbound_emails.forward(number, forward(cc=["c@shop.test"], message="Ours? <b>\nBye"))
    [email] = emu.sent

    assert email.id == sent["id"]
    assert (email.subject, email.to, email.cc) == ("Fwd: Where is it?", ["boss@shop.test"], ["c@shop.test"])
    assert (email.text or "").startswith("Ours? <b>\nBye\n\n---------- Forwarded message ----------\nFrom: Ada")
    assert (email.text or "").endswith("\n\nNothing came.")
    assert (email.html or "").startswith("<p>Ours? &lt;b&gt;<br>\nBye</p>\n<p>---------- Forwarded message")
    assert (email.html or "").endswith("<img src='cid:logo'>")
    assert [(file.filename, file.content, file.content_id) for file in email.attachments] == [
        ("logo.gif", b"GIF", "logo")
    ]


def test_a_plain_mail_is_forwarded_as_plain_text(client: PostStack, emu: EmulatorSession) -> None:
    client.inbound_emails.forward(received(emu), forward())

    assert emu.sent[0].html is None
    assert (emu.sent[0].text or "").startswith("---------- Forwarded message ----------")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"to": []}, 400),
        ({"to": "boss@shop.test"}, 400),
        ({"to": [f"{number}@shop.test" for number in range(51)]}, 422),
        ({"bcc": [f"{number}@shop.test" for number in range(51)]}, 422),
        ({"message": 1}, 400),
        ({"from": "nobody"}, 422),
    ],
)
def test_a_forward_that_makes_no_sense_is_refused(
    client: PostStack, emu: EmulatorSession, changes: dict[str, Any], status: int
) -> None:
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.forward(received(emu), forward(**changes))

    assert caught.value.status_code == status
    assert emu.sent == []


def test_fifty_recipients_are_possible_whatever_sends_allow(client: PostStack) -> None:
    with emulator(Settings(max_recipients=2)) as emu:
        everybody = [f"{number}@shop.test" for number in range(50)]
        checked(emu.client()).inbound_emails.forward(received(emu), forward(to=everybody))

        assert len(emu.sent[0].to) == 50


def test_suppressed_recipients_are_left_out(client: PostStack, emu: EmulatorSession) -> None:
    client.suppressions.add({"email": "ada@customer.test", "reason": "manual"})
    number = received(emu)
    client.inbound_emails.forward(number, forward(to=["boss@shop.test", "Ada@customer.test"]))

    assert emu.sent[0].to == ["boss@shop.test"]
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.reply(number, REPLY)
    assert caught.value.status_code == 422
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.forward(number, forward(to=["ada@customer.test"]))
    assert caught.value.status_code == 422


def test_a_foreign_domain_cannot_be_the_sender(client: PostStack) -> None:
    with emulator(Settings(domains=("shop.test",))) as emu:
        number = received(emu)
        with pytest.raises(PostStackError) as caught:
            emu.client().inbound_emails.reply(number, {**REPLY, "from": "me@elsewhere.test"})

        assert (caught.value.status_code, caught.value.error) == (422, "Domain not verified")


@pytest.mark.parametrize(
    ("tone", "name", "salutation"),
    [
        ("formal", "Ada Lovelace", "Dear Ada Lovelace,"),
        ("friendly", "Ada Lovelace", "Hi Ada,"),
        ("casual", '"Lovelace, Ada"', "Hey Ada,"),
        ("formal", "", "Dear Sir or Madam,"),
        ("friendly", "", "Hello,"),
    ],
)
def test_a_draft_opens_in_the_tone_asked_for(
    client: PostStack, emu: EmulatorSession, tone: Any, name: str, salutation: str
) -> None:
    draft = client.inbound_emails.draft_reply(received(emu, from_=f"{name} <ada@c.test>"), {"tone": tone})

    assert draft.get("salutation") == salutation
    assert draft["suggested_text"].startswith(salutation)


def test_a_draft_has_the_parts_of_a_reply(client: PostStack, emu: EmulatorSession) -> None:
    number = received(emu, text="One <\nTwo")
    draft = client.inbound_emails.draft_reply(number)

    assert draft["suggested_from"] == "support+order-42@shop.test"
    assert draft.get("suggested_subject") == "Re: Where is it?"
    assert draft.get("threading") == {"in_reply_to": "<first@customer.test>", "references": "<first@customer.test>"}
    assert draft.get("quoted_text") == (
        "On 1 Jan 2026 at 00:00 UTC, Ada Lovelace <ada@customer.test> wrote:\n> One <\n> Two"
    )
    assert "<blockquote>One &lt;<br>\nTwo</blockquote>" in (draft.get("quoted_html") or "")
    assert draft.get("quoted_html", "?") in draft["suggested_html"]
    assert draft.get("signs_automatically") is False
    assert draft.get("inbound", {}).get("id") == number
    assert emu.sent == []


def test_an_unknown_tone_is_refused(client: PostStack, emu: EmulatorSession) -> None:
    rude: Any = {"tone": "rude"}
    with pytest.raises(PostStackError) as caught:
        client.inbound_emails.draft_reply(received(emu), rude)

    assert caught.value.status_code == 422


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (["*"], ["email.inbound"]),
        (["email.inbound", "inbound_email.received"], ["email.inbound"]),
        (["inbound_email.received"], ["inbound_email.received"]),
        (["email.delivered"], []),
    ],
)
def test_a_webhook_is_told_once_by_the_name_it_wants(
    client: PostStack, emu: EmulatorSession, wanted: list[str], told: list[str]
) -> None:
    calls: list[dict[str, Any]] = []

    def receive(body: bytes, headers: dict[str, str]) -> int:
        calls.append(json.loads(body))
        return 204

    emu.on_webhook(receive, events=wanted)
    number = received(emu, to="support+7@shop.test", cc=["b@c.test"])

    assert [call["type"] for call in calls] == told
    for call in calls:
        email = (client.inbound_emails.get(number))["inboundEmail"]
        data = call["data"]
        assert (data["id"], data["from"], data["from_name"]) == (number, "ada@customer.test", "Ada Lovelace")
        assert (data["to"], data["cc"], data["mailbox_hash"]) == ("support+7@shop.test", ["b@c.test"], "7")
        assert (data["stripped_reply"], data["spam_verdict"]) == (email["strippedReply"], email["spamVerdict"])
        assert "email_id" not in data


def test_the_text_that_filters_are_tried_with_is_spam(client: PostStack, emu: EmulatorSession) -> None:
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    spam = (client.inbound_emails.get(received(emu, text=gtube)))["inboundEmail"]
    pushy = client.inbound_emails.get(received(emu, subject="ACT NOW!!", text="http://10.0.0.1/ casino"))

    assert (spam["spamVerdict"], spam["spamScore"]) == ("spam", 15.0)
    assert pushy["inboundEmail"]["spamVerdict"] == "spam"


def test_what_is_sent_to_our_own_address_does_not_come_in(client: PostStack, emu: EmulatorSession) -> None:
    client.emails.send({"from": "a@shop.test", "to": ["support@shop.test"], "subject": "Hi", "text": "x"})
    emu.clock.advance(10)

    assert (client.inbound_emails.list())["data"] == []


@pytest.mark.parametrize(
    "changes",
    [{"from_": None}, {"from_": "nobody"}, {"to": "nobody"}, {"subject": "a\nb"}, {"headers": {"a b": "c"}}],
)
def test_what_is_no_mail_is_refused(client: PostStack, emu: EmulatorSession, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`"):
        received(emu, **changes)

    assert (client.inbound_emails.list())["meta"]["total"] == 0
