"""Brevo's transactional webhooks, with samples as its documentation has them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from poststack.errors import WebhookSignatureError
from poststack.events import WebhookEvent
from poststack.providers.events import BrevoEvents
from poststack.receiving import WebhookReceiver
from tests.providers.events.calls import as_json, basic

SENT_AS = "201798300811.5787683@relay.domain.com"
COMMON: dict[str, Any] = {
    "email": "ann@example.net",
    "id": 26_224,
    "date": "2020-10-09 00:00:00",
    "ts": 1_604_933_619,
    "message-id": f"<{SENT_AS}>",
    "ts_event": 1_604_933_654,
    "subject": "My first Transactional",
    "X-Mailin-custom": '{"order": "17"}',
    "sending_ip": "185.41.28.109",
    "template_id": 22,
    "tag": '["transactionalTag"]',
    "ts_epoch": 1_604_933_653_000,
    "tags": ["transactionalTag"],
    "mirror_link": "https://app-smtp.brevo.com/log/preview/1a2000f4-4e33-23aa-ab68-900dxxx9152c",
    "contact_id": 8,
}
DELIVERED = {**COMMON, "event": "delivered"}
BOUNCED = {**COMMON, "event": "hard_bounce", "reason": "550 5.1.1 <ann@example.net>: user unknown"}
CLICKED = {
    **COMMON, "event": "click", "link": "https://example.com/a", "user_agent": "Mozilla/5.0", "device_used": "DESKTOP",
}  # fmt: skip
CREDENTIALS = {"Authorization": "Bearer secret-of-the-hook"}


@pytest.fixture
def source() -> BrevoEvents:
    return BrevoEvents(token="secret-of-the-hook")


def read(source: BrevoEvents, sample: object) -> WebhookEvent:
    [event] = source.read(as_json(sample), CREDENTIALS)
    return event


@pytest.mark.parametrize(
    ("event", "type", "says"),
    [
        ("request", "email.queued", {}),
        ("sent", "email.queued", {}),
        ("delivered", "email.delivered", {}),
        ("deferred", "email.deferred", {}),
        ("hard_bounce", "email.bounced", {"bounce_class": "hard"}),
        ("hardBounce", "email.bounced", {"bounce_class": "hard", "event": "hardBounce"}),
        ("soft_bounce", "email.soft_bounced", {"bounce_class": "soft"}),
        ("softBounce", "email.soft_bounced", {"bounce_class": "soft"}),
        ("invalid_email", "email.bounced", {"bounce_class": "hard"}),
        ("blocked", "email.failed", {"reason": "rejected"}),
        ("error", "email.failed", {"reason": "failed"}),
        ("opened", "email.opened", {}),
        ("unique_opened", "email.opened", {}),
        ("uniqueOpened", "email.opened", {}),
        ("proxy_open", "email.opened", {"machine": True}),
        ("uniqueProxyOpen", "email.opened", {"machine": True}),
        ("click", "email.clicked", {}),
        ("spam", "email.complained", {}),
        ("complaint", "email.complained", {}),
        ("unsubscribe", "email.unsubscribed", {}),
        ("unsubscribed", "email.unsubscribed", {}),
        ("list_addition", "email.unknown", {}),
    ],
)
def test_each_event_has_its_type(source: BrevoEvents, event: str, type: str, says: dict[str, Any]) -> None:
    sample = {**COMMON, "event": event}
    found = read(source, sample)

    assert found.type == type
    assert found.timestamp == datetime(2020, 11, 9, 14, 54, 13, tzinfo=timezone.utc)
    assert found.email_id == found.data["email_id"] == found.data["message_id"] == SENT_AS
    assert found.data["recipient"] == "ann@example.net"
    assert (found.data["tags"], found.data["metadata"]) == (["transactionalTag"], {"order": "17"})
    assert {name: found.data[name] for name in says} == says
    assert (found.data["provider"], found.data["raw"]) == ("brevo", sample)


def test_a_bounce_says_what_the_server_said(source: BrevoEvents) -> None:
    data = read(source, BOUNCED).data

    assert (data["smtp_code"], data["enhanced_code"], data["reason"]) == (550, "5.1.1", BOUNCED["reason"])


def test_a_click_says_where(source: BrevoEvents) -> None:
    data = read(source, CLICKED).data

    assert (data["url"], data["user_agent"]) == ("https://example.com/a", "Mozilla/5.0")
    assert "ip" not in data  # The one that Brevo names sent the e-mail.


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"ts_epoch": 1_604_933_653}, 1_604_933_653),  # As in an example, against what its text says.
        ({"ts_epoch": 1_604_933_653_250}, 1_604_933_653.25),
        ({"ts_epoch": "1604933653"}, 1_604_933_653),
        ({"ts_epoch": None}, 1_604_933_654),
        ({"ts_epoch": "soon", "ts_event": None}, 1_604_933_619),
        ({"ts_epoch": 0, "ts_event": 10**400, "ts": -1}, None),
    ],
)
def test_the_time_is_read_in_whatever_unit_it_comes(
    source: BrevoEvents, times: dict[str, Any], at: float | None
) -> None:
    found = read(source, {**DELIVERED, **times}).timestamp

    assert (found and found.timestamp()) == at


@pytest.mark.parametrize(
    ("told", "tags"),
    [
        ({"tags": ["a", "b"]}, ["a", "b"]),
        ({"tags": None, "tag": '["a","b"]'}, ["a", "b"]),
        ({"tags": None, "tag": "the name of a template"}, ["the name of a template"]),
        ({"tags": None, "tag": "[broken"}, []),
        ({"tags": [], "tag": ""}, []),
        ({"tags": [7], "tag": 7}, []),
    ],
)
def test_tags_come_in_several_shapes(source: BrevoEvents, told: dict[str, Any], tags: list[str]) -> None:
    assert read(source, {**DELIVERED, **told}).data["tags"] == tags


@pytest.mark.parametrize(
    ("told", "metadata"),
    [
        ('{"order": "17"}', {"order": "17"}),
        ({"order": "17"}, {"order": "17"}),
        ("order:17", {"X-Mailin-custom": "order:17"}),
        ("{broken", {"X-Mailin-custom": "{broken"}),
        ("", {}),
        (7, {}),
    ],
)
def test_metadata_is_json_in_a_header(source: BrevoEvents, told: object, metadata: dict[str, Any]) -> None:
    assert read(source, {**DELIVERED, "X-Mailin-custom": told}).data["metadata"] == metadata


@pytest.mark.parametrize("message_id", [SENT_AS, f"<{SENT_AS}>", f" <{SENT_AS}> "])
def test_the_message_id_may_lack_its_brackets(source: BrevoEvents, message_id: str) -> None:
    assert read(source, {**DELIVERED, "message-id": message_id}).email_id == SENT_AS


def test_ids_are_the_same_when_brevo_repeats_and_no_others_are(source: BrevoEvents) -> None:
    samples = [
        DELIVERED, BOUNCED, CLICKED, {**CLICKED, "link": "https://example.com/b"},
        {**DELIVERED, "email": "bob@example.net"}, {**DELIVERED, "ts_epoch": 1_604_933_654_000},
        {**DELIVERED, "message-id": "<other@relay.domain.com>"},
    ]  # fmt: skip
    ids = [read(source, sample).id for sample in samples]

    assert ids == [read(source, {**sample, "contact_id": 9}).id for sample in samples]
    assert len(set(ids)) == len(ids)
    # `id` is the webhook's.
    assert read(source, {**DELIVERED, "id": 7, "message-id": SENT_AS}).id == ids[0]


@pytest.mark.parametrize("body", [[DELIVERED, CLICKED], {"events": [DELIVERED, CLICKED], "count": 2, "more": []}])
def test_a_batch_is_read_however_it_is_wrapped(source: BrevoEvents, body: object) -> None:
    events = source.read(as_json(body), CREDENTIALS)

    assert [event.type for event in events] == ["email.delivered", "email.clicked"]


@pytest.mark.parametrize("body", [b"", b"7", b"{}", b'{"a": [], "b": []}', b"[7]", b'{"a": [{}], "b": [{}]}'])
def test_what_is_no_event_is_refused(source: BrevoEvents, body: bytes) -> None:
    assert WebhookReceiver(source=source).receive(body, headers=CREDENTIALS).status == 400


def test_an_empty_batch_is_no_error(source: BrevoEvents) -> None:
    assert source.read(b"[]", CREDENTIALS) == []


@pytest.mark.parametrize(
    ("settings", "right"),
    [
        ({"token": "abc"}, {"authorization": "Bearer abc"}),
        ({"username": "brevo", "password": "abc"}, basic("brevo", "abc")),
        ({"headers": {"X-Hook-Key": "abc"}}, {"X-Hook-Key": "abc"}),
    ],
)
def test_every_kind_of_credentials_is_asked_for(settings: dict[str, Any], right: dict[str, str]) -> None:
    source = BrevoEvents(**settings)

    assert len(source.read(as_json(DELIVERED), right)) == 1
    for wrong in ({}, {name: value + "d" for name, value in right.items()}):
        with pytest.raises(WebhookSignatureError):
            source.read(as_json(DELIVERED), wrong)
    challenge = WebhookReceiver(source=source).receive(as_json(DELIVERED), headers={}).headers
    assert bool(challenge) == ("password" in settings)


@pytest.mark.parametrize(
    "settings", [{}, {"token": ""}, {"headers": {}}, {"token": "abc", "username": "brevo", "password": "abc"}]
)
def test_settings_that_cannot_be_are_refused_at_once(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Brevo"):
        BrevoEvents(**settings)
