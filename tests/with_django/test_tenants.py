"""A key for each message: every tenant's mail leaves with its own key, and no key shows anywhere."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from poststack_django.backends import EmailBackend
from poststack_django.clients import get_client
from poststack_django.errors import NotAllSentError
from poststack_django.models import SentEmail
from tests.servers import ACCEPTED, Server, answering, serving
from tests.with_django.messages import message, status_of
from tests.with_django.reports import report_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.mail import EmailMessage

    from tests.servers import Visitor

pytestmark = pytest.mark.django_db

# Put together, because error reports also show the source.
BODY = "_".join(["reset", "link"])
ADDRESS = "@".join(["secret", "example.com"])
KEYS = {tenant: "_".join(["sk", "test", "hidden", tenant]) for tenant in ("red", "blue")}


def key_of(message: Any) -> str:
    return KEYS[message.extra_headers["X-Tenant"]]


def wrong_key(message: EmailMessage) -> str:
    return KEYS["red"] + "\u00e9"


def of(tenant: str, number: int = 1) -> EmailMessage:
    return message(number, headers={"X-Tenant": tenant})


def accept(visitor: Visitor) -> None:
    while (request := visitor.request()) is not None:
        count = request.body.count(b'"subject"')
        key = request.header("authorization").rpartition("_")[2]
        ids = ", ".join(f'{{"id": "em_{key}_{request.connection}_{number}"}}' for number in range(count))
        body = f'{{"data": [{ids}]}}' if request.first_line.split()[1].endswith("batch") else ids
        head = f"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        visitor.send(head.encode() + body.encode())


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    with serving(accept) as running:
        settings.POSTSTACK = {"API_KEY": key_of, "BASE_URL": running.url, "MAX_RETRIES": 0}
        yield running
        settings.POSTSTACK = {}


def test_interleaved_messages_leave_with_the_keys_of_their_tenants(server: Server) -> None:
    many = [of("red" if number % 2 else "blue", number) for number in range(6)]

    assert EmailBackend().send_messages(many) == 6
    assert [request.header("authorization") for request in server.requests] == [
        f"Bearer {KEYS['blue']}",
        f"Bearer {KEYS['red']}",
    ]
    assert [(status_of(one).id or "").split("_")[1] for one in many] == ["blue", "red"] * 3
    assert SentEmail.objects.filter(status="queued").count() == 6


def test_all_tenants_share_one_pool_of_connections(server: Server) -> None:
    EmailBackend().send_messages([of("red"), of("blue")])
    EmailBackend().send_messages([of("blue")])

    assert (len(server.requests), server.connections) == (3, 1)


def test_a_tenant_whose_key_is_refused_does_not_stop_the_other(settings: Any) -> None:
    refusal = b'HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{"error": "Wrong"}'

    def script(visitor: Visitor) -> None:
        # It keeps the connection: a call without retries on one that is just being closed would fail for that.
        while (request := visitor.request()) is not None:
            visitor.send(refusal if KEYS["red"] in request.header("authorization") else ACCEPTED)

    with serving(script) as running:
        settings.POSTSTACK = {"API_KEY": key_of, "BASE_URL": running.url, "MAX_RETRIES": 0}
        pair = [of("red"), of("blue")]
        with pytest.raises(NotAllSentError) as caught:
            EmailBackend().send_messages(pair)

    assert [status_of(one).status for one in pair] == ["refused", "queued"]
    assert caught.value.sent == [pair[1]]


def test_the_lists_of_the_error_are_in_the_order_of_the_messages(settings: Any) -> None:
    with serving(lambda visitor: visitor.close()) as running:
        settings.POSTSTACK = {"API_KEY": key_of, "BASE_URL": running.url, "MAX_RETRIES": 0}
        many = [of("red", 1), of("blue", 2), of("red", 3), of("blue", 4)]
        with pytest.raises(NotAllSentError) as caught:
            EmailBackend().send_messages(many)

    assert [one for one, _ in caught.value.unsent] == many
    # No answer is everybody's affair: the other tenant is not tried.
    assert [status_of(one).status for one in many] == ["unknown", "unsent", "unknown", "unsent"]


@pytest.mark.parametrize("wrong", [None, "", 7, b"sk_test_x", "k\u00e9y", "two\nlines"])
def test_a_wrong_key_is_found_before_anything_leaves(server: Server, settings: Any, wrong: Any) -> None:
    def wrong_for_one(message: EmailMessage) -> Any:
        return wrong if message.subject == "Subject 9" else KEYS["red"]

    settings.POSTSTACK["API_KEY"] = wrong_for_one
    with pytest.raises(ImproperlyConfigured):
        EmailBackend(fail_silently=True).send_messages([of("red", 1), of("blue", 9)])

    assert (server.requests, SentEmail.objects.count()) == ([], 0)


def test_what_the_function_raises_is_raised_before_anything_leaves(server: Server) -> None:
    with pytest.raises(KeyError):
        EmailBackend(fail_silently=True).send_messages([of("red"), of("unknown")])

    assert (server.requests, SentEmail.objects.count()) == ([], 0)


def test_an_option_of_the_backend_may_be_a_function_too(server: Server, settings: Any) -> None:
    settings.POSTSTACK["API_KEY"] = "sk_test_other"
    EmailBackend(api_key=key_of).send_messages([of("red")])

    assert server.requests[0].header("authorization") == f"Bearer {KEYS['red']}"


def test_there_is_no_client_without_a_message(settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": key_of}

    assert EmailBackend().open() is True
    with pytest.raises(ImproperlyConfigured, match="depends on the message"):
        get_client()


# No key shows


def test_no_key_in_what_is_written_about_them(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    backend = EmailBackend(api_key=KEYS["red"])
    one = of("red")
    backend.send_messages([one])
    texts = [repr(backend), repr(backend.configuration), repr(backend.rules), repr(vars(one)), caplog.text]
    texts.append(repr(list(SentEmail.objects.values())))

    assert [text for text in texts if KEYS["red"] in text] == []


def secrets() -> list[EmailMessage]:
    pair = [of("red"), of("blue")]
    for one in pair:
        one.body = BODY
        one.to = [ADDRESS]
    return pair


def test_no_key_body_or_address_in_errors_and_reports_of_them(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    with serving(answering(b"HTTP/1.1 500 Down\r\nContent-Length: 0\r\n\r\n")) as running:
        settings.POSTSTACK = {"API_KEY": key_of, "BASE_URL": running.url, "MAX_RETRIES": 0}
        report = report_of(lambda: EmailBackend().send_messages(secrets()))

    for hidden in (*KEYS.values(), BODY, ADDRESS):
        assert hidden not in report
        assert hidden not in caplog.text


@pytest.mark.parametrize("wrong", ["body", "address", "key"])
def test_nor_in_reports_of_mistakes(server: Server, settings: Any, wrong: str) -> None:
    def send() -> None:
        pair = secrets()
        if wrong == "body":
            pair[1].content_subtype = "enriched"
        elif wrong == "address":
            pair[1].cc = ["nobody at all"]
        EmailBackend().send_messages(pair)

    if wrong == "key":
        settings.POSTSTACK["API_KEY"] = wrong_key
    report = report_of(send)

    for hidden in (*KEYS.values(), BODY, ADDRESS):
        assert hidden not in report


def test_a_pickled_message_holds_no_key_of_the_settings(server: Server) -> None:
    one = of("red")
    EmailBackend().send_messages([one])

    assert KEYS["red"].encode() not in pickle.dumps(one)
