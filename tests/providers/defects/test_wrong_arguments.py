"""What callers get wrong: told by name, before anything is sent, and at the cost of no other e-mail.

The numbers are those of the whole list of MailBridge 2.1.1's defects.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from poststack.mailbridge import (
    AsyncFailover,
    AsyncMailBridge,
    BulkEmailDTO,
    ConfigurationError,
    EmailMessageDto,
    Failover,
    InvalidMessageError,
    MailBridge,
    MemoryKeyStore,
)
from poststack.providers import Call, Capabilities, HttpProvider, Message, Outcome
from poststack.transports.base import HttpRequest, HttpResponse
from tests.providers.defects.sending import SENDER, Sender, mail
from tests.providers.fakes.sendgrid import FakeSendGrid
from tests.scripted import ScriptedTransport

WRONG: dict[str, list[Any]] = {
    "to": [7, None, b"x", {"a": 1}, [None], [7], [["a", "b", "c"]]],
    "cc": [7, b"x", {"a": 1}, [None]],
    "bcc": [7, b"x", {"a": 1}, [None]],
    "reply_to": [7, b"x", {"a": 1}, [None]],
    "from_email": [7, b"x", {"a": 1}, ["x"]],
    "subject": [7, b"x", ["x"], "\ud800"],
    "body": [7, b"x", ["x"], "\ud800"],
    "text": [7, b"x", ["x"], "\ud800"],
    "attachments": [7, b"x", "x", {"a": 1}, ["x"], iter(["x"])],
    "headers": [7, "x", [("X-A", "1")], {1: "x"}, {"X-A": 1}],
    "metadata": [7, "x", [("a", "1")], {1: "x"}, {"a": 1}],
    "tags": [7, "x", b"x", {"a": 1}, [7], [None]],
    "template_id": [b"x", ["x"], 1.5, True],
    "template_data": [7, "x", [("a", "1")], {1: "x"}],
    "scheduled_at": [7, "2026-12-01T09:30:00Z", [7]],
    "idempotency_key": [7, b"x", ["x"]],
    "track_opens": [1, "yes", []],
    "track_clicks": [0, "no", {}],
    "options": [7, "x", ["x"], {"sendgrid": 7}, {"ip_pool_name": "news"}],
}


@pytest.mark.parametrize("field", WRONG)
def test_31_a_field_of_a_wrong_type_is_named_and_costs_no_other_mail(sender: Sender, field: str) -> None:
    for value in WRONG[field]:
        wrong = EmailMessageDto("bob@example.net", "Hi", "<p>Hi</p>")
        if field == "template_data":
            wrong.template_id = "d-1"
        setattr(wrong, field, value)
        with FakeSendGrid() as fake:
            # Tags of all, because those are added to each message's own.
            result = sender.bulk(
                "sendgrid", fake, BulkEmailDTO([mail(), wrong, mail("cyd@example.net")], tags=["all"]).messages
            )
        assert (result.successful, list(result.failures)) == (2, [1]), value
        error = result.failures[1].original_error
        assert isinstance(error, InvalidMessageError)
        assert f"`{'html' if field == 'body' else field}" in str(error)
        assert len(fake.delivered) == 2


@pytest.mark.parametrize("messages", [None, 7, mail()])
def test_31_what_is_no_bulk_is_told(messages: Any) -> None:
    with MailBridge("capture") as mailer:
        for send in (mailer.send_bulk, mailer.send_each):
            with pytest.raises(InvalidMessageError, match="A bulk is a list of EmailMessageDto"):
                send(messages)


def test_39_a_text_is_no_list_of_tags_for_a_bulk() -> None:
    # Each letter would be a tag.
    with MailBridge("capture", from_email=SENDER) as mailer:
        tags: Any = "news"
        with pytest.raises(InvalidMessageError, match="`tags` is a list of texts"):
            mailer.send_bulk([mail()], tags=tags)
        with pytest.raises(InvalidMessageError, match="`tags` is a list of texts"):
            BulkEmailDTO([mail()], tags=tags)


@pytest.mark.parametrize("kind", [MailBridge, AsyncMailBridge])
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"timeout": "30"}, "`timeout` is a number of seconds, not str"),
        ({"timeout": None}, "`timeout` is a number of seconds, not NoneType"),
        ({"deadline": "30"}, "`deadline` is a number of seconds, not str"),
        ({"max_retries": "3"}, "`max_retries` is a whole number, not str"),
        ({"concurrency": 2.5}, "`concurrency` is a whole number, not float"),
        ({"concurrency": True}, "`concurrency` is a whole number, not bool"),
        ({"keys": "keys.db"}, "`keys` is a store with a method .*; str has none"),
        ({"from_email": "shop"}, "`from_email` is not an e-mail address"),
    ],
)
def test_51_a_setting_of_a_wrong_type_is_named_at_once(kind: Any, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        kind("sendgrid", api_key="SG.key", **settings)


@pytest.mark.parametrize("kind", [MailBridge, AsyncMailBridge])
def test_51_a_provider_that_the_environment_does_not_name_is_told(kind: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="name of a provider, not NoneType"):
        kind(None)


def test_51_a_failover_takes_stores_of_its_own_kind_only() -> None:
    class OnlyForThreads:
        begin = finish = abandon = MemoryKeyStore.begin

    keys: Any = OnlyForThreads()
    with pytest.raises(ConfigurationError, match=r"a method `abegin`.*; OnlyForThreads has none"):
        AsyncFailover([AsyncMailBridge("capture")], keys=keys)
    wrong: Any = "keys.db"
    with pytest.raises(ConfigurationError, match=r"a method `begin`.*; str has none"):
        Failover([MailBridge("capture")], keys=wrong)


def test_51_an_endpoint_that_is_not_the_whole_address_is_told() -> None:
    for name, key in (("sendgrid", "api_key"), ("postmark", "server_token"), ("brevo", "api_key")):
        settings: dict[str, Any] = {key: "key", "endpoint": "https://api.example.com"}
        with pytest.raises(ConfigurationError, match="`endpoint` is a whole address such as"):
            MailBridge(name, **settings)


class Careless(HttpProvider):
    """An adapter with a mistake in it."""

    name = "careless"
    title = "Careless Mail"
    capabilities = Capabilities()

    def __init__(self, *, outcomes: Callable[[], list[Outcome]], plans: bool = True) -> None:
        self._said = outcomes
        self._plans = plans

    def plan(self, messages: Sequence[Message]) -> list[Call[HttpRequest]]:
        requests = [Call(HttpRequest("POST", "http://careless.example/", {}, b""), [message]) for message in messages]
        return requests if self._plans else requests[1:]

    def outcomes(self, call: Call[HttpRequest], answer: HttpResponse, now: float) -> list[Outcome]:
        return self._said()


@pytest.fixture
def careless() -> Generator[None]:
    MailBridge.register_provider("careless", Careless)
    yield
    MailBridge.unregister_provider("careless")


def _raising() -> list[Outcome]:
    raise KeyError("id")


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize(
    ("outcomes", "text"),
    [(_raising, "its adapter raised KeyError"), (list[Outcome], "its adapter tells of 0 e-mails instead of 1")],
)
def test_08_a_mistake_in_an_adapter_hides_no_mail_that_may_have_been_sent(outcomes: Any, text: str) -> None:
    transport = ScriptedTransport(HttpResponse(202, {}))
    with MailBridge("careless", outcomes=outcomes, transport=transport, from_email=SENDER) as mailer:
        result = mailer.send_bulk([mail(), mail("bob@example.net")])
    assert (result.total, len(transport.requests)) == (2, 2)
    for response in result.responses:
        assert response.may_have_been_sent
        assert text in str(response.error)


@pytest.mark.usefixtures("careless")
def test_08_an_adapter_that_leaves_a_mail_out_sends_none() -> None:
    transport = ScriptedTransport(HttpResponse(202, {}))
    settings: dict[str, Any] = {"outcomes": list[Outcome], "plans": False, "transport": transport}
    with (
        MailBridge("careless", **settings, from_email=SENDER) as mailer,
        pytest.raises(TypeError, match=r"Careless\(\) plans calls for 1 of 2 e-mails"),
    ):
        mailer.respond([mail(), mail("bob@example.net")])
    assert transport.requests == []


def test_52_a_provider_without_a_title_is_not_registered() -> None:
    class Nameless(HttpProvider):
        name = "nameless"
        capabilities = Capabilities()
        plan, outcomes = Careless.plan, Careless.outcomes

    kind: Any = Nameless
    with pytest.raises(TypeError, match="Nameless has no `title`"):
        MailBridge.register_provider("nameless", kind)
