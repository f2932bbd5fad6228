"""The second of MailBridge 2.1.1's defects: what breaks under ordinary use. None may happen here.

The numbers are those of the whole list.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncMailBridge,
    AttachmentError,
    BulkEmailDTO,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    Failover,
    InvalidMessageError,
    MailBridge,
    MailBridgeError,
    UnsupportedFieldError,
)
from poststack.providers import Capabilities
from poststack.providers.capabilities import MANY
from tests.patience import PATIENCE
from tests.providers.defects.sending import HTTP, MAKERS, SENDER, Sender, by_recipient, mail
from tests.providers.fakes.base import FakeProvider, Fault, answers
from tests.providers.fakes.brevo import FakeBrevo
from tests.providers.fakes.postmark import FakePostmark
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.providers.fakes.smtp import FakeSmtp


def http_fake(name: str) -> FakeProvider:
    fake = MAKERS[name]()
    assert isinstance(fake, FakeProvider)
    return fake


def capabilities(name: str, settings: dict[str, Any]) -> Capabilities:
    provider: Any = MailBridge(name, **settings).provider
    found: Capabilities = provider.capabilities
    return found


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "written", ["Alice <a@example.net>", '"Alice, of W." <a@example.net>', "Älice <a@example.net>"]
)
def test_20_a_display_name_travels_with_its_address_to_every_provider(name: str, written: str) -> None:
    display_name = written.partition(" <")[0].strip('"')
    with MAKERS[name]() as fake:
        assert Sender("threads").one(name, fake, mail(written, cc="Bob <b@example.net>")).success
    (one,) = fake.delivered
    assert (one.to, one.cc, one.sender) == (
        [(display_name, "a@example.net")], [("Bob", "b@example.net")], ("Shop", "shop@example.org")
    )  # fmt: skip


@pytest.mark.unmeasured
def test_22_2500_mails_wait_for_their_turn_without_running_out_of_time() -> None:
    # Together they take several times as long as one of them may, and no two travel together.
    async def main() -> tuple[Any, FakeSendGrid]:
        with FakeSendGrid() as fake:
            fake.latency = 0.005
            async with AsyncMailBridge("sendgrid", **fake.settings(), from_email=SENDER, timeout=1.0) as mailer:
                return await mailer.send_bulk(mail(f"u{n}@example.net", body=f"<p>{n}</p>") for n in range(2500)), fake

    result, fake = asyncio.run(main())
    assert (result.total, result.successful) == (2500, 2500)
    assert fake.most_in_flight <= 10
    assert fake.connections <= 10
    assert len(by_recipient(fake)) == 2500


@pytest.mark.parametrize("name", HTTP)
def test_23_a_time_out_is_an_error_of_ours_that_says_so(sender: Sender, name: str) -> None:
    with http_fake(name) as fake:
        fake.faults.append(Fault(stall=20.0))
        with pytest.raises(EmailSendError) as caught:
            sender.one(name, fake, mail(), timeout=0.3, max_retries=0)
        fake.faults.append(Fault(stall=20.0))
        result = sender.bulk(name, fake, [mail()], timeout=0.3, max_retries=0)
    assert "in time" in str(caught.value)
    assert caught.value.may_have_been_sent
    assert caught.value.provider == name
    assert (result.total, result.failed) == (1, 1)
    assert "in time" in str(result.responses[0].error)


@pytest.mark.parametrize("name", HTTP)
def test_24_connections_are_kept_until_the_end_and_no_longer(name: str) -> None:
    with http_fake(name) as fake:
        with MailBridge(name, **fake.settings(), from_email=SENDER) as mailer:
            for n in range(5):
                mailer.send_message(mail(f"u{n}@example.net"))
            assert (fake.connections, fake.open_connections) == (1, 1)
        _wait_until_closed(fake)

        async def main() -> None:
            async with AsyncMailBridge(name, **fake.settings(), from_email=SENDER) as mailer:
                for n in range(5, 10):
                    await mailer.send_message(mail(f"u{n}@example.net"))
                assert (fake.connections, fake.open_connections) == (2, 1)
            await asyncio.to_thread(_wait_until_closed, fake)

        asyncio.run(main())
    assert len(by_recipient(fake)) == 10


def _wait_until_closed(fake: FakeProvider | FakeSmtp) -> None:
    until = time.monotonic() + PATIENCE
    while fake.open_connections:
        assert time.monotonic() < until, "The connection is still open."
        time.sleep(0.01)


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("status", [429, 503])
def test_28_what_certainly_was_not_taken_is_tried_again(sender: Sender, name: str, status: int) -> None:
    with http_fake(name) as fake:
        fake.faults.extend([answers(status, "{}"), answers(status, "{}")])
        assert sender.one(name, fake, mail()).success
    assert (len(fake.requests), len(fake.delivered)) == (3, 1)


@pytest.mark.parametrize("name", HTTP)
def test_28_a_hint_of_when_to_come_back_is_minded(name: str) -> None:
    with http_fake(name) as fake:
        fake.faults.append(answers(429, "{}", Retry_After="1"))
        begun = time.monotonic()
        Sender("threads").one(name, fake, mail())
        assert time.monotonic() - begun >= 1.0
        fake.faults.append(answers(429, "{}", Retry_After="3600"))
        with pytest.raises(EmailSendError) as caught:
            Sender("threads").one(name, fake, mail("bob@example.net"))
    assert (caught.value.kind, caught.value.retry_after, caught.value.transient) == ("rate_limited", 3600.0, True)


def test_28_a_provider_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    with FakeSendGrid() as fake, FakePostmark() as other:
        fake.faults.extend(answers(503, "{}") for _ in range(100))
        bridges = [
            MailBridge("sendgrid", **fake.settings(), from_email=SENDER, max_retries=0),
            MailBridge("postmark", **other.settings(), from_email=SENDER),
        ]
        with Failover(bridges, threshold=5, rest=1000) as mailer:
            for n in range(8):
                assert mailer.send_message(mail(f"u{n}@example.net")).provider == "postmark"
            assert [circuit.state for circuit in mailer.circuits] == ["open", "closed"]
    assert (len(fake.requests), len(other.delivered)) == (5, 8)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["sendgrid", "brevo", "postmark", "mailgun", "ses", "poststack"])
def test_29_no_request_has_more_than_its_provider_takes(sender: Sender, name: str) -> None:
    # The fakes refuse what is over their provider's limits.
    content: dict[str, Any] = {"subject": "Hi", "body": "<p>Hi</p>"}
    if name in {"sendgrid", "ses"}:
        content = {"template_id": "d-17"}
    # The largest limit is 1,000.
    messages = [EmailMessageDto(f"u{n}@example.net", from_email=SENDER, **content) for n in range(1010)]
    with http_fake(name) as fake:
        if sender.way == "threads":
            with MailBridge(name, **fake.settings()) as mailer:
                responses = mailer.respond(messages)
        else:

            async def main() -> Any:
                async with AsyncMailBridge(name, **fake.settings()) as mailer:
                    return await mailer.respond(messages)

            responses = asyncio.run(main())
    assert [response.error for response in responses if not response.success] == []
    assert len(by_recipient(fake)) == 1010
    assert 2 <= len(fake.requests) <= 30


def test_29_recipients_of_a_brevo_request_are_counted_as_well(sender: Sender) -> None:
    messages = [mail([f"u{n}.{place}@example.net" for place in range(90)]) for n in range(30)]
    with FakeBrevo() as fake:
        assert sender.bulk("brevo", fake, messages).successful == 30
    assert len(fake.requests) == 2


@pytest.mark.parametrize("name", HTTP)
def test_29_recipients_of_one_mail_are_counted_before_it_is_sent(name: str) -> None:
    with http_fake(name) as fake:
        most = capabilities(name, fake.settings()).recipients
        if most == MANY:
            pytest.skip("it names no limit")
        with pytest.raises(UnsupportedFieldError, match=f"takes {most} recipients"):
            Sender("threads").one(name, fake, mail([f"u{n}@example.net" for n in range(most + 1)]))
        assert fake.requests == []
        assert Sender("threads").one(name, fake, mail([f"u{n}@example.net" for n in range(most)])).success
    assert len(fake.delivered[0].to) == most


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("status", [400, 403, 413, 502])
def test_30_an_error_that_is_no_json_keeps_its_status(sender: Sender, name: str, status: int) -> None:
    page = b"<html><body>Bad Gateway \xff</body></html>"
    with http_fake(name) as fake:
        fake.faults.append(answers(status, page, Content_Type="text/html"))
        with pytest.raises(EmailSendError) as caught:
            sender.one(name, fake, mail(), max_retries=0)
    assert caught.value.status_code == status
    assert str(status) in str(caught.value)
    assert "JSON" not in str(caught.value)
    assert caught.value.failure is not None
    assert caught.value.failure.body == page


@pytest.mark.parametrize("name", MAKERS)
def test_31_what_is_wrong_with_a_mail_is_an_error_of_ours(sender: Sender, name: str) -> None:
    with MAKERS[name]() as fake:
        for file in (Path("missing.pdf"), Path("/"), ("a.txt", b"a"), ("a.txt", b"a", "text")):
            with pytest.raises(MailBridgeError):
                sender.one(name, fake, mail(attachments=[file]))
        result = sender.bulk(name, fake, [mail(), mail("bob@example.net", attachments=[Path("missing.pdf")])])
    # In a bulk it costs no other.
    assert (result.successful, list(result.failures)) == (1, [1])
    assert isinstance(result.failures[1].original_error, AttachmentError)


def test_31_a_message_without_content_is_an_error_of_ours() -> None:
    for fields in ({"subject": None}, {"body": None}, {"to": 7}):
        with pytest.raises(MailBridgeError):
            mail(**{"to": "ada@example.net", **fields})
    with pytest.raises(MailBridgeError):
        BulkEmailDTO([])


@pytest.mark.parametrize("name", MAKERS)
def test_32_text_and_html_travel_together_and_neither_is_invented(sender: Sender, name: str) -> None:
    html = "<html><style>p { color: red }</style><p>A &amp; B</p></html>"
    with MAKERS[name]() as fake:
        sender.one(name, fake, mail(body=html, text="A & B"))
        sender.one(name, fake, mail("bob@example.net", body=html))
        if name != "brevo":
            sender.one(name, fake, mail("cyd@example.net", body="A & B", html=False))
    found = by_recipient(fake)
    assert (found["ada@example.net"].html, found["ada@example.net"].text) == (html, "A & B")
    assert (found["bob@example.net"].html, found["bob@example.net"].text) == (html, None)
    if name != "brevo":
        assert (found["cyd@example.net"].html, found["cyd@example.net"].text) == (None, "A & B")


@pytest.mark.parametrize("name", HTTP)
def test_37_an_event_loop_sends_without_threads(name: str) -> None:
    async def main() -> list[str]:
        with http_fake(name) as fake:
            fake.latency = 0.01
            async with AsyncMailBridge(name, **fake.settings(), from_email=SENDER, concurrency=20) as mailer:
                before = {thread.name for thread in threading.enumerate()}
                result = await mailer.send_bulk(mail(f"u{n}@example.net", body=f"<p>{n}</p>") for n in range(100))
                assert result.successful == 100
                # The fake's own threads are called after what they run.
                started = [thread.name for thread in threading.enumerate() if thread.name not in before]
                return [thread for thread in started if "process_request_thread" not in thread]

    # Keys of AWS may be in files or behind a program, so they are looked for in a thread, once.
    assert len(asyncio.run(main())) <= (1 if name == "ses" else 0)


@pytest.mark.parametrize("name", MAKERS)
def test_38_an_event_loop_goes_on_while_a_file_is_read(name: str, tmp_path: Path) -> None:
    # A pipe: whoever reads it waits until somebody writes, which only the event loop does here.
    pipe = tmp_path / "report.txt"
    os.mkfifo(pipe)

    async def write() -> None:
        while True:
            with contextlib.suppress(OSError):  # Nobody reads yet.
                descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                os.write(descriptor, b"the report")
                os.close(descriptor)
                return
            await asyncio.sleep(0.01)

    async def main() -> None:
        with MAKERS[name]() as fake:
            async with AsyncMailBridge(name, **fake.settings(), from_email=SENDER) as mailer:
                sending = asyncio.create_task(mailer.send_message(mail(attachments=[pipe])))
                await asyncio.wait_for(write(), 30)
                await sending
            (one,) = fake.delivered
            assert one.attachments == [("report.txt", b"the report", "text/plain", None)]

    asyncio.run(main())


@pytest.mark.parametrize("name", MAKERS)
def test_38_files_are_closed(sender: Sender, name: str, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_bytes(b"the report")
    with MAKERS[name]() as fake:
        sender.bulk(name, fake, [mail(f"u{n}@example.net", attachments=[file]) for n in range(3)])
        assert len(fake.delivered) == 3
        assert str(file) not in _open_files()


def _open_files() -> set[str]:
    files: set[str] = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the fake's threads open and close connections meanwhile
            files.add(os.readlink(f"/proc/self/fd/{number}"))
    return files


def test_39_messages_stay_as_they_are(sender: Sender) -> None:
    common = ["shop"]
    messages = [mail("ada@example.net", tags=common), mail("bob@example.net", tags=common), mail("cyd@example.net")]
    for _ in range(2):
        bulk = BulkEmailDTO(messages, "news@example.org", ["news"])
        with FakeSendGrid() as fake:
            assert sender.bulk("sendgrid", fake, bulk.messages).successful == 3
        tags = {address: one.tags for address, one in by_recipient(fake).items()}
        assert tags == {"ada@example.net": ["shop", "news"], "bob@example.net": ["shop", "news"],
                        "cyd@example.net": ["news"]}  # fmt: skip
        assert {one.sender for one in fake.delivered} == {("", "news@example.org")}
    assert common == ["shop"]
    assert [(message.tags, message.from_email) for message in messages] == [
        (["shop"], None), (["shop"], None), (None, None)
    ]  # fmt: skip


def test_39_one_message_may_be_sent_by_several_threads() -> None:
    message = mail(tags=["shop"])
    with FakeSendGrid() as fake, MailBridge("sendgrid", **fake.settings(), from_email=SENDER) as mailer:
        threads = [
            threading.Thread(target=mailer.send_bulk, args=([message], f"s{n}@example.org", [f"t{n}"]))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((one.sender[1], one.tags) for one in fake.delivered) == [
        (f"s{n}@example.org", ["shop", f"t{n}"]) for n in range(8)
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_40_a_mail_that_lacks_something_is_not_sent(sender: Sender, name: str) -> None:
    lacking: list[dict[str, Any]] = [{"to": []}, {"to": ""}, {"to": [None]}, {"headers": {"X-A": 7}}]
    with MAKERS[name]() as fake:
        for fields in lacking:
            with pytest.raises(InvalidMessageError):
                sender.one(name, fake, mail(**{"to": "ada@example.net", **fields}))
        with pytest.raises(InvalidMessageError, match="no sender"):
            sender.one(name, fake, mail(), from_email=None)
        assert (fake.delivered, fake.connections) == ([], 0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("poststack", {"api_key": ""}),
        ("sendgrid", {"api_key": ""}),
        ("sendgrid", {"api_key": "  "}),
        ("sendgrid", {"api_key": None}),
        ("postmark", {"server_token": ""}),
        ("mailgun", {"api_key": "", "domain": "mg.example.org"}),
        ("brevo", {"api_key": ""}),
        ("ses", {"aws_access_key_id": "", "aws_secret_access_key": "", "region_name": "eu-central-1"}),
        ("smtp", {"host": ""}),
        ("smtp", {"host": "localhost", "username": "shop", "password": ""}),
    ],
)
def test_40_a_key_that_is_empty_is_named_at_once(name: str, settings: dict[str, Any]) -> None:
    for kind in (MailBridge, AsyncMailBridge):
        with pytest.raises(ConfigurationError):
            kind(name, **settings)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("template_id", ["", 0, False])
def test_41_no_template_is_none_and_nothing_else(sender: Sender, name: str, template_id: Any) -> None:
    with MAKERS[name]() as fake:
        with pytest.raises(InvalidMessageError, match="`template_id`"):
            sender.one(name, fake, mail(template_id=template_id))
        assert (fake.delivered, fake.connections) == ([], 0)


@pytest.mark.parametrize("template_id", ["17", 17])
@pytest.mark.parametrize("name", ["brevo", "postmark"])
def test_42_numbers_of_templates_travel_as_numbers_and_no_subject_as_nothing(
    sender: Sender, name: str, template_id: Any
) -> None:
    with http_fake(name) as fake:
        assert sender.one(name, fake, EmailMessageDto("ada@example.net", template_id=template_id)).success
    body = fake.requests[0].body
    assert b'emplateId":17' in body
    assert b"ubject" not in body
    assert b"null" not in body
