"""The contract between Django and a backend, on every Django and in every way of configuring it."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail, send_mass_mail

from poststack import PostStackError
from poststack.transports.base import TransportTimeoutError
from poststack_django.backends import EmailBackend
from poststack_django.models import SentEmail
from poststack_django.result import status_of as possible_status_of
from poststack_django.settings import ClientSettings
from poststack_django.signals import post_send, send_failed
from poststack_django.status import Status
from tests.with_django.api import BACKEND, HAS_MAILERS, RecordingApi, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db


def test_a_message_that_was_not_sent_has_no_status() -> None:
    assert possible_status_of(message()) is None


# Through Django's own functions


def test_send_mail_sends_and_counts(mailer: str, api: RecordingApi) -> None:
    count = send_mail("Hi", "Text", "a@example.com", ["b@example.com"], html_message="<p>Text</p>")

    assert count == 1
    assert api.payload == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "subject": "Hi",
        "text": "Text",
        "html": "<p>Text</p>",
    }


def test_send_mass_mail_counts_messages_not_recipients(mailer: str, api: RecordingApi) -> None:
    to = ["b@example.com", "c@example.com"]

    assert send_mass_mail([("1", "x", "a@example.com", to), ("2", "x", "a@example.com", to)]) == 2
    assert [payload["subject"] for payload in api.payloads] == ["1", "2"]


def test_a_message_learns_its_id(mailer: str, api: RecordingApi) -> None:
    one = message()
    one.send()

    status = status_of(one)
    assert (status.id, status.status, status.test_mode, status.replayed) == ("em_1", "queued", True, False)
    assert status.idempotency_key == api.payloads[0]["idempotency_key"]


def test_a_sent_message_still_pickles_and_copies(mailer: str) -> None:
    one = message()
    one.send()

    for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert status_of(other) == status_of(one)
        assert other.subject == one.subject


def test_a_copied_backend_sends(backend: EmailBackend, api: RecordingApi) -> None:
    backend.open()

    assert copy.deepcopy(backend).send_messages([message()]) == 1


def test_only_the_status_is_added_to_the_message(mailer: str) -> None:
    one = message(headers={"X-One": "1"})
    before = {name: copy.copy(value) for name, value in vars(one).items()}
    one.send()

    after = {name: value for name, value in vars(one).items() if name not in {"connection", "_connection"}}
    before.pop("connection", None)
    before.pop("_connection", None)
    assert after == {**before, "poststack_status": status_of(one)}


def test_sending_twice_is_two_emails(mailer: str, api: RecordingApi) -> None:
    one = message()
    one.send()
    one.send()

    assert api.payloads[0]["idempotency_key"] != api.payloads[1]["idempotency_key"]
    assert SentEmail.objects.count() == 2


def test_no_warning_of_our_own(mailer: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        send_mail("Hi", "Text", "a@example.com", ["b@example.com"])

    about_us = [str(one.message) for one in caught if "poststack" in str(one.message) or "poststack" in one.filename]
    assert about_us == []


def test_fail_silently_as_an_argument(mailer: str, api: RecordingApi) -> None:
    api.will_answer(500, {"error": "Down"})

    assert send_mail("Hi", "Text", "a@example.com", ["b@example.com"], fail_silently=True) == 0


def test_credentials_that_callers_pass_are_ignored(api: RecordingApi) -> None:
    with configured("EMAIL_BACKEND"):
        sent = send_mail("Hi", "x", "a@example.com", ["b@example.com"], auth_user="u", auth_password="p")

    assert sent == 1


# The constructor


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_options_of_a_mailer(api: RecordingApi) -> None:
    with configured("MAILERS", fail_silently=True):
        api.will_refuse("Subject 1", "Domain not verified")
        connection: Any = mail.mailers.default

        assert connection.alias == "default"
        assert connection.send_messages([message(1), message(2)]) == 1
    assert list(SentEmail.objects.order_by("id").values_list("mailer", "status")) == [
        ("default", "refused"),
        ("default", "queued"),
    ]


def test_a_mailer_may_lift_the_deadline_of_the_settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.POSTSTACK = {"API_KEY": "sk_test_x", "DEADLINE": 5}
    made: list[ClientSettings | None] = []
    monkeypatch.setattr("poststack_django.backends.email.get_client", made.append)
    for backend in (EmailBackend(), EmailBackend(deadline=7), EmailBackend(deadline=None)):
        backend.open()

    assert [one and one.deadline for one in made] == [5, 7, None]


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize("options", [{"apikey": "x"}, {"username": "x"}, {"password": "x"}])
def test_an_unknown_option_of_a_mailer_is_refused(api: RecordingApi, options: dict[str, str]) -> None:
    with configured("MAILERS", **options), pytest.raises(ImproperlyConfigured, match="MAILERS"):
        mail.mailers.default  # noqa: B018


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_a_mailer_without_a_key_names_itself(settings: Any) -> None:
    settings.POSTSTACK = {}
    with configured("MAILERS"), pytest.raises(ImproperlyConfigured, match=r"MAILERS\['default'\].*API key"):
        send_mail("Hi", "Text", "a@example.com", ["b@example.com"])


def test_without_a_mailer_there_is_no_alias(backend: EmailBackend) -> None:
    assert backend.alias is None


def test_wrong_settings_are_never_silenced(settings: Any) -> None:
    settings.POSTSTACK = {}

    with pytest.raises(ImproperlyConfigured, match="POSTSTACK_API_KEY"):
        EmailBackend(fail_silently=True).send_messages([message()])


# open, close, send_messages


def test_open_says_whether_it_opened(backend: EmailBackend) -> None:
    assert (backend.open(), backend.open()) == (True, False)
    backend.close()
    backend.close()
    assert backend.open() is True


def test_closing_an_unopened_backend_is_harmless(backend: EmailBackend) -> None:
    backend.close()


class Watched(EmailBackend):
    """Counts how often it was opened and closed."""

    opened = closed = 0

    def open(self) -> bool:
        self.opened += 1
        return super().open()

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_what_was_opened_for_sending_is_closed(api: RecordingApi) -> None:
    watched = Watched()
    watched.send_messages([message(1), message(2)])

    assert (watched.opened, watched.closed) == (1, 1)


def test_it_is_closed_after_a_failure_too(api: RecordingApi) -> None:
    api.will_answer(422, {"error": "No"})
    watched = Watched()
    with pytest.raises(PostStackError):
        watched.send_messages([message()])

    assert watched.closed == 1


def test_what_the_caller_opened_stays_open(api: RecordingApi) -> None:
    with Watched() as watched:
        watched.send_messages([message()])

        assert watched.closed == 0
    assert watched.closed == 1


def test_nothing_is_sent_when_opening_failed_silently(api: RecordingApi) -> None:
    class Unopened(EmailBackend):
        def open(self) -> bool:
            return False

    assert Unopened().send_messages([message()]) == 0
    assert api.payloads == []


def test_nothing_to_send_opens_nothing(api: RecordingApi) -> None:
    watched = Watched()

    assert watched.send_messages([]) == 0
    assert watched.send_messages([message(to=[])]) == 0
    assert watched.opened == 0


def test_an_iterator_is_read_once(backend: EmailBackend) -> None:
    messages: Any = (message(number) for number in range(3))

    assert backend.send_messages(messages) == 3


def test_a_message_without_recipients_is_skipped(backend: EmailBackend, api: RecordingApi) -> None:
    assert backend.send_messages([message(1, to=[]), message(2)]) == 1
    assert api.payload["subject"] == "Subject 2"


def test_two_threads_may_share_one_backend(backend: EmailBackend, api: RecordingApi, settings: Any) -> None:
    settings.POSTSTACK = {**settings.POSTSTACK, "RECORD": False}
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(backend.send_messages([message(n) for n in range(5)])))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [5, 5, 5, 5]
    assert len(api.payloads) == 20


# Failures


def test_a_silenced_failure_is_still_noticed(
    api: RecordingApi, told: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    api.will_raise(TransportTimeoutError("read timed out"))
    one = message()

    assert EmailBackend(fail_silently=True).send_messages([one]) == 0
    assert status_of(one).status == "unknown"
    assert [(one["status"].status, one["signal"]) for one in told] == [("unknown", send_failed)]
    assert "PostStackTimeoutError" in caplog.text
    assert "b@example.com" not in caplog.text
    assert all(record.levelname != "ERROR" for record in caplog.records)


def test_messages_that_cannot_be_said_are_never_silenced(api: RecordingApi) -> None:
    with pytest.raises(ValueError, match="line break"):
        EmailBackend(fail_silently=True).send_messages([message(headers={"X-A": "1\n2"})])

    assert api.payloads == []
    assert SentEmail.objects.count() == 0


def test_what_the_client_refuses_is_stored_as_refused(settings: Any) -> None:
    class Strict:
        def __init__(self) -> None:
            self.emails = self

        def send(self, input: object, /) -> object:
            raise ValueError("wrong")

    settings.POSTSTACK = {"CLIENT": Strict}
    with pytest.raises(ValueError, match="wrong"):
        EmailBackend().send_messages([message()])

    assert SentEmail.objects.get().status == Status.REFUSED


def test_a_client_that_breaks_leaves_the_email_unconfirmed(settings: Any) -> None:
    class Broken:
        def __init__(self) -> None:
            self.emails = self

        def send(self, input: object, /) -> object:
            raise RuntimeError("bug")

    settings.POSTSTACK = {"CLIENT": Broken}
    with pytest.raises(RuntimeError):
        EmailBackend().send_messages([message()])

    assert SentEmail.objects.get().status == Status.UNKNOWN


def test_a_receiver_that_raises_turns_no_sent_mail_into_an_error(
    backend: EmailBackend, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(**_: Any) -> None:
        raise RuntimeError("receiver")

    post_send.connect(bad)
    try:
        assert backend.send_messages([message()]) == 1
    finally:
        post_send.disconnect(bad)
    assert [(record.levelname, record.name) for record in caplog.records] == [("WARNING", "poststack.django")]


def test_the_dotted_path_is_the_documented_one() -> None:
    from django.utils.module_loading import import_string

    assert import_string(BACKEND) is EmailBackend
    assert EmailBackend.__name__ == "EmailBackend"
