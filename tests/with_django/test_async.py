"""Sending from asynchronous code."""

from __future__ import annotations

import asyncio
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.core.mail import EmailMessage

from poststack import PostStackError
from poststack_django.aio import asend, asend_mail, asend_messages
from poststack_django.backends import EmailBackend
from poststack_django.errors import NotAllSentError
from poststack_django.message import PostStackEmail
from poststack_django.models import SentEmail
from tests.servers import Server, serving
from tests.with_django.api import HAS_MAILERS, RecordingApi, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import Received, Visitor

pytestmark = pytest.mark.django_db

GIVEN = ("Subject", "Body", "a@example.com", ["b@example.com"])


def wrong_key(message: EmailMessage) -> str:
    return "kéy"


def key_by_subject(message: EmailMessage) -> str:
    return f"sk_test_{str(message.subject)[-1]}"


class Service:
    """The API at a real socket: what it is asked, and when it may answer."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.status = "202 Accepted"

    def __call__(self, visitor: Visitor) -> None:
        while (request := visitor.request()) is not None:
            self.asked.set()
            self.may_answer.wait()
            body = self.answer(request)
            head = f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            visitor.send(head.encode() + body.encode())

    def answer(self, request: Received) -> str:
        if not self.status.startswith("202"):
            return '{"error": "No"}'
        name = f"em_{request.connection}_{len(request.body)}"
        if not request.first_line.split()[1].endswith("batch"):
            key = request.body.rpartition(b'"idempotency_key":"')[2][:36].decode()
            return f'{{"id": "em_{key}"}}'
        ids = ", ".join(f'{{"id": "{name}_{number}"}}' for number in range(request.body.count(b'"subject"')))
        return f'{{"data": [{ids}]}}'


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def server(service: Service, settings: Any) -> Iterator[Server]:
    """Everything is sent to the service by the asynchronous client."""
    with serving(service) as running:
        settings.POSTSTACK = {"API_KEY": "sk_test_x", "BASE_URL": running.url, "MAX_RETRIES": 0}
        with configured("MAILERS" if HAS_MAILERS else "EMAIL_BACKEND"):
            yield running
            service.may_answer.set()


# Every way of sending


def test_asend_mail_sends_and_counts(mailer: str, api: RecordingApi) -> None:
    assert async_to_sync(asend_mail)(*GIVEN, html_message="<p>Body</p>") == 1
    assert (api.payload["subject"], api.payload["html"]) == ("Subject", "<p>Body</p>")
    assert SentEmail.objects.get().status == "queued"


def test_messages_have_a_method_for_it(mailer: str, api: RecordingApi) -> None:
    one = PostStackEmail(*GIVEN, tags=["receipt"])

    assert async_to_sync(one.asend)() == 1
    assert (api.payload["tags"], status_of(one).id) == (["receipt"], "em_1")


def test_several_messages_are_one_call(mailer: str, api: RecordingApi) -> None:
    three = (message(number) for number in range(3))

    assert async_to_sync(asend_messages)(three) == 3
    assert len(api.requests) == 1


def test_the_asynchronous_client_does_the_same(server: Server) -> None:
    two = [message(1), message(2)]

    assert async_to_sync(asend_messages)(two) == 2
    assert async_to_sync(asend)(message(3)) == 1
    assert [request.first_line.split()[1] for request in server.requests] == ["/emails/batch", "/emails"]
    assert SentEmail.objects.filter(status="queued").count() == 3


def test_nothing_to_send_asks_nobody(server: Server) -> None:
    assert async_to_sync(asend_messages)([]) == 0
    assert async_to_sync(asend)(message(to=[])) == 0
    assert server.requests == []


def test_mailers_of_other_packages_are_called_as_they_are() -> None:
    assert async_to_sync(asend_mail)(*GIVEN) == 1
    assert async_to_sync(PostStackEmail(*GIVEN).asend)() == 1
    assert [one.subject for one in mail.outbox] == ["Subject", "Subject"]


def test_a_subclass_that_sends_in_its_own_way_is_not_passed_over(api: RecordingApi, settings: Any) -> None:
    with configured("EMAIL_BACKEND", backend=f"{__name__}.Counting"):
        assert async_to_sync(asend)(message()) == 1

    assert Counting.counted == 1


class Counting(EmailBackend):
    """Does something of its own before it sends."""

    counted = 0

    def send_messages(self, email_messages: Any) -> int:
        type(self).counted += 1
        return super().send_messages(email_messages)


def test_a_client_of_a_subclass_is_the_one_that_is_called(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x"}

    class Own(EmailBackend):
        def client_for(self, configuration: object) -> Any:
            return api.client()

    assert async_to_sync(asend)(message(connection=Own())) == 1
    assert api.payload["subject"] == "Subject 1"


def test_the_backend_that_a_message_was_given_is_used_and_left_open(server: Server, api: RecordingApi) -> None:
    with EmailBackend(api_key="sk_test_own", base_url=server.url) as own:
        async_to_sync(asend)(message(connection=own))

        assert own.open() is False
    assert server.requests[0].header("authorization") == "Bearer sk_test_own"
    assert api.requests == []


@pytest.mark.skipif(HAS_MAILERS, reason="for Django before 6.1")
def test_there_are_no_names_of_mailers_before_django_6_1(api: RecordingApi) -> None:
    with pytest.raises(ValueError, match=r"Django 6\.1"):
        async_to_sync(asend)(message(), using="other")


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_using_names_a_mailer(server: Server, settings: Any) -> None:
    settings.MAILERS = {
        **settings.MAILERS,
        "other": {"BACKEND": "poststack_django.backends.EmailBackend", "OPTIONS": {"api_key": "sk_test_other"}},
    }
    async_to_sync(asend_mail)(*GIVEN, using="other")

    assert server.requests[0].header("authorization") == "Bearer sk_test_other"
    assert SentEmail.objects.get().mailer == "other"


def test_no_warning_of_our_own(mailer: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async_to_sync(asend_mail)(*GIVEN)
        async_to_sync(asend)(message())

    about_us = [str(one.message) for one in caught if "poststack" in str(one.message) or "poststack" in one.filename]
    assert about_us == []


# Failures


def test_a_refusal_raises_and_is_stored(server: Server, service: Service) -> None:
    service.status = "422 No"
    one = message()
    with pytest.raises(PostStackError):
        async_to_sync(asend)(one)

    assert (status_of(one).status, SentEmail.objects.get().status) == ("refused", "refused")


def test_a_call_without_an_answer_is_unknown(settings: Any) -> None:
    with serving(lambda visitor: visitor.close()) as running:
        settings.POSTSTACK = {"API_KEY": "sk_test_x", "BASE_URL": running.url, "MAX_RETRIES": 0}
        many = [message(number) for number in range(150)]
        with configured("EMAIL_BACKEND"), pytest.raises(NotAllSentError):
            async_to_sync(asend_messages)(many)

    assert [status_of(one).status for one in many] == ["unknown"] * 100 + ["unsent"] * 50
    assert set(SentEmail.objects.values_list("status", flat=True)) == {"unknown"}


def test_mistakes_and_wrong_settings_are_found_first(server: Server, settings: Any) -> None:
    with pytest.raises(ValueError, match=r"messages\[1\]"):
        async_to_sync(asend_messages)([message(), message(headers={"X-A": "1\n2"})])
    settings.POSTSTACK["API_KEY"] = wrong_key
    with pytest.raises(ImproperlyConfigured):
        async_to_sync(asend)(message())
    settings.POSTSTACK = {}
    with pytest.raises(ImproperlyConfigured, match="POSTSTACK_API_KEY"):
        async_to_sync(asend)(message())

    assert (server.requests, SentEmail.objects.count()) == ([], 0)


def test_failures_may_be_silenced(server: Server, service: Service) -> None:
    service.status = "422 No"
    one = message(connection=EmailBackend(fail_silently=True))

    assert async_to_sync(asend)(one) == 0
    assert status_of(one).status == "refused"


# At once


def test_fifty_at_once_share_one_client(server: Server) -> None:
    fifty = [message(number) for number in range(50)]

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*map(asend, fifty))

    assert async_to_sync(all_of_them)() == [1] * 50
    assert len(server.requests) == 50
    assert server.connections <= 50
    assert len(set(SentEmail.objects.filter(status="queued").values_list("email_id", flat=True))) == 50


def test_tenants_share_the_connections(server: Server, settings: Any) -> None:
    settings.POSTSTACK["API_KEY"] = key_by_subject

    async def one_after_the_other() -> None:
        for number in range(3):
            await asend(message(number))

    async_to_sync(one_after_the_other)()

    assert len({request.header("authorization") for request in server.requests}) == 3
    assert server.connections == 1


def others_go_on(service: Service, sending: Callable[[], Any]) -> int:
    """Send while the API answers only once another coroutine has had its turn."""
    service.may_answer.clear()

    async def both() -> int:
        sent = asyncio.ensure_future(sending())
        # A loop that is held up never comes here, and the API never answers.
        await asyncio.to_thread(service.asked.wait)
        service.may_answer.set()
        count: int = await sent
        return count

    return async_to_sync(both)()


def test_the_loop_goes_on_while_the_api_takes_its_time(server: Server, service: Service) -> None:
    assert others_go_on(service, lambda: asend(message())) == 1


def test_the_loop_goes_on_with_a_client_of_the_projects_own(api: RecordingApi, service: Service, settings: Any) -> None:
    def hold_back(payload: object) -> None:
        service.asked.set()
        service.may_answer.wait()

    api.on_send = hold_back
    with configured("EMAIL_BACKEND"):
        assert others_go_on(service, lambda: asend(message())) == 1


def cancel_in_the_middle_of_the_call(one: EmailMessage, service: Service) -> None:
    service.may_answer.clear()

    async def cancel() -> None:
        task = asyncio.ensure_future(asend(one))
        await asyncio.to_thread(service.asked.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(cancel)()
    service.may_answer.set()


def test_a_task_that_is_canceled_in_the_middle_of_a_call_leaves_its_row_and_key(
    server: Server, service: Service
) -> None:
    one = message()
    cancel_in_the_middle_of_the_call(one, service)

    row = SentEmail.objects.get()
    assert (row.status, row.idempotency_key) == ("pending", status_of(one).idempotency_key)
    assert status_of(one).status == "unknown"
    assert row.idempotency_key.encode() in server.requests[0].body


def test_after_it_the_same_key_finds_the_email_again(server: Server, service: Service) -> None:
    one = message()
    cancel_in_the_middle_of_the_call(one, service)
    vars(one)["idempotency_key"] = status_of(one).idempotency_key
    async_to_sync(asend)(one)

    assert SentEmail.objects.get().status == "queued"


# The synchronous way, in a running loop


def in_a_loop(function: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return function()

    return asyncio.run(run())


def test_send_refuses_to_hold_up_a_loop(mailer: str, api: RecordingApi) -> None:
    with pytest.raises(SynchronousOnlyOperation, match="await asend_mail"):
        in_a_loop(lambda: EmailMessage(*GIVEN).send())

    assert (api.requests, SentEmail.objects.count()) == ([], 0)


def test_that_is_never_silenced(api: RecordingApi) -> None:
    with pytest.raises(SynchronousOnlyOperation):
        in_a_loop(lambda: EmailBackend(fail_silently=True).send_messages([message()]))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["option", "setting", "environment"])
def test_it_may_be_allowed(api: RecordingApi, settings: Any, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "setting":
        settings.POSTSTACK["BLOCK_EVENT_LOOP"] = True
    if how == "environment":
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    backend = EmailBackend(block_event_loop=True) if how == "option" else EmailBackend()

    assert in_a_loop(lambda: backend.send_messages([message(1), message(2)])) == 2
    assert list(SentEmail.objects.values_list("status", flat=True)) == ["queued", "queued"]


def test_a_mailer_may_refuse_although_the_setting_allows_it(api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK["BLOCK_EVENT_LOOP"] = True
    with pytest.raises(SynchronousOnlyOperation):
        in_a_loop(lambda: EmailBackend(block_event_loop=False).send_messages([message()]))
