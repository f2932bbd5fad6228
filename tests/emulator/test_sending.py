"""What is accepted, what is refused, and in which words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from poststack.emulator.settings import Settings
from tests.emulator.app import App


def test_an_accepted_email_is_answered_with_its_public_id(app: App) -> None:
    reply = app.send()

    assert reply.status == 202
    assert reply.json == {"id": reply.json["id"], "test_mode": True}
    assert reply.json["id"].startswith("em_")
    assert reply.headers["x-request-id"].startswith("req_")


def test_a_quoted_name_may_hold_whatever_separates_addresses(app: App) -> None:
    email = app.email(app.sent(**{"from": '"Byron, \\"Ada\\" <3" <ada@example.com>'}))

    assert (email["fromName"], email["fromAddress"]) == ('Byron, "Ada" <3', "ada@example.com")


def test_the_alias_sends_as_well(app: App) -> None:
    payload = {"from": "a@example.com", "to": ["b@example.com"], "subject": "", "html": ""}

    assert app.post("/emails/send", payload).status == 202


def test_an_email_is_served_in_camel_case(app: App) -> None:
    email_id = app.sent(
        to=["Ada <ada@gmail.com>", "ADA@gmail.com"],
        cc=["c@example.com"],
        bcc=["b@example.com"],
        reply_to="Help <help@example.com>",
        html="<p>Hello</p>",
        headers={"X-Order": "7"},
        tags=["receipt"],
        unsubscribe=True,
        tracking={"opens": False, "clicks": True},
        signature="none",
    )
    email = app.email(email_id)

    assert {name: email[name] for name in email if name not in {"id", "createdAt", "events"}} == {
        "publicId": email_id,
        "fromAddress": "shop@example.com",
        "fromName": "Shop",
        "toAddresses": ["ada@gmail.com"],
        "ccAddresses": ["c@example.com"],
        "bccAddresses": ["b@example.com"],
        "replyTo": ["Help <help@example.com>"],
        "subject": "Hi",
        "headers": {"X-Order": "7"},
        "tags": ["receipt"],
        "status": "queued",
        "testMode": True,
        "recipientProvider": "gmail",
        "unsubscribeEnabled": True,
        "spamScore": "0.00",
        "spamWarnings": None,
        "scheduledAt": None,
        "sentAt": None,
        "htmlBody": "<p>Hello</p>",
        "textBody": "Hello",
    }
    assert email["createdAt"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"from": ...}, 400),
        ({"from": ""}, 400),
        ({"from": 7}, 400),
        ({"to": ...}, 400),
        ({"to": []}, 400),
        ({"to": [7]}, 400),
        ({"to": {"a": "b"}}, 400),
        ({"to": "ada@example.com"}, 422),
        ({"to": ["nobody"]}, 422),
        ({"to": ["a@b@example.com"]}, 422),
        ({"to": ["Ada <>"]}, 422),
        ({"to": ["ada@example.com, Bob <bob@example.com>"]}, 422),
        ({"to": ["a" * 2000 + "@example.com"]}, 422),
        ({"to": [f"a{number}@example.com" for number in range(51)]}, 422),
        ({"cc": ["a@example.com\r\nBcc: b@example.com"]}, 422),
        ({"reply_to": ""}, 400),
        ({"reply_to": ["a@example.com"]}, 400),
        ({"subject": ...}, 400),
        ({"subject": None}, 400),
        ({"subject": "a\nb"}, 422),
        ({"subject": "a\0b"}, 422),
        ({"subject": "x" * 999}, 422),
        ({"text": ...}, 400),
        ({"html": 1}, 400),
        ({"headers": []}, 400),
        ({"headers": {"X": 1}}, 400),
        ({"to": ["a" * 65 + "@example.com"]}, 422),
        ({"to": ["é" * 33 + "@example.com"]}, 422),
        ({"headers": {"X Y": "1"}}, 422),
        ({"headers": {"X": "a\r\nY: b"}}, 422),
        ({"headers": {f"X-{number}": "" for number in range(201)}}, 422),
        ({"tags": "welcome"}, 400),
        ({"tags": ["x"] * 101}, 422),
        ({"tags": ["x" * 257]}, 422),
        ({"tags": ["a\nb"]}, 422),
        ({"unsubscribe": "yes"}, 400),
        ({"tracking": {"opens": 1}}, 400),
        ({"signature": "always"}, 422),
        ({"scheduled_at": "tomorrow"}, 422),
        ({"scheduled_at": 7}, 400),
        ({"scheduled_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"scheduled_at": "9999-12-31T23:59:59-14:00"}, 422),
        ({"template_id": "tpl_unknown"}, 422),
        ({"variables": {"a": 1}}, 400),
        ({"idempotency_key": ""}, 422),
        ({"idempotency_key": "x" * 256}, 422),
        ({"idempotency_key": "a\nb"}, 422),
        ({"attachments": {}}, 400),
        ({"attachments": ["file"]}, 400),
        ({"attachments": [{"content": "aGk="}]}, 400),
        ({"attachments": [{"filename": "a.txt"}]}, 400),
        ({"attachments": [{"filename": "a.txt", "content": "?"}]}, 422),
        ({"attachments": [{"filename": "a\n.txt", "content": ""}]}, 422),
        ({"attachments": [{"filename": "a.txt", "content": "", "content_type": "text"}]}, 422),
        ({"attachments": [{"filename": "a.txt", "content": "", "content_type": "a/b\r\nc: d"}]}, 422),
        ({"attachments": [{"filename": "a.txt", "content": "", "content_id": "<a>"}]}, 422),
        ({"attachments": [{"filename": "a.txt", "content": ""}] * 501}, 422),
    ],
)  # fmt: skip
def test_a_bad_payload_is_refused_with_the_right_code(app: App, changes: dict[str, Any], status: int) -> None:
    reply = app.send(**changes)

    assert reply.error == (status, {400: "invalid_request", 422: "unprocessable_entity"}[status])
    assert app.emulator.store.total == 0


@pytest.mark.parametrize(
    "address", ["a@localhost", "a@shop.local", "ü@bücher.example", '"q q"@example.com', "a@x.test"]
)
def test_addresses_of_development_are_accepted(app: App, address: str) -> None:
    refused = address == '"q q"@example.com'

    assert (app.send(to=[address]).status == 422) == refused


def test_a_quoted_name_is_unquoted(app: App) -> None:
    email = app.email(app.sent(**{"from": '"Doe, \\"J\\"" <j@example.com>'}))

    assert (email["fromName"], email["fromAddress"]) == ('Doe, "J"', "j@example.com")


def test_attachments_are_decoded_and_kept_out_of_the_payload(app: App) -> None:
    email_id = app.sent(
        attachments=[
            {"filename": "a.pdf", "content": base64.encodebytes(b"x" * 100).decode()},
            {"filename": "logo", "content": "aGk=", "content_type": "image/png; v=1", "content_id": "logo"},
            {"filename": "unknown", "content": ""},
        ]
    )
    email = app.emulator.store.email(email_id)

    assert email is not None
    files = email.message.attachments
    assert [(file.filename, file.size, file.content_type, file.inline) for file in files] == [
        ("a.pdf", 100, "application/pdf", False),
        ("logo", 2, "image/png; v=1", True),
        ("unknown", 0, "application/octet-stream", False),
    ]
    assert email.message.payload["attachments"][1]["content"] == "(4 characters of base64)"


@pytest.mark.parametrize(("sizes", "status"), [((10 * 2**20,), 202), ((10 * 2**20 + 1,), 422), ((9 * 2**20,) * 3, 422)])
def test_attachments_have_a_limit_each_and_together(app: App, sizes: tuple[int, ...], status: int) -> None:
    files = [{"filename": "a", "content": base64.b64encode(bytes(size)).decode()} for size in sizes]

    assert app.send(attachments=files).status == status


def test_only_verified_domains_may_send_when_they_are_listed() -> None:
    app = App(Settings(domains=("Shop.example",)))

    refused = app.send()

    assert refused.json == {"error": "Domain not verified", "code": "unprocessable_entity"}
    assert app.send(**{"from": "a@SHOP.example"}).status == 202


def test_a_batch_answers_each_element(app: App) -> None:
    good = {"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}
    reply = app.post("/emails/batch", {"emails": [good, {**good, "to": ["nobody"]}, 7, {**good, "subject": "Two"}]})

    assert reply.status == 202
    assert [sorted(element) for element in reply.json["data"]] == [["id"], ["error"], ["error"], ["id"]]
    assert [email.message.subject for email in app.emulator.store.accepted()] == ["Hi", "Two"]


def test_a_batch_has_one_to_a_hundred_elements(app: App) -> None:
    cases: list[tuple[object, int]] = [(None, 400), ({}, 400), ([], 422), ([{}] * 101, 422)]

    assert [app.post("/emails/batch", {"emails": emails}).status for emails, _ in cases] == [
        status for _, status in cases
    ]


def test_previews_keep_nothing(app: App) -> None:
    payload = {
        "from": "a@example.com",
        "to": ["b@example.com"],
        "subject": "WIN FREE MONEY {{name}}!!",
        "html": '<img src="x"><a href="http://1.2.3.4/">click here</a>',
        "variables": {"name": "ADA & CO"},
    }
    preview = app.post("/emails/preview", payload).json
    report = app.post("/emails/spam-preview", payload).json

    assert preview["rendered_subject"] == "WIN FREE MONEY ADA & CO!!"
    assert preview["rendered_text"] is None
    assert preview["size"] == {"html_bytes": len(payload["html"]), "text_bytes": 0}
    assert [warning["code"] for warning in preview["warnings"]] == [
        "missing_text",
        "image_without_alt",
        "insecure_link",
    ]
    assert report == preview["spam"]
    assert report["action"] == "add_header"
    assert {symbol["name"] for symbol in report["symbols"]} == {
        "SUBJECT_ALL_CAPS",
        "SUBJECT_EXCLAIMS",
        "PUSHY_WORDS",
        "NUMERIC_LINK",
    }
    assert app.emulator.store.total == 0
    assert app.post("/emails/preview", {**payload, "to": ["b@example.com"] * 6}).status == 422


def test_insights_speak_about_a_sent_email(app: App) -> None:
    email_id = app.sent(subject="x" * 79, html="<p>{{name}}</p>" + "y" * 110_000)
    codes = [warning["code"] for warning in app.get(f"/emails/{email_id}/insights").json["warnings"]]

    assert codes == ["html_too_large", "long_subject", "unfilled_variable"]


@pytest.mark.parametrize("local", ["a" * 64, "é" * 32])
def test_a_local_part_has_up_to_64_bytes(app: App, local: str) -> None:
    assert app.send(to=[f"{local}@example.com"]).status == 202


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("From", "Use `from`"),
        ("to", "Use `to`"),
        ("CC", "Use `cc`"),
        ("Bcc", "Use `bcc`"),
        ("Reply-To", "Use `reply_to`"),
        ("Subject", "Use `subject`"),
        ("Content-Type", "Leave it out"),
        ("content-transfer-encoding", "Leave it out"),
        ("Content-Disposition", "Leave it out"),
        ("Content-ID", "Leave it out"),
        ("MIME-Version", "Leave it out"),
        ("DKIM-Signature", "Leave it out"),
        ("Received", "Leave it out"),
        ("Return-Path", "Leave it out"),
    ],
)
def test_a_header_that_would_contradict_the_email_is_refused(app: App, name: str, advice: str) -> None:
    refused = app.send(headers={"X-Order": "7", name: "secret@example.com"})

    assert refused.error == (422, "unprocessable_entity")
    assert f"`headers` holds {name}" in refused.json["error"]
    assert advice in refused.json["error"]
    assert "secret" not in refused.json["error"]
    assert app.get("/emails").json["data"] == []


@pytest.mark.parametrize("name", ["Date", "Message-ID", "Sender", "In-Reply-To", "List-Unsubscribe", "X-To"])
def test_other_headers_go_along(app: App, name: str) -> None:
    assert app.email(app.sent(headers={name: "x"}))["headers"] == {name: "x"}
