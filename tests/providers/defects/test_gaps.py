"""The third of MailBridge 2.1.1's defects: what it lacks. Nothing of it may be missing here.

The numbers are those of the whole list.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from poststack import WebhookEvent, attachments
from poststack.mailbridge import (
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailResponseDTO,
    EmailSendError,
    Failover,
    MailBridge,
    MemoryKeyStore,
    ProviderNotFoundError,
    UnsupportedFieldError,
)
from poststack.providers import Capabilities, HttpProvider
from poststack.providers.events import BrevoEvents, MailgunEvents, PostmarkEvents, SendGridEvents, SesEvents
from poststack.receiving import WebhookReceiver
from poststack.transports.base import HttpRequest, HttpResponse
from poststack.transports.httpcore import HttpcoreTransport
from tests.providers.defects.sending import HTTP, MAKERS, SENDER, Fake, Sender, mail
from tests.providers.events.calls import (
    MAILGUN_KEY,
    TOPIC,
    SnsSender,
    as_json,
    basic,
    mailgun_call,
    public_text,
    sendgrid_call,
)
from tests.providers.events.calls import Call as WebhookCall
from tests.providers.fakes.base import FakeProvider, Fault, answers
from tests.providers.fakes.mailgun import FakeMailgun
from tests.providers.fakes.postmark import FakePostmark
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.providers.fakes.ses import FakeSes
from tests.scripted import ScriptedTransport

PIXEL = b"\x89PNG\r\n\x1a\n"


def http_fake(name: str) -> FakeProvider:
    fake = MAKERS[name]()
    assert isinstance(fake, FakeProvider)
    return fake


def capabilities(mailer: MailBridge) -> Capabilities:
    provider: Any = mailer.provider
    found: Capabilities = provider.capabilities
    return found


def _delivery_events(message_id: str) -> dict[str, tuple[Any, WebhookCall]]:
    """Return a source for each provider, and its call which says that an e-mail was delivered."""
    sns = SnsSender()
    who = "ada@example.net"
    delivered: dict[str, Any] = {
        "sendgrid": {"event": "delivered", "email": who, "timestamp": 1_513_299_569, "sg_event_id": "e1",
                     "sg_message_id": f"{message_id}.filterdrecv-1"},
        "postmark": {"RecordType": "Delivery", "MessageID": message_id, "Recipient": who,
                     "DeliveredAt": "2026-11-05T16:33:54Z"},
        "mailgun": {"event": "delivered", "id": "e1", "timestamp": 1_521_472_262.9, "recipient": who,
                    "message": {"headers": {"message-id": message_id}}},
        "brevo": {"event": "delivered", "email": who, "message-id": f"<{message_id}>", "ts_event": 1_604_933_654},
        "ses": {"eventType": "Delivery", "mail": {"messageId": message_id, "destination": [who],
                                                  "timestamp": "2026-08-05T00:40:01.123Z"},
                "delivery": {"recipients": [who], "timestamp": "2026-08-05T00:40:02.012Z"}},
    }  # fmt: skip
    return {
        "sendgrid": (SendGridEvents(public_key=public_text()), sendgrid_call([delivered["sendgrid"]])),
        "postmark": (
            PostmarkEvents(username="hook", password="secret"),
            WebhookCall(as_json(delivered["postmark"]), basic("hook", "secret")),
        ),
        "mailgun": (MailgunEvents(signing_key=MAILGUN_KEY), mailgun_call(delivered["mailgun"])),
        "brevo": (
            BrevoEvents(token="secret"),
            WebhookCall(as_json(delivered["brevo"]), {"Authorization": "Bearer secret"}),
        ),
        "ses": (SesEvents(topic_arns=[TOPIC], fetch=sns.fetch), sns.notify(delivered["ses"])),
    }


@pytest.mark.parametrize("name", [name for name in HTTP if name != "poststack"])
def test_43_the_events_of_a_mail_come_back_under_the_id_with_which_it_was_sent(sender: Sender, name: str) -> None:
    with http_fake(name) as fake:
        # What comes after a dot is SendGrid's own.
        response = sender.one(name, fake, mail())
    message_id = str(response.message_id).partition(".")[0] if name == "sendgrid" else str(response.message_id)
    source, call = _delivery_events(message_id)[name]
    seen: list[tuple[str, str | None]] = []
    receiver = WebhookReceiver(source=source, max_age=None)

    @receiver.on("email.delivered")
    def see(event: WebhookEvent) -> None:
        seen.append((event.type, event.email_id))

    assert receiver.receive(call.body, headers=call.headers).status in {200, 204}
    assert seen == [("email.delivered", message_id)]
    # Mailgun signs no more than a moment and a token, and Brevo and Postmark nothing: they log in.
    forged = {name: value[::-1] for name, value in call.headers.items()}
    body = call.body.replace(b"ada@", b"eve@").replace(b'"signature": "', b'"signature": "0')
    assert receiver.receive(body, headers=forged).status >= 400
    assert len(seen) == 1


def test_44_a_mail_goes_to_the_next_provider_only_when_the_first_certainly_did_not_take_it() -> None:
    with FakeSendGrid() as first, FakePostmark() as second:
        bridges = [
            MailBridge("sendgrid", **first.settings(), from_email=SENDER, max_retries=0),
            MailBridge("postmark", **second.settings(), from_email=SENDER),
        ]
        with Failover(bridges) as mailer:
            assert mailer.send_message(mail()).provider == "sendgrid"
            first.faults.append(answers(503, "{}"))
            assert mailer.send_message(mail()).provider == "postmark"
            first.faults.append(Fault(taken=True, reset=True))
            with pytest.raises(EmailSendError) as caught:
                mailer.send_message(mail())
    assert caught.value.may_have_been_sent
    assert (len(first.delivered), len(second.delivered)) == (2, 1)


def test_44_tests_may_capture_what_would_have_been_sent() -> None:
    from poststack.providers.postmark import Postmark

    mailer = MailBridge("capture", rules_of=Postmark(server_token="test"), from_email=SENDER)
    assert mailer.send_message(mail(tags=["receipt"])).success
    provider: Any = mailer.provider
    assert [(message.subject, message.tags) for message in provider.sent] == [("Hi", ("receipt",))]
    with pytest.raises(UnsupportedFieldError, match="Postmark takes at most 1 tag"):
        mailer.send_message(mail(tags=["receipt", "news"]))


@pytest.mark.parametrize("name", MAKERS)
def test_45_all_that_a_mail_can_say_reaches_every_provider_or_is_refused(name: str) -> None:
    later = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    image = attachments.from_bytes(PIXEL, "logo.png", content_id="logo")
    wishes: dict[str, tuple[Any, Any]] = {
        "metadata": ({"order": "17"}, {"order": "17"}),
        "scheduled_at": (later, int(later.timestamp())),
        "track_opens": (False, False),
        "track_clicks": (True, True),
        "reply_to": (["a@example.org", "b@example.org"], [("", "a@example.org"), ("", "b@example.org")]),
        "attachments": ([image], [("logo", PIXEL, "image/png", "logo")]),
    }
    for field, (given, expected) in wishes.items():
        with MAKERS[name]() as fake:
            response = _response(name, fake, mail(**{field: given}))
            if not response.success:
                assert isinstance(response.original_error, UnsupportedFieldError)
                assert (response.original_error.field, fake.connections) == (field, 0)
                continue
            found = getattr(fake.delivered[0], field)
            if field == "attachments":
                found = [("logo", *file[1:]) for file in found]
            assert found == expected


def _response(name: str, fake: Fake, message: EmailMessageDto) -> EmailResponseDTO:
    (response,) = Sender("threads").bulk(name, fake, [message]).responses
    return response


@pytest.mark.parametrize("name", MAKERS)
def test_45_a_key_keeps_a_mail_from_being_sent_twice_by_every_provider(sender: Sender, name: str) -> None:
    keys = MemoryKeyStore()
    with MAKERS[name]() as fake:
        responses = [sender.one(name, fake, mail(idempotency_key="order-17"), keys=keys) for _ in range(2)]
        assert [response.replayed for response in responses] == [False, True]
        assert len(fake.delivered) == 1
        assert responses[0].message_id == responses[1].message_id


def _urls(name: str, **settings: Any) -> str:
    transport = ScriptedTransport(HttpResponse(500, {}, b"{}"))
    with MailBridge(name, **settings, from_email=SENDER, transport=transport, max_retries=0) as mailer:
        mailer.respond([mail()])
    return transport.requests[0].url


def test_46_regions_are_settings() -> None:
    assert _urls("sendgrid", api_key="k", region="eu") == "https://api.eu.sendgrid.com/v3/mail/send"
    assert _urls("sendgrid", api_key="k") == "https://api.sendgrid.com/v3/mail/send"
    mailgun = {"api_key": "k", "domain": "mg.example.org"}
    assert _urls("mailgun", **mailgun, region="eu") == "https://api.eu.mailgun.net/v3/mg.example.org/messages"
    assert _urls("mailgun", **mailgun) == "https://api.mailgun.net/v3/mg.example.org/messages"
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    for region in ("eu-central-1", "us-west-2"):
        url = _urls("ses", **keys, region_name=region)
        assert url == f"https://email.{region}.amazonaws.com/v2/email/outbound-emails"


def test_46_streams_and_configuration_sets_are_settings_and_may_differ_by_mail(sender: Sender) -> None:
    own = mail("bob@example.net", options={"postmark": {"MessageStream": "broadcast"},
                                           "ses": {"ConfigurationSetName": "other"}})  # fmt: skip
    with FakePostmark() as postmark:
        sender.bulk("postmark", postmark, [mail(), own], message_stream="outbound")
    assert sorted(str(one.options["MessageStream"]) for one in postmark.delivered) == ["broadcast", "outbound"]
    with FakeSes() as ses:
        sender.bulk("ses", ses, [mail(tags=["receipt"]), own], configuration_set="events", tag_name="kind")
    found = {one.to[0][1]: one.options for one in ses.delivered}
    assert found["bob@example.net"]["ConfigurationSetName"] == "other"
    assert found["ada@example.net"] == {
        "ConfigurationSetName": "events", "EmailTags": [{"Name": "kind", "Value": "receipt"}]
    }  # fmt: skip


def test_46_the_domain_of_mailgun_is_a_setting(sender: Sender) -> None:
    with FakeMailgun() as fake, pytest.raises(EmailSendError) as caught:
        sender.one("mailgun", fake, mail(), endpoint=f"{fake.url}/v3/elsewhere.example.org")
    assert "Domain not found" in str(caught.value)
    assert caught.value.kind == "sender_not_verified"


def test_47_a_refusal_keeps_the_raw_answer_its_id_and_the_rate_limits_hint(sender: Sender) -> None:
    said = b'{"message":"Slow down"}'
    with FakeSes() as fake:
        fake.faults.append(answers(429, said, X_Amzn_RequestId="request-7", Retry_After="90"))
        with pytest.raises(EmailSendError) as caught:
            sender.one("ses", fake, mail())
    assert caught.value.failure is not None
    assert (caught.value.failure.body, caught.value.request_id) == (said, "request-7")
    assert (caught.value.status_code, caught.value.retry_after) == (429, 90.0)


@pytest.mark.parametrize("name", MAKERS)
def test_47_a_success_keeps_what_identifies_it(sender: Sender, name: str) -> None:
    with MAKERS[name]() as fake:
        response = sender.one(name, fake, mail())
    assert response.message_id == fake.delivered[0].message_id
    assert 200 <= response.metadata["status_code"] < 300
    if name in {"poststack", "ses", "sendgrid", "smtp"}:
        assert response.request_id


@pytest.mark.parametrize("name", HTTP)
def test_48_a_wrong_address_is_told_from_a_call_that_was_too_fast(sender: Sender, name: str) -> None:
    with http_fake(name) as fake:
        kinds: dict[int, tuple[str, bool]] = {}
        for status in (400, 401, 413, 429, 500, 503):
            fake.faults.append(answers(status, "{}"))
            with pytest.raises(EmailSendError) as caught:
                sender.one(name, fake, mail(), max_retries=0)
            kinds[status] = (caught.value.kind, caught.value.transient)
    assert kinds == {
        400: ("invalid_request", False),
        401: ("auth", False),
        413: ("payload_too_large", False),
        429: ("rate_limited", True),
        500: ("ambiguous", False),
        # PostStack does not say that it took nothing; a key lets it be asked again all the same.
        503: ("ambiguous", False) if name == "poststack" else ("unavailable", True),
    }


@pytest.mark.parametrize("name", ["sendgrid", "postmark", "mailgun"])
def test_48_an_address_that_is_refused_has_a_kind_of_its_own(sender: Sender, name: str) -> None:
    with http_fake(name) as fake, pytest.raises(EmailSendError) as caught:
        sender.one(name, fake, mail("refused@example.net"))
    assert (caught.value.kind, caught.value.transient) == ("invalid_recipient", False)


@pytest.mark.parametrize("name", HTTP)
def test_49_repetitions_are_logged_and_nobody_is_named(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="poststack")
    with http_fake(name) as fake:
        fake.faults.append(answers(429, "{}", Retry_After="0"))
        Sender("threads").one(name, fake, mail("Ada <ada@example.net>", subject="Secret", body="Private"))
    assert f"{name}: attempt 1 failed (rate_limited, status 429" in caplog.text
    for secret in ("example.net", "example.org", "Ada", "Secret", "Private", *_secrets(fake)):
        assert secret not in caplog.text


def _secrets(fake: FakeProvider) -> list[str]:
    return [value for name, value in fake.settings().items() if "key" in name or "token" in name]


def test_49_every_attempt_can_be_watched() -> None:
    seen: list[tuple[str, int]] = []

    class Watching(HttpcoreTransport):
        def send(self, request: HttpRequest) -> HttpResponse:
            answer = super().send(request)
            seen.append((request.method, answer.status))
            return answer

    with FakeSendGrid() as fake:
        fake.faults.append(answers(503, "{}"))
        Sender("threads").one("sendgrid", fake, mail(), transport=Watching())
    assert seen == [("POST", 503), ("POST", 202)]


@pytest.mark.parametrize("name", MAKERS)
def test_50_a_provider_is_said_to_send_in_bulk_only_if_mails_travel_together(sender: Sender, name: str) -> None:
    template = {"template_id": "17", "subject": None, "body": None} if name == "ses" else {}
    with MAKERS[name]() as fake, MailBridge(name, **fake.settings()) as mailer:
        result = sender.bulk(name, fake, [mail(f"u{n}@example.net", **template) for n in range(10)])
        assert result.successful == 10
        requests = len(fake.requests) if isinstance(fake, FakeProvider) else len(fake.delivered)
        assert mailer.supports_bulk_sending() == (requests == 1)


@pytest.mark.parametrize("name", MAKERS)
def test_51_a_setting_that_nobody_knows_is_named_at_once(name: str) -> None:
    with MAKERS[name]() as fake:
        settings = fake.settings()
    right = next(iter(settings))
    misspelt: dict[str, Any] = {**settings, f"{right}_": "x"}
    for kind in (MailBridge, AsyncMailBridge):
        with pytest.raises(ConfigurationError, match=f"no setting '{right}_'.*Did you mean '{right}'"):
            kind(name, **misspelt)
        with pytest.raises(ConfigurationError, match="no setting 'retries'"):
            kind(name, **settings, retries=3)


class Acme(HttpProvider):
    """A provider of one's own; these tests never send with it."""

    name = "acme"
    title = "Acme"
    capabilities = Capabilities()

    def plan(self, messages: Any) -> Any:
        raise NotImplementedError

    def outcomes(self, call: Any, answer: Any, now: float) -> Any:
        raise NotImplementedError


def test_52_a_built_in_provider_is_not_replaced_by_accident_and_comes_back() -> None:
    with pytest.raises(ConfigurationError, match="'sendgrid' already"):
        MailBridge.register_provider("SendGrid", Acme)
    MailBridge.register_provider("sendgrid", Acme, replace=True)
    try:
        assert isinstance(MailBridge("sendgrid").provider, Acme)
    finally:
        MailBridge.unregister_provider("sendgrid")
    assert not isinstance(MailBridge("sendgrid", api_key="k").provider, Acme)


def test_52_providers_come_and_go_while_others_are_looked_up() -> None:
    errors: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            for _ in range(200):
                MailBridge.register_provider(f"acme{number}", Acme)
                assert isinstance(MailBridge(f"acme{number}").provider, Acme)
                assert "sendgrid" in MailBridge.available_providers()
                MailBridge.unregister_provider(f"acme{number}")
        except BaseException as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with pytest.raises(ProviderNotFoundError):
        MailBridge("acme0")


@pytest.mark.unmeasured
def test_53_of_the_files_of_a_bulk_a_few_are_in_memory_at_a_time() -> None:
    # Each is put together whole, since every provider but a mail server wants it inside JSON or a form.
    taken = 0
    most_ahead = 0

    def messages() -> Iterator[EmailMessageDto]:
        nonlocal taken
        for n in range(9):
            taken += 1
            file = (f"{n}.bin", bytes(8 * 2**20), "application/octet-stream")
            yield mail(f"u{n}@example.net", attachments=[file])

    with FakeSendGrid() as fake, MailBridge("sendgrid", **fake.settings(), from_email=SENDER, concurrency=2) as mailer:
        for done, response in enumerate(mailer.send_each(messages())):
            assert response.success
            most_ahead = max(most_ahead, taken - done)
            # What the fake keeps is none of the client's.
            fake.delivered.clear()
            fake.requests.clear()
    assert (taken, most_ahead) == (9, 4)
