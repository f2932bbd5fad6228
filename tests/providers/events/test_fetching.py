"""How the certificate of Amazon SNS is fetched when nobody says how: over TLS, as the environment says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from poststack.providers.events import SesEvents
from poststack.receiving import AsyncWebhookReceiver, WebhookAnswer, WebhookReceiver
from tests.providers.events.calls import TOPIC, Call, SnsSender
from tests.providers.events.test_ses import CLICK
from tests.servers import Visitor, serving
from tests.transports.test_ways_to_the_server import AUTHORITY, encrypted, proxy_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

HOST = "sns.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def sns() -> SnsSender:
    return SnsSender(host=HOST)


def amazon(sns: SnsSender, status: int = 200) -> Callable[[Visitor], None]:
    def answer(visitor: Visitor) -> None:
        while request := visitor.request():
            body = sns.fetch(f"https://{HOST}" + request.first_line.split()[1])
            visitor.send(f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return encrypted(HOST, script=answer)


@pytest.fixture
def through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Let everything go through a proxy that leads to a port of this machine."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with contextlib.ExitStack() as proxies:

        def lead_to(port: int) -> None:
            monkeypatch.setenv("HTTPS_PROXY", proxies.enter_context(serving(proxy_to(port))).url)

        yield lead_to


async def receive(kind: str, source: SesEvents, call: Call) -> WebhookAnswer:
    if kind == "sync":
        return WebhookReceiver(source=source).receive(call.body, headers=call.headers)
    return await AsyncWebhookReceiver(source=source).receive(call.body, headers=call.headers)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_certificate_and_the_confirmation_are_asked_of_amazon(
    kind: str, sns: SnsSender, through: Callable[[int], None]
) -> None:
    source = SesEvents(topic_arns=TOPIC)
    with serving(amazon(sns)) as server:
        through(server.port)
        for call in (sns.ask(), sns.notify(CLICK)):
            assert (await receive(kind, source, call)).status == 200

    assert [request.first_line.split()[1][:30] for request in server.requests] == [
        "/SimpleNotificationService-012",
        "/?Action=ConfirmSubscription&T",
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_answer_that_is_no_success_makes_sns_try_again(
    kind: str, sns: SnsSender, through: Callable[[int], None]
) -> None:
    with serving(amazon(sns, status=500)) as server:
        through(server.port)
        assert (await receive(kind, SesEvents(topic_arns=TOPIC), sns.notify(CLICK))).status == 503


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_host_that_cannot_prove_its_name_is_not_believed(
    kind: str, sns: SnsSender, through: Callable[[int], None]
) -> None:
    with serving(encrypted("example.com")) as server:
        through(server.port)
        assert (await receive(kind, SesEvents(topic_arns=TOPIC), sns.notify(CLICK))).status == 503

    assert server.requests == []
