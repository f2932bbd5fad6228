"""The constructor's options in every way of configuring Django, and what Django itself sends."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mail_admins, mail_managers
from django.test import override_settings
from django.utils.functional import lazystr

from poststack_django.backends import EmailBackend
from poststack_django.checks import check_mailers
from poststack_django.models import SentEmail
from poststack_django.stored import backend_of, client_of
from tests.with_django.api import HAS_MAILERS, configured
from tests.with_django.messages import message, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db

OPTIONS: dict[str, Any] = {
    "send_defaults": {"tags": ["shop"], "headers": {"X-Shop": "1"}},
    "allowed_recipients": ["*@example.com"],
    "redirect_to": "test@example.com",
    "block_event_loop": True,
    "fail_silently": True,
}


@pytest.fixture
def caught() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found


def about_us(found: list[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in found if "poststack" in f"{one.message} {one.filename}"]


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_options_of_a_mailer_give_no_warning(api: RecordingApi, caught: list[warnings.WarningMessage]) -> None:
    with configured("MAILERS", **OPTIONS):
        mail.mailers.default.send_messages([message(), message(to=["x@example.org"])])
        assert check_mailers() == []

    assert about_us(caught) == []
    assert [(one["to"], one["tags"]) for one in api.payloads] == [
        (["b@example.com"], ["shop"]),
        (["test@example.com"], ["shop"]),
    ]


def test_options_as_arguments_give_no_warning(api: RecordingApi, caught: list[warnings.WarningMessage]) -> None:
    with configured("EMAIL_BACKEND"):
        EmailBackend(**OPTIONS).send_messages([message()])
        assert check_mailers() == []

    assert about_us(caught) == []


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize("name", ["tags", "apikey", "allow", "client", "record"])
def test_an_unknown_option_is_refused(api: RecordingApi, name: str) -> None:
    with configured("MAILERS", **{name: "x"}), pytest.raises(mail.InvalidMailer, match=name):
        mail.mailers.default  # noqa: B018


def test_reports_to_admins_and_managers_leave(mailer: str, api: RecordingApi) -> None:
    lazy: Any = lazystr("ada@example.com")
    people = [lazy] if django.VERSION >= (6, 0) else [("Ada", lazy)]
    with override_settings(ADMINS=people, MANAGERS=people, SERVER_EMAIL=lazystr("server@example.com")):
        mail_admins(lazystr("Error"), "Body", html_message="<p>Body</p>")
        mail_managers("Link", lazystr("Body"))

    assert [(one["subject"], one["to"], one["from"]) for one in api.payloads] == [
        ("[Django] Error", ["ada@example.com"], "server@example.com"),
        ("[Django] Link", ["ada@example.com"], "server@example.com"),
    ]


def test_a_message_decides_itself_whether_it_has_recipients(backend: EmailBackend, api: RecordingApi) -> None:
    class Muted(mail.EmailMessage):
        def recipients(self) -> list[str]:
            return []

    muted = Muted("Subject", "Body", "a@example.com", ["b@example.com"])

    assert backend.send_messages([muted, message()]) == 1
    assert len(api.payloads) == 1


def test_everything_lazy_becomes_text(backend: EmailBackend, api: RecordingApi) -> None:
    one: Any = message(
        to=[lazystr("b@example.com")],
        cc=[lazystr("Cee <c@example.com>")],
        bcc=[lazystr("d@example.com")],
        reply_to=[lazystr("e@example.com")],
        headers={"X-A": lazystr("1"), "X-B": 7},
    )
    one.subject, one.body, one.from_email = lazystr("Subject"), lazystr("Body"), lazystr("a@example.com")
    one.attach(lazystr("a.txt"), "content", lazystr("text/plain"))
    backend.send_messages([one])

    assert api.payload == {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "cc": ["Cee <c@example.com>"],
        "bcc": ["d@example.com"],
        "reply_to": "e@example.com",
        "subject": "Subject",
        "text": "Body",
        "headers": {"X-A": "1", "X-B": "7"},
        "attachments": [{"filename": "a.txt", "content": "Y29udGVudA==", "content_type": "text/plain"}],
    }


@pytest.mark.parametrize("value", [b"x", ["x"], {"x": 1}])
def test_a_header_that_is_no_text_is_refused(backend: EmailBackend, value: object) -> None:
    with pytest.raises(ValueError, match="is text"):
        backend.send_messages([message(headers={"X-A": value})])


# Back from a row


class Own(EmailBackend):
    """A project's backend with a client of its own."""

    def client_for(self, configuration: object) -> Any:
        return OWN_CLIENT


OWN_CLIENT = object()


def test_the_client_of_a_row_is_that_of_the_projects_backend(api: RecordingApi) -> None:
    row = SentEmail.objects.create(idempotency_key="k", from_email="a@example.com")
    with configured("EMAIL_BACKEND", backend=f"{__name__}.Own"):
        assert client_of(row) is OWN_CLIENT


@pytest.mark.skipif(not HAS_MAILERS, reason="MAILERS came with Django 6.1")
def test_rows_from_before_mailers_are_still_sent(api: RecordingApi) -> None:
    row = SentEmail.objects.create(idempotency_key="k", from_email="a@example.com")
    with configured("MAILERS"):
        assert type(backend_of(row)) is EmailBackend


# The database


@pytest.mark.parametrize("missing", ["before", "after", "failing"])
def test_a_database_that_fails_stops_no_call(
    backend: EmailBackend,
    api: RecordingApi,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    missing: str,
) -> None:
    from django.db import OperationalError
    from django.db.models import QuerySet

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection")

    def goes_down(payload: object) -> None:
        for name in ("bulk_create", "update", "filter"):
            monkeypatch.setattr(QuerySet, name, down)

    if missing == "before":
        goes_down(None)
    else:
        api.on_send = goes_down
    if missing == "failing":
        api.will_refuse("Subject 1", "No")
    two = [message(1), message(2)]
    if missing == "failing":
        assert EmailBackend(fail_silently=True).send_messages(two) == 1
    else:
        assert backend.send_messages(two) == 2

    assert [status_of(one).status for one in two] == ["refused" if missing == "failing" else "queued", "queued"]
    assert "failed with OperationalError" in caplog.text


def test_a_wrong_option_without_mailers_is_a_wrong_configuration(api: RecordingApi) -> None:
    with pytest.raises(ImproperlyConfigured):
        EmailBackend(allowed_recipients=[7]).open()  # type: ignore[list-item]  # wrong on purpose
