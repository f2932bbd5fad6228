"""The adapter of Amazon SES against one that checks signatures and every field of a request."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from typing import Any

import anyio
import pytest

from poststack.mailbridge import (
    AsyncMailBridge,
    ConfigurationError,
    EmailMessageDto,
    EmailSendError,
    MailBridge,
    UnsupportedFieldError,
    UnsupportedFieldWarning,
)
from poststack.transports.base import TransportError
from tests.providers.fakes.base import Fault, HttpRequestSeen, answers
from tests.providers.fakes.ses import SINGLE, FakeSes
from tests.providers.test_ses_bulk import TEMPLATE, body_of, greetings

SENDER = "Shop <shop@example.org>"


@pytest.fixture
def fake() -> Generator[FakeSes]:
    with FakeSes() as server:
        yield server


@pytest.fixture
def mailer(fake: FakeSes) -> Generator[MailBridge]:
    with MailBridge("ses", **fake.settings(), from_email=SENDER, max_retries=1) as bridge:
        yield bridge


def raw_of(request: HttpRequestSeen) -> bytes:
    return base64.b64decode(body_of(request)["Content"]["Raw"]["Data"])


def test_defect_05_headers_arrive_without_an_attachment_and_beside_a_template(
    mailer: MailBridge, fake: FakeSes
) -> None:
    files: Any = [("bill.pdf", b"pdf", "application/pdf")]
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", headers={"X-Order": "17"})
    mailer.send("ada@example.net", template_id="welcome", headers={"X-Order": "17"}, attachments=files)

    assert [one.headers["X-Order"] for one in fake.delivered] == ["17", "17"]
    assert fake.delivered[1].attachments == [("bill.pdf", b"pdf", "application/pdf", None)]


def test_defect_10_a_name_outside_ascii_does_not_swallow_its_address(mailer: MailBridge, fake: FakeSes) -> None:
    mailer.send("Jürgen Öß <juergen@example.net>", "Hi", "<p>Hi</p>", cc=["山田 <yamada@example.net>"])
    mailer.send("Jürgen Öß <juergen@example.net>", template_id="welcome")

    assert all(one.to == [("Jürgen Öß", "juergen@example.net")] for one in fake.delivered)
    assert fake.delivered[0].cc == [("山田", "yamada@example.net")]


@pytest.mark.parametrize("content", ["raw", "simple"])
@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"X-A\r\nBcc: all": "x"}}, {"headers": {"X-A": "x\r\nBcc: all@example.net"}},
        {"subject": "Hi\nBcc: all@example.net"},
    ],
)  # fmt: skip
def test_defect_12_nothing_can_add_a_header(fake: FakeSes, content: Any, fields: dict[str, Any]) -> None:
    given: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>", **fields}
    message = EmailMessageDto(**given)
    with MailBridge("ses", **fake.settings(), content=content, from_email=SENDER) as mailer, pytest.raises(ValueError):
        mailer.send_message(message)
    assert fake.requests == []


def test_defect_13_a_file_name_with_a_semicolon_is_one_name(mailer: MailBridge, fake: FakeSes) -> None:
    names = ["re port; final.pdf", 'the "last".pdf', "Größe.pdf"]
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", attachments=[(name, b"pdf", "application/pdf") for name in names])
    assert [file[0] for file in fake.delivered[0].attachments] == names


def test_defect_36_the_region_is_never_guessed(fake: FakeSes, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    settings = fake.settings()
    del settings["region_name"]

    with pytest.raises(ConfigurationError, match="region_name"):
        MailBridge("ses", **settings)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with MailBridge("ses", **settings, from_email=SENDER) as mailer:
        assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "TooManyRequestsException", "Too many", "rate_limited"),
        (400, "ThrottlingException", "Maximum sending rate exceeded.", "rate_limited"),
        (400, "Throttling", "Daily message quota exceeded.", "quota"),
        (400, "MessageRejected", "Email address is not verified.", "sender_not_verified"),
        (400, "MessageRejected", "Email contains a virus", "invalid_request"),
        (400, "MailFromDomainNotVerifiedException", "No.", "sender_not_verified"),
        (400, "AccountSuspendedException", "No.", "quota"),
        (400, "SendingPausedException", "No.", "quota"),
        (400, "LimitExceededException", "No.", "quota"),
        (400, "BadRequestException", "No.", "invalid_request"),
        (404, "NotFoundException", "No.", "invalid_request"),
        (403, "AccessDeniedException", "not authorized to perform `ses:SendRawEmail'", "auth"),
        (403, "UnrecognizedClientException", "No.", "auth"),
        (400, "IncompleteSignature", "No.", "auth"),
        (403, "InvalidSignatureException", "Signature expired", "auth"),
        (403, "SignatureDoesNotMatch", "No.", "auth"),
        (413, "RequestEntityTooLargeException", "No.", "payload_too_large"),
        (408, "RequestTimeoutException", "No.", "unavailable"),
        (500, "InternalFailure", "No.", "ambiguous"),
        (503, "ServiceUnavailable", "No.", "unavailable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["header", "__type", "code"])
def test_what_a_refusal_means(fake: FakeSes, status: int, code: str, message: str, kind: str, place: str) -> None:
    if place == "header":
        address = f"com.amazonaws.ses#{code}:http://internal.amazon.com/coral/com.amazonaws.ses/"
        fault = answers(status, json.dumps({"message": message}), X_Amzn_ErrorType=address, X_Amzn_RequestId="r-1")
    else:
        body = json.dumps({place: f"com.amazonaws.ses#{code}", "Message": message})
        fault = answers(status, body, X_Amzn_RequestId="r-1")
    fake.faults.append(fault)
    sending = MailBridge("ses", **fake.settings(), from_email=SENDER, max_retries=0)
    with sending as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")

    error = caught.value
    assert (error.kind, error.status_code, error.code, error.request_id) == (kind, status, code, "r-1")
    assert message in str(error)


@pytest.mark.parametrize("body", ["", "{}", '{"MessageId": ""}', '{"MessageId": 7}', "<html></html>"])
def test_a_success_without_an_id_is_in_doubt(mailer: MailBridge, fake: FakeSes, body: str) -> None:
    fake.faults.append(answers(200, body))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent
    assert len(fake.requests) == 1


def test_a_lost_answer_is_not_repeated(mailer: MailBridge, fake: FakeSes) -> None:
    fake.faults.append(Fault(taken=True, reset=True))
    with pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert caught.value.may_have_been_sent
    assert len(fake.delivered) == 1


def test_throttling_is_waited_out(mailer: MailBridge, fake: FakeSes) -> None:
    fake.faults.append(answers(429, '{"message": "slow"}', X_Amzn_ErrorType="TooManyRequestsException"))
    assert mailer.send("ada@example.net", "Hi", "<p>Hi</p>").success
    assert len(fake.requests) == 2


def test_the_response_has_the_id_of_the_mail_and_of_the_request(mailer: MailBridge, fake: FakeSes) -> None:
    response = mailer.send("ada@example.net", "Hi", "<p>Hi</p>")
    assert response.message_id == fake.delivered[0].message_id
    assert (response.request_id, response.metadata["request_id"]) == ("request-1", "request-1")


def test_blind_copies_are_in_the_destination_and_not_in_the_mail(mailer: MailBridge, fake: FakeSes) -> None:
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", bcc=["hidden@example.net"])
    assert fake.delivered[0].bcc == [("", "hidden@example.net")]
    assert b"hidden" not in raw_of(fake.requests[0])


@pytest.mark.parametrize("content", ["raw", "simple"])
def test_both_contents_say_the_same(fake: FakeSes, content: Any) -> None:
    image: Any = {"filename": "logo.png", "content": "iVBORw0KGgo=", "content_type": "image/png", "content_id": "logo"}
    unsubscribe = f"<https://example.org/u?{'t' * 200}>"
    message = EmailMessageDto(
        "Ada <ada@example.net>", "Größe", '<img src="cid:logo">', SENDER, ["cc@example.net"], ["bcc@example.net"],
        ["help@example.org", "Desk <desk@example.org>"], [image, ("Größe.csv", "a,b", "text/csv; charset=utf-8")],
        headers={"List-Unsubscribe": unsubscribe, "X-Note": "für dich"}, tags=["a b", "zwölf"], text="Hallo Ü",
        metadata={"order": "17", "note": "ü"}, track_opens=True, track_clicks=False,
    )  # fmt: skip
    with MailBridge("ses", **fake.settings(), content=content, configuration_set="events") as mailer:
        assert mailer.send_message(message).success

    (one,) = fake.delivered
    assert (one.sender, one.to) == (("Shop", "shop@example.org"), [("Ada", "ada@example.net")])
    assert (one.cc, one.bcc) == ([("", "cc@example.net")], [("", "bcc@example.net")])
    assert one.reply_to == [("", "help@example.org"), ("Desk", "desk@example.org")]
    assert (one.subject, one.text, one.html) == ("Größe", "Hallo Ü", '<img src="cid:logo">')
    assert (one.headers["List-Unsubscribe"], one.headers["X-Note"]) == (unsubscribe, "für dich")
    assert (one.tags, one.metadata) == (["a b", "zwölf"], {"order": "17", "note": "ü"})
    assert sorted(file[0] for file in one.attachments) == ["Größe.csv", "logo.png"]
    assert (one.track_opens, one.track_clicks) == (True, False)
    assert one.options["ConfigurationSetName"] == "events"


def test_mail_is_sent_in_7_bits_of_short_lines(mailer: MailBridge, fake: FakeSes) -> None:
    mailer.send("ada@example.net", "Ü" * 300, f"<p>{'ü' * 5000}</p>", text="x" * 5000)
    raw = raw_of(fake.requests[0])
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_domains_outside_ascii_are_encoded(mailer: MailBridge, fake: FakeSes) -> None:
    mailer.send("ada@bücher.example", "Hi", "<p>Hi</p>")
    mailer.send("ada@bücher.example", template_id="welcome")
    assert [one.to[0][1] for one in fake.delivered] == ["ada@xn--bcher-kva.example"] * 2


def test_a_template_is_known_by_name_or_by_arn(mailer: MailBridge, fake: FakeSes) -> None:
    arn = "arn:aws:ses:eu-central-1:123456789012:template/welcome"
    for template_id in ("welcome", arn):
        mailer.send("ada@example.net", template_id=template_id, template_data={"name": "Ada", "n": 1})
    assert [one.template_id for one in fake.delivered] == ["welcome", arn]
    assert fake.delivered[0].variables == {"name": "Ada", "n": 1}


def test_a_tag_name_makes_message_tags_of_tags(fake: FakeSes) -> None:
    with MailBridge("ses", **fake.settings(), tag_name="kind", from_email=SENDER) as mailer:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", tags=["receipt"])
        mailer.send_bulk(greetings(2, tags=["greeting"]))
        with pytest.raises(UnsupportedFieldError, match="one tag"):
            mailer.send("ada@example.net", "Hi", "<p>Hi</p>", tags=["a", "b"])
        with pytest.raises(UnsupportedFieldError, match="letters, digits"):
            mailer.send("ada@example.net", "Hi", "<p>Hi</p>", tags=["a b"])

    tags = [one.options["EmailTags"] for one in fake.delivered]
    assert tags == [[{"Name": "kind", "Value": value}] for value in ("receipt", "greeting", "greeting")]


def test_options_are_what_only_ses_has(mailer: MailBridge, fake: FakeSes) -> None:
    options: dict[str, Any] = {
        "FeedbackForwardingEmailAddress": "bounces@example.org",
        "ListManagementOptions": {"ContactListName": "news", "TopicName": "weekly"},
        "ConfigurationSetName": "other",
    }
    mailer.send("ada@example.net", "Hi", "<p>Hi</p>", options={"ses": options})
    assert fake.delivered[0].options == options


BIG = "x" * 1000


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("to", {"to": [f"u{n}@example.net" for n in range(51)]}),
        ("to", {"to": "jürgen@example.net"}),
        ("options", {"options": {"ses": {"Content": {}}}}),
        ("options", {"options": {"ses": {"EndpointId": "abc"}}}),
        ("headers", {"headers": {"Message-ID": "<own@example.org>"}}),
        ("headers", {"headers": {"date": "Mon, 30 Nov 2026 09:30:00 +0000"}}),
        ("headers", {"headers": {"X-Long": BIG}}),
        ("headers", {"headers": {"X-Metadata": "{}"}, "metadata": {"a": "b"}}),
        ("metadata", {"metadata": {"a": BIG}}),
        ("attachments", {"attachments": [("x.eml", b"\xff", "message/rfc822")]}),
        ("scheduled_at", {"scheduled_at": datetime.now(timezone.utc) + timedelta(hours=1)}),
        ("idempotency_key", {"idempotency_key": "k"}),
        ("subject", {"template_id": "welcome", "body": None}),
        ("body", {"template_id": "welcome", "subject": None}),
        ("template_data", {**TEMPLATE, "subject": None, "body": None, "template_data": {"a": "x" * 262_144}}),
        ("headers", {"template_id": "t", "subject": None, "body": None, "headers": {"X-Empty": ""}}),
        ("headers", {"template_id": "t", "subject": None, "body": None, "headers": {"X-Long": f"{BIG} {BIG}"}}),
        ("headers", {"template_id": "t", "subject": None, "body": None, "tags": [f"t{n}" for n in range(16)]}),
        ("tags", {"template_id": "t", "subject": None, "body": None, "tags": [f"{BIG} {BIG}"]}),
        ("metadata", {"template_id": "t", "subject": None, "body": None, "metadata": {"a": "b " * 600}}),
        ("attachments", {"template_id": "t", "subject": None, "body": None, "attachments": [("n" * 256, b"", "a/b")]}),
    ],
)  # fmt: skip
def test_what_ses_cannot_say_is_named_and_nothing_is_sent(
    mailer: MailBridge, fake: FakeSes, field: str, fields: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"to": "ada@example.net", "subject": "Hi", "body": "<p>Hi</p>", **fields}
    message = EmailMessageDto(**given)
    with pytest.raises(UnsupportedFieldError) as caught:
        mailer.send_message(message)
    assert (caught.value.field, caught.value.provider) == (field, "ses")
    assert fake.requests == []


def test_what_is_dropped_is_warned_of(fake: FakeSes) -> None:
    message = EmailMessageDto(
        "ada@example.net", "Hi", "<p>Hi</p>", SENDER, headers={"Message-ID": "<own@example.org>", "X-Order": "17"},
        idempotency_key="k", template_id="welcome", attachments=[("x.eml", b"\xff", "message/rfc822")],
    )  # fmt: skip
    dropping = MailBridge("ses", **fake.settings(), unsupported="drop")
    with dropping as mailer, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert mailer.send_message(message).success

    texts = [str(warning.message) for warning in caught if warning.category is UnsupportedFieldWarning]
    assert {re.findall(r"`(\w+)`", text)[0] for text in texts} == {"headers", "idempotency_key", "subject", "body"}
    assert fake.delivered[0].headers == {"X-Order": "17"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"aws_secret_access_key": None}, "aws_secret_access_key"),
        ({"aws_access_key_id": None, "aws_secret_access_key": None, "aws_session_token": "t"}, "aws_access_key_id"),
        ({"aws_access_key_id": ""}, "aws_access_key_id"),
        ({"credentials": lambda: ("a", "b")}, "credentials"),
        ({"region_name": "Frankfurt am Main"}, "region_name"),
        ({"tag_name": "a b"}, "tag_name"),
        ({"content": "mime"}, "content"),
        ({"configuration_set": " "}, "configuration_set"),
        ({"aws_region": "eu-central-1"}, "aws_region"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_named(fake: FakeSes, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        MailBridge("ses", **{**fake.settings(), **settings})


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "email.eu-central-1.amazonaws.com"),
        ("cn-north-1", "email.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "email.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_each_part_of_aws_has_its_own_domain(region: str, host: str) -> None:
    asked: list[str] = []

    class Refusing:
        def send(self, request: Any) -> Any:
            asked.append(request.url)
            raise TransportError("not today")

        def close(self) -> None:
            """Close nothing."""

    keys: dict[str, Any] = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": region}
    with MailBridge("ses", **keys, transport=Refusing()) as mailer, pytest.raises(EmailSendError):
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", SENDER)
    assert asked == [f"https://{host}{SINGLE}"]


def test_the_asynchronous_client_sends_the_same(fake: FakeSes) -> None:
    async def main() -> Any:
        async with AsyncMailBridge("ses", **fake.settings(), from_email=SENDER) as mailer:
            large = [("large.bin", b"x" * 1_500_000, "application/octet-stream")]
            single = await mailer.send("ada@example.net", "Hi", "<p>Hi</p>", attachments=large)
            return single, await mailer.send_bulk(greetings(60))

    single, bulk = anyio.run(main)
    assert single.success
    assert len(fake.delivered[0].attachments[0][1]) == 1_500_000
    assert (bulk.successful, len(fake.delivered)) == (60, 61)
