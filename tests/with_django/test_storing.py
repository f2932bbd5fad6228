"""What is stored of people, as the settings say, and what never reaches a log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError

from poststack import PostStackError
from poststack_django import records
from poststack_django.backends import EmailBackend
from poststack_django.models import EmailContent, EmailRecipient, SentEmail
from poststack_django.privacy import fingerprint
from tests.with_django.messages import message

if TYPE_CHECKING:
    from tests.with_django.api import RecordingApi

pytestmark = pytest.mark.django_db


def send(settings: Any, **stored: Any) -> SentEmail:
    settings.POSTSTACK |= stored
    EmailBackend().send_messages([message(to=["Bea <B@example.com>"], cc=["c@example.com"], bcc=["d@example.com"])])
    return SentEmail.objects.get()


def everything() -> str:
    tables = (SentEmail.objects.values(), EmailRecipient.objects.values(), EmailContent.objects.values())
    return "".join(repr(list(rows)) for rows in tables)


def test_addresses_and_subjects_are_stored_unless_told_otherwise(api: RecordingApi, settings: Any) -> None:
    row = send(settings)

    assert row.to == ["Bea <B@example.com>"]
    assert row.subject == "Subject 1"
    assert "Body" not in everything()


def test_hashed_addresses_are_found_and_not_read(api: RecordingApi, settings: Any) -> None:
    row = send(settings, STORE_RECIPIENTS="hashed")

    assert row.to == [fingerprint("b@example.com")]
    assert SentEmail.objects.sent_to("Bea <b@EXAMPLE.com>").get() == row
    assert SentEmail.objects.sent_to("d@example.com").get() == row
    assert not any(address in everything().lower() for address in ("b@example.com", "c@example.com", "d@example.com"))
    assert "Bea" not in everything()


def test_no_recipients_are_stored(api: RecordingApi, settings: Any) -> None:
    row = send(settings, STORE_RECIPIENTS="none")

    assert row.recipients.count() == 0
    assert (row.status, row.to) == ("queued", [])
    assert SentEmail.objects.sent_to("b@example.com").count() == 0


def test_those_left_out_are_hashed_too(api: RecordingApi, settings: Any) -> None:
    send(settings, STORE_RECIPIENTS="hashed", ALLOWED_RECIPIENTS=["c@example.com"])

    assert dict(EmailRecipient.objects.values_list("address", "status")) == {
        fingerprint("b@example.com"): "withheld",
        fingerprint("c@example.com"): "queued",
        fingerprint("d@example.com"): "withheld",
    }


def test_subjects_need_not_be_stored(api: RecordingApi, settings: Any) -> None:
    assert send(settings, STORE_SUBJECTS=False).subject == ""
    assert "Subject" not in everything()


def test_bodies_are_stored_when_the_settings_say_so(api: RecordingApi, settings: Any) -> None:
    row = send(settings, STORE_BODIES=True)

    assert json.loads(row.content.payload)["text"] == "Body"


def test_the_apis_text_about_an_address_is_stored_as_addresses_are(api: RecordingApi, settings: Any) -> None:
    api.will_answer(422, {"error": "Recipient b@example.com is blocked"})
    with pytest.raises(PostStackError):
        send(settings, STORE_RECIPIENTS="hashed")

    assert SentEmail.objects.get().error == f"Recipient {fingerprint('b@example.com')} is blocked"


@pytest.mark.parametrize("refused", [False, True])
def test_no_log_names_anybody(
    api: RecordingApi, settings: Any, caplog: pytest.LogCaptureFixture, refused: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.POSTSTACK["ALLOWED_RECIPIENTS"] = ["*@example.com"]
    if refused:
        api.will_answer(422, {"error": "Recipient b@example.com is blocked"})
    one = message(to=["b@example.com", "b@example.org"])
    EmailBackend(fail_silently=True).send_messages([one, message(to=["x@example.org"])])

    assert caplog.records
    assert "@example" not in caplog.text
    assert "Subject" not in caplog.text


def test_a_database_that_quotes_the_row_is_not_quoted(
    api: RecordingApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise IntegrityError("DETAIL: Failing row contains (1, b@example.com)")

    monkeypatch.setattr(records, "record_attempts", refuse)

    assert EmailBackend().send_messages([message()]) == 1
    assert "IntegrityError" in caplog.text
    assert "b@example.com" not in caplog.text


def test_one_id_that_the_table_does_not_take_costs_no_other_message_its_id(
    api: RecordingApi, caplog: pytest.LogCaptureFixture
) -> None:
    SentEmail.objects.create(idempotency_key="before", email_id="em_2", from_email="a@example.com")

    assert EmailBackend().send_messages([message(n) for n in range(3)]) == 3
    ids = SentEmail.objects.exclude(idempotency_key="before").order_by("id").values_list("email_id", "status")
    assert list(ids) == [("em_1", "queued"), (None, "pending"), ("em_3", "queued")]
    assert "Storing the id em_1, em_2, em_3 failed with IntegrityError" in caplog.text


def test_an_id_of_any_length_is_stored(api: RecordingApi) -> None:
    api.will_answer(202, {"id": "em_" + "x" * 300})
    EmailBackend().send_messages([message()])

    assert SentEmail.objects.get().email_id == ("em_" + "x" * 300)[:255]
