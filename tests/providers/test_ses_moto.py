"""Amazon SES by others: moto takes our requests, and our fake takes those of AWS's own client."""

from __future__ import annotations

from collections.abc import Generator
from email import message_from_string, policy
from importlib import import_module
from typing import Any

import anyio
import pytest

from poststack.mailbridge import AsyncMailBridge, EmailSendError, MailBridge
from tests.providers.fakes.ses import ACCESS_KEY, REGION, SECRET_KEY, FakeSes
from tests.providers.test_ses_bulk import greetings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def client_for(url: str) -> Any:
    session = import_module("botocore.session").Session()
    return session.create_client(
        "sesv2", region_name=REGION, endpoint_url=url, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
    )


@pytest.fixture
def moto() -> Generator[str]:
    server = import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client_for(url).create_email_identity(EmailIdentity="shop@example.org")
        yield url
    finally:
        server.stop()


def settings(url: str) -> dict[str, Any]:
    return {
        "aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": REGION, "endpoint": url,
        "from_email": "Shop <shop@example.org>", "max_retries": 0,
    }  # fmt: skip


def sent() -> list[Any]:
    backends = import_module("moto.ses.models").ses_backends
    messages: list[Any] = backends["123456789012"][REGION].sent_messages
    return messages


def test_moto_takes_mime(moto: str) -> None:
    with MailBridge("ses", **settings(moto)) as mailer:
        response = mailer.send("Jürgen <juergen@example.net>", "Größe", "<p>Ü</p>", bcc="bcc@example.net", text="Ü")

    message = sent()[-1]
    mail = message_from_string(message.raw_data, policy=policy.default)
    assert response.message_id == message.id
    assert (str(mail["Subject"]), str(mail["To"])) == ("Größe", "Jürgen <juergen@example.net>")
    assert [part.get_content() for part in mail.iter_parts()] == ["Ü", "<p>Ü</p>"]
    assert "bcc@example.net" in str(message.destinations)


def test_moto_takes_simple_content(moto: str) -> None:
    async def main() -> Any:
        async with AsyncMailBridge("ses", **settings(moto), content="simple") as mailer:
            return await mailer.send("ada@example.net", "Größe", "<p>Ü</p>")

    response = anyio.run(main)
    message = sent()[-1]
    assert (response.message_id, message.subject, message.body) == (message.id, "Größe", "<p>Ü</p>")


def test_a_refusal_of_moto_is_understood(moto: str) -> None:
    with MailBridge("ses", **settings(moto)) as mailer, pytest.raises(EmailSendError) as caught:
        mailer.send("ada@example.net", "Hi", "<p>Hi</p>", "nobody@example.com")
    # In words of its own, so the kind is that of any rejection.
    assert (caught.value.kind, caught.value.code, caught.value.status_code) == (
        "invalid_request",
        "MessageRejected",
        400,
    )


# moto has no templates and no bulk in version 2. There the other way round: what AWS's own client says, the fake of the
# other tests takes, and says the same of it as of ours.
def test_the_fake_takes_what_the_client_of_aws_sends() -> None:
    with FakeSes() as fake:
        client = client_for(fake.url)
        template = {"TemplateName": "welcome", "TemplateData": '{"name": "Ada"}'}
        single = client.send_email(
            FromEmailAddress="Shop <shop@example.org>",
            Destination={"ToAddresses": ["ada@example.net"]},
            Content={"Template": template},
        )
        bulk = client.send_bulk_email(
            FromEmailAddress="Shop <shop@example.org>",
            DefaultContent={"Template": {"TemplateName": "welcome", "TemplateData": "{}"}},
            BulkEmailEntries=[
                {
                    "Destination": {"ToAddresses": [f"u{n}@example.net"]},
                    "ReplacementEmailContent": {
                        "ReplacementTemplate": {"ReplacementTemplateData": f'{{"name": "N{n}"}}'}
                    },
                }
                for n in range(2)
            ],
        )
        with MailBridge("ses", **settings(fake.url)) as mailer:
            mailer.send("ada@example.net", template_id="welcome", template_data={"name": "Ada"})
            mailer.send_bulk(greetings(2))

    assert single["MessageId"] == fake.delivered[0].message_id
    assert [entry["Status"] for entry in bulk["BulkEmailEntryResults"]] == ["SUCCESS", "SUCCESS"]
    theirs, ours = fake.delivered[:3], fake.delivered[3:]
    assert [(one.to, one.template_id, one.variables) for one in theirs] == [
        (one.to, one.template_id, one.variables) for one in ours
    ]
