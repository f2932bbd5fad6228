"""The first of MailBridge 2.1.1's defects: wrong mail, lost mail, leaks and false reports. None may happen here.

The numbers are those of the whole list.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poststack.mailbridge import AttachmentError, EmailMessageDto, InvalidMessageError
from tests.providers.defects.sending import HTTP, MAKERS, Sender, by_recipient, mail
from tests.providers.fakes.base import FakeProvider, HttpAnswer, HttpRequestSeen
from tests.providers.fakes.brevo import FakeBrevo
from tests.providers.fakes.mailgun import FakeMailgun
from tests.providers.fakes.postmark import FakePostmark
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.providers.fakes.ses import FakeSes
from tests.providers.fakes.smtp import FakeSmtp


def test_01_an_accepted_batch_of_brevo_is_reported_message_by_message(sender: Sender) -> None:
    with FakeBrevo() as fake:
        result = sender.bulk("brevo", fake, [mail(f"u{n}@example.net") for n in range(3)])
    assert len(fake.requests) == 1
    assert (result.total, result.successful, result.failed) == (3, 3, 0)
    assert [response.message_id for response in result.responses] == [one.message_id for one in fake.delivered]
    assert None not in {response.message_id for response in result.responses}


def test_02_every_mail_of_a_brevo_batch_has_its_own_subject_sender_files_and_tags(sender: Sender) -> None:
    messages = [
        mail(
            f"u{n}@example.net",
            subject=f"Subject {n}",
            body=f"<p>Body {n}</p>",
            from_email=f"Shop {n} <shop{n}@example.org>" if n > 1 else None,
            tags=["receipt"] if n % 2 else None,
            attachments=[(f"{n}.txt", f"file {n}", "text/plain")] if n > 1 else None,
        )
        for n in range(4)
    ]
    with FakeBrevo() as fake:
        result = sender.bulk("brevo", fake, messages)
    assert result.successful == 4
    found = by_recipient(fake)
    for n in range(4):
        one = found[f"u{n}@example.net"]
        assert (one.subject, one.html) == (f"Subject {n}", f"<p>Body {n}</p>")
        assert one.sender == ((f"Shop {n}", f"shop{n}@example.org") if n > 1 else ("Shop", "shop@example.org"))
        assert one.tags == (["receipt"] if n % 2 else [])
        assert one.attachments == ([(f"{n}.txt", f"file {n}".encode(), "text/plain", None)] if n > 1 else [])


def test_02_mails_that_differ_in_subject_and_body_alone_share_a_brevo_batch_and_keep_both(sender: Sender) -> None:
    messages = [mail(f"u{n}@example.net", subject=f"S{n}", body=f"<p>{n}</p>") for n in range(3)]
    with FakeBrevo() as fake:
        sender.bulk("brevo", fake, messages)
    assert len(fake.requests) == 1
    assert [(one.subject, one.html) for one in fake.delivered] == [(f"S{n}", f"<p>{n}</p>") for n in range(3)]


def test_03_no_recipient_of_an_ses_bulk_sees_the_data_of_another(sender: Sender) -> None:
    data: list[dict[str, Any] | None] = [{"name": "Ada", "balance": "1000"}, None, {"name": "Bob"}, {}]
    messages = [
        EmailMessageDto(f"u{n}@example.net", template_id="welcome", template_data=given) for n, given in enumerate(data)
    ]
    with FakeSes() as fake:
        sender.bulk("ses", fake, messages)
    assert len(fake.requests) == 1
    # The fake fills what is missing from the default data, as SES does.
    found = by_recipient(fake)
    assert [found[f"u{n}@example.net"].variables for n in range(4)] == [given or {} for given in data]


def test_04_an_ses_bulk_tells_of_each_destination_with_its_own_id(sender: Sender) -> None:
    messages = [EmailMessageDto(f"u{n}@example.net", template_id="welcome") for n in range(60)]
    with FakeSes() as fake:
        for n in (7, 55):
            fake.statuses[f"u{n}@example.net"] = deque(["MESSAGE_REJECTED"])
        result = sender.bulk("ses", fake, messages, max_retries=0)
    assert (result.total, result.successful, sorted(result.failures)) == (60, 58, [7, 55])
    ids = {address: one.message_id for address, one in by_recipient(fake).items()}
    assert [response.message_id for response in result.responses] == [ids.get(f"u{n}@example.net") for n in range(60)]
    assert len(set(ids.values())) == 58


def test_04_an_ses_bulk_of_which_every_destination_fails_is_no_success(sender: Sender) -> None:
    messages = [EmailMessageDto(f"u{n}@example.net", template_id="welcome") for n in range(3)]
    with FakeSes() as fake:
        fake.statuses = {f"u{n}@example.net": deque(["ACCOUNT_SUSPENDED"]) for n in range(3)}
        result = sender.bulk("ses", fake, messages, max_retries=0)
    assert (result.total, result.successful, fake.delivered) == (3, 0, [])
    assert {response.kind for response in result.responses} == {"quota"}


@pytest.mark.parametrize("template", [None, "welcome"])
@pytest.mark.parametrize("count", [1, 2])
def test_05_headers_and_files_arrive_through_ses_beside_a_template_and_without_one(
    sender: Sender, template: str | None, count: int
) -> None:
    content: dict[str, Any] = {"template_id": template} if template else {"subject": "Hi", "body": "<p>Hi</p>"}
    given: list[dict[str, Any]] = [
        {"headers": {"X-Order": "17"}},
        {"attachments": [("a.txt", b"a", "text/plain")]},
        {"headers": {"X-Order": "18"}, "attachments": [("b.txt", b"b", "text/plain")]},
    ]
    messages = [
        EmailMessageDto(f"u{n}.{copy}@example.net", **content, **fields)
        for n, fields in enumerate(given)
        for copy in range(count)
    ]
    with FakeSes() as fake:
        assert sender.bulk("ses", fake, messages).successful == len(messages)
    for address, one in by_recipient(fake).items():
        fields = given[int(address[1])]
        assert one.headers.get("X-Order") == fields.get("headers", {}).get("X-Order")
        assert one.attachments == [(name, data, kind, None) for name, data, kind in fields.get("attachments", [])]


OWN: dict[str, Callable[[int], Any]] = {
    "from_email": lambda n: f"shop{n}@example.org",
    "reply_to": lambda n: f"help{n}@example.org",
    "headers": lambda n: {"X-Order": f"{n}"},
    "attachments": lambda n: [(f"{n}.txt", f"file {n}", "text/plain")],
    "tags": lambda n: [f"tag{n}"],
    "template_data": lambda n: {"n": n},
}


# One at a time as well, so that nothing else keeps them from sharing a request.
@pytest.mark.parametrize("fields", [*([field] for field in OWN), list(OWN)], ids=[*OWN, "all"])
def test_06_mails_of_one_sendgrid_template_keep_all_that_is_their_own(sender: Sender, fields: list[str]) -> None:
    given: list[dict[str, Any]] = [{field: OWN[field](n) for field in fields} for n in range(3)]
    with FakeSendGrid() as fake:
        messages = [EmailMessageDto(f"u{n}@example.net", template_id="d-17", **own) for n, own in enumerate(given)]
        sender.bulk("sendgrid", fake, messages)
    found = by_recipient(fake)
    for n, own in enumerate(given):
        one = found[f"u{n}@example.net"]
        assert one.sender[1] == own.get("from_email", "shop@example.org")
        assert [address for _, address in one.reply_to] == ([own["reply_to"]] if "reply_to" in own else [])
        assert one.headers == own.get("headers", {})
        files = own.get("attachments", [])
        assert one.attachments == [(name, text.encode(), kind, None) for name, text, kind in files]
        assert (one.tags, one.variables) == (own.get("tags", []), own.get("template_data", {}))
        assert one.template_id == "d-17"


def test_07_a_sendgrid_bulk_has_one_response_for_each_message_in_its_place(sender: Sender) -> None:
    messages = [
        mail("plain1@example.net"),
        EmailMessageDto("template1@example.net", template_id="d-1"),
        mail("plain2@example.net", body="<p>Other</p>"),
        EmailMessageDto("template2@example.net", template_id="d-1"),
        mail("plain3@example.net"),
    ]
    with FakeSendGrid() as fake:
        result = sender.bulk("sendgrid", fake, messages)
    assert (result.total, result.successful) == (5, 5)
    ids = {address: one.message_id for address, one in by_recipient(fake).items()}
    assert [response.message_id for response in result.responses] == [ids[message.to[0]] for message in messages]


@pytest.mark.parametrize("name", HTTP)
def test_08_a_failure_in_a_bulk_forgets_nothing_that_was_sent(
    sender: Sender, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MAKERS[name]() as fake:
        assert isinstance(fake, FakeProvider)
        monkeypatch.setattr(fake, "answer", _refusing(fake.answer, b"u1@example.net"))
        messages = [mail(f"u{n}@example.net", body=f"<p>{n}</p>") for n in range(3)]
        result = sender.bulk(name, fake, messages, concurrency=1)
    assert (result.total, result.successful, list(result.failures)) == (3, 2, [1])
    assert sorted(by_recipient(fake)) == ["u0@example.net", "u2@example.net"]


def _refusing(
    answer: Callable[[HttpRequestSeen], HttpAnswer], address: bytes
) -> Callable[[HttpRequestSeen], HttpAnswer]:
    """Return what refuses every request in which an address is."""
    return lambda request: HttpAnswer(400, b"{}") if address in request.body else answer(request)


def test_09_a_recipient_that_a_mail_server_refuses_is_reported(sender: Sender) -> None:
    with FakeSmtp() as fake:
        fake.refusals["gone@example.net"] = "550 5.1.1 no such user"
        response = sender.one("smtp", fake, mail(["ada@example.net", "gone@example.net"]))
    assert response.success
    assert list(response.refused) == ["gone@example.net"]
    assert "no such user" in response.refused["gone@example.net"]
    assert fake.envelopes == [("shop@example.org", ["ada@example.net"])]


@pytest.mark.parametrize("name", ["smtp", "ses"])
def test_10_the_address_beside_a_name_outside_ascii_stays_readable(sender: Sender, name: str) -> None:
    message = mail("Zoë <zoe@example.net>", from_email="Büro <info@example.org>", cc="Jürgen <j@example.net>",
                   reply_to="Élise <e@example.org>")  # fmt: skip
    with MAKERS[name]() as fake:
        assert sender.one(name, fake, message).success
    head = _mime(fake).partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(b"\r\n")
    lines = {line.partition(b": ")[0].lower(): line for line in head}
    for header, address in ((b"from", b"info@example.org"), (b"to", b"zoe@example.net"), (b"cc", b"j@example.net"),
                            (b"reply-to", b"e@example.org")):  # fmt: skip
        assert lines[header].endswith(b"?= <" + address + b">")
        assert lines[header].isascii()
    (one,) = fake.delivered
    assert (one.sender, one.to, one.cc) == (
        ("Büro", "info@example.org"), [("Zoë", "zoe@example.net")], [("Jürgen", "j@example.net")]
    )  # fmt: skip


def _mime(fake: object) -> bytes:
    if isinstance(fake, FakeSmtp):
        return fake.contents[0]
    assert isinstance(fake, FakeSes)
    return base64.b64decode(json.loads(fake.requests[0].body)["Content"]["Raw"]["Data"])


def test_11_a_comma_in_a_name_makes_nobody_else_the_sender(sender: Sender) -> None:
    with FakeSmtp() as fake:
        assert sender.one("smtp", fake, mail(from_email='"Bob, Jr" <bob@example.org>')).success
        assert fake.envelopes == [("bob@example.org", ["ada@example.net"])]
        # Without quotation marks these are two addresses.
        with pytest.raises(InvalidMessageError, match="`from_email` holds several addresses"):
            sender.one("smtp", fake, mail(from_email="Bob, Jr <bob@example.org>"))
    assert len(fake.delivered) == 1


BREAKS = ["\r\n", "\n", "\r", "\0"]
INJECTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "header name": lambda br: {"headers": {f"X-A: 1{br}Bcc": "eve@example.net"}},
    "header value": lambda br: {"headers": {"X-A": f"1{br}Bcc: eve@example.net"}},
    "header value, folded": lambda br: {"headers": {"X-A": f"1{br} Bcc: eve@example.net"}},
    "subject": lambda br: {"subject": f"Hi{br}Bcc: eve@example.net"},
    "subject, bare": lambda br: {"subject": f"Hi{br}there"},
    "display name": lambda br: {"to": f'"Ada{br}Bcc: eve@example.net" <ada@example.net>'},
    "sender": lambda br: {"from_email": f"Shop{br}Bcc: eve@example.net <shop@example.org>"},
    "recipient": lambda br: {"to": f"ada@example.net{br}Bcc: eve@example.net"},
    "reply to": lambda br: {"reply_to": f"ada@example.net{br}Bcc: eve@example.net"},
    "tag": lambda br: {"tags": [f"a{br}Bcc: eve@example.net"]},
    "metadata": lambda br: {"metadata": {"a": f"1{br}Bcc: eve@example.net"}},
    "name of metadata": lambda br: {"metadata": {f"a{br}Bcc: eve@example.net": "1"}},
    "file name": lambda br: {"attachments": [(f"a.txt{br}Bcc: eve@example.net", b"a", "text/plain")]},
    "media type": lambda br: {"attachments": [("a.txt", b"a", f"text/plain{br}Bcc: eve@example.net")]},
}


@pytest.mark.parametrize("name", MAKERS)
def test_12_no_line_break_reaches_a_header(name: str) -> None:
    sender = Sender("threads")
    with MAKERS[name]() as fake:
        for place, fields in INJECTIONS.items():
            for line_break in BREAKS:
                with pytest.raises(InvalidMessageError) as caught:
                    sender.one(name, fake, mail(**fields(line_break)))
                assert "eve@" not in str(caught.value), place
        assert (fake.delivered, fake.connections) == ([], 0)


@pytest.mark.parametrize(
    "filename", ["re port; final.pdf", 'a"b\\c.pdf', "Größe 山.pdf", "a=b'c''%41.pdf", "x" * 200 + ".pdf"]
)
@pytest.mark.parametrize("name", ["ses", "smtp"])
def test_13_a_file_keeps_its_name_whatever_is_in_it(name: str, filename: str) -> None:
    with MAKERS[name]() as fake:
        Sender("threads").one(name, fake, mail(attachments=[(filename, b"%PDF", "application/pdf")]))
    (one,) = fake.delivered
    assert one.attachments == [(filename, b"%PDF", "application/pdf", None)]


def test_14_the_data_of_a_mailgun_template_starts_no_batch(sender: Sender) -> None:
    data = {"name": "Ada", "items": [1, 2]}
    message = EmailMessageDto(["ada@example.net", "bob@example.net"], "Hi", template_id="welcome", template_data=data)
    with FakeMailgun() as fake:
        sender.one("mailgun", fake, message)
    # In a batch each recipient would get an e-mail alone.
    (one,) = fake.delivered
    assert [address for _, address in one.to] == ["ada@example.net", "bob@example.net"]
    assert (one.template_id, one.variables) == ("welcome", data)
    assert b"recipient-variables" not in fake.requests[0].body


def test_15_what_is_missing_reaches_mailgun_as_nothing_and_not_as_the_word_none(sender: Sender) -> None:
    with FakeMailgun() as fake:
        sender.one("mailgun", fake, EmailMessageDto("ada@example.net", template_id="welcome"))
        assert b"None" not in fake.requests[0].body
        assert fake.delivered[0].subject is None
        with pytest.raises(InvalidMessageError, match="no sender"):
            sender.one("mailgun", fake, mail(), from_email=None)
    assert len(fake.requests) == 1


def test_16_postmark_templates_go_where_postmark_fills_them(sender: Sender) -> None:
    by_id = EmailMessageDto("ada@example.net", template_id="17")
    by_alias = EmailMessageDto("bob@example.net", template_id="welcome", template_data={"name": "Bob"})
    with FakePostmark() as fake:
        sender.one("postmark", fake, by_id)
        assert sender.bulk("postmark", fake, [by_id, by_alias]).successful == 2
    assert [request.path for request in fake.requests] == ["/email/withTemplate", "/email/batchWithTemplates"]
    assert [(one.template_id, one.variables) for one in fake.delivered] == [
        ("17", {}), ("17", {}), ("welcome", {"name": "Bob"})
    ]  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "file",
    ["invoice.pdf", b"%PDF", ["a.txt", b"a", "text/plain"], ("a.txt", b"a"), ("a.txt", 7, "text/plain"), None, 7, {},
     {"filename": "a.txt"}, Path("/nowhere/invoice.pdf"), Path("/")],
)  # fmt: skip
def test_17_what_is_no_file_stops_the_mail(name: str, file: Any) -> None:
    with MAKERS[name]() as fake:
        with pytest.raises(AttachmentError, match=r"`attachments\[0\]`"):
            Sender("threads").one(name, fake, mail(attachments=[file]))
        assert (fake.delivered, fake.connections) == ([], 0)


@pytest.mark.parametrize("name", MAKERS)
def test_18_the_tags_of_a_mail_reach_every_provider(sender: Sender, name: str) -> None:
    with MAKERS[name]() as fake:
        sender.bulk(name, fake, [mail(tags=["receipt"]), mail("bob@example.net", tags=["news"])])
    found = by_recipient(fake)
    assert found["ada@example.net"].tags == ["receipt"]
    assert found["bob@example.net"].tags == ["news"]


def test_19_addresses_that_postmark_leaves_out_are_reported(sender: Sender) -> None:
    with FakePostmark() as fake:
        response = sender.one("postmark", fake, mail(["ada@example.net", "inactive.Bob@example.net"]))
    assert response.success
    assert list(response.refused) == ["inactive.Bob@example.net"]
    assert response.message_id == fake.delivered[0].message_id


def test_19_each_refusal_in_a_postmark_batch_is_reported(sender: Sender) -> None:
    addresses = ["u0", "inactive", "u2", "refused", "u4"]
    with FakePostmark() as fake:
        result = sender.bulk("postmark", fake, [mail(f"{name}@example.net") for name in addresses])
    # Postmark answers 200 to all of it.
    assert len(fake.requests) == 1
    assert {place: response.kind for place, response in result.failures.items()} == {
        1: "suppressed", 3: "invalid_recipient"
    }  # fmt: skip
    assert sorted(by_recipient(fake)) == [f"u{n}@example.net" for n in (0, 2, 4)]
