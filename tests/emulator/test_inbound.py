"""Received mail and address validations on the wire: what is kept, and what is refused."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.receiving import reception
from poststack.emulator.settings import Settings
from tests.emulator.app import App
from tests.emulator.test_hostile import JSON, OBJECTS, check, request

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MAIL = {"from": "Ada <ada@customer.test>", "to": "support@shop.test", "subject": "Hi", "text": "Hello"}
FIELDS = ("from", "to", "cc", "reply_to", "recipients", "subject", "text", "html", "headers", "attachments")
RAW = b"From: ada@customer.test\r\nTo: in@shop.test\r\nSubject: Raw\r\n\r\nHello"


def received(app: App, **changes: Any) -> dict[str, Any]:
    reply = app.post("/_emulator/inbound", {**MAIL, **changes})
    assert reply.status == 201, reply.json
    emails: list[dict[str, Any]] = reply.json["inboundEmails"]
    return emails[0]


def raw(app: App, content: bytes, query: str = "") -> Any:
    return app.call("POST", f"/_emulator/inbound{query}", body=content, Content_Type="message/rfc822; charset=x")


def test_a_mail_comes_in_as_bytes(app: App) -> None:
    reply = raw(app, RAW)

    assert reply.status == 201
    assert [(email["toAddress"], email["subject"]) for email in reply.json["inboundEmails"]] == [
        ("in@shop.test", "Raw")
    ]


def test_the_query_says_who_gets_it(app: App) -> None:
    reply = raw(app, RAW, "?recipients=a@shop.test,%20b@else.test,,A@shop.test")

    assert {email["toAddress"] for email in reply.json["inboundEmails"]} == {"a@shop.test", "b@else.test"}


@pytest.mark.parametrize("query", ["?recipients=nobody", "?recipients=" + ",".join(f"{n}@b.test" for n in range(51))])
def test_recipients_that_are_none_are_refused(app: App, query: str) -> None:
    assert raw(app, RAW, query).error == (422, "unprocessable_entity")


@pytest.mark.parametrize("header", [b"", b"To: root\r\n", b"To: <@shop.test>\r\n", b"To: everybody:;\r\n"])
def test_a_mail_for_nobody_is_refused(app: App, header: bytes) -> None:
    reply = raw(app, header + b"Subject: x\r\n\r\nHello")

    assert reply.error == (422, "unprocessable_entity")
    assert "recipients" in reply.json["error"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"from": None}, 400),
        ({"from": 1}, 400),
        ({"to": []}, 422),
        ({"to": 1}, 400),
        ({"to": "a\nb@c.test"}, 422),
        ({"subject": "x" * 999}, 422),
        ({"subject": ["x"]}, 400),
        ({"text": 1}, 400),
        ({"text": "x" * (1024 * 1024 + 1)}, 422),
        ({"headers": {"X": 1}}, 400),
        ({"headers": {"X": "a\r\nb"}}, 422),
        ({"attachments": [{"filename": "a", "content": "!"}]}, 422),
        ({"attachments": [{"filename": "a", "content": ""}] * 101}, 422),
        ({"reply_to": "nobody"}, 422),
        ({"recipients": "a@b.test"}, 422),
    ],
)
def test_what_is_no_mail_is_refused_and_nothing_is_kept(app: App, changes: dict[str, Any], status: int) -> None:
    assert app.post("/_emulator/inbound", {**MAIL, **changes}).status == status
    assert app.get("/inbound").json["meta"]["total"] == 0


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "x", "9" * 30, "%00", "1%20", "%D9%A1"])
@pytest.mark.parametrize("rest", ["", "/attachments", "/attachments/1"])
def test_ids_that_are_none_are_404(app: App, text: str, rest: str) -> None:
    received(app, attachments=[{"filename": "a", "content": ""}])

    assert app.get(f"/inbound/{text}{rest}").error == (404, "not_found")
    assert app.get(f"/inbound/1/attachments/{text}").error == (404, "not_found")


def test_other_methods_are_refused(app: App) -> None:
    assert app.call("DELETE", "/inbound/1").status == 405
    assert app.call("GET", "/_emulator/inbound").status == 405
    assert app.get("/email-validations").status == 405


def test_files_are_downloaded_as_bytes_of_a_harmless_type(app: App) -> None:
    files = [
        {"filename": "a b.pdf", "content": base64.b64encode(b"%PDF").decode(), "content_type": "application/pdf"},
        {"filename": "../x.html", "content": "PGI+", "content_type": "text/html"},
    ]
    received(app, attachments=files)
    pdf, page = (app.answer("GET", f"/inbound/1/attachments/{number}").response for number in (1, 2))
    assert pdf is not None
    assert page is not None

    assert (pdf.body, pdf.headers["content-type"]) == (b"%PDF", "application/pdf")
    assert pdf.headers["content-disposition"] == "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"
    assert (page.body, page.headers["content-type"]) == (b"<b>", "application/octet-stream")
    assert (page.headers["x-content-type-options"], "x-request-id" in page.headers) == ("nosniff", True)
    assert app.get("/inbound/1/attachments").json["attachments"][1]["contentType"] == "text/html"


def test_deleting_removes_files_and_deliveries(app: App) -> None:
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    for _ in range(2):
        received(app, attachments=[{"filename": "a", "content": ""}])

    assert app.call("DELETE", "/_emulator/inbound/1").status == 200
    assert app.get("/inbound").json["meta"]["total"] == 1
    assert [delivery.inbound_id for delivery in app.emulator.store.deliveries_of_webhook(1)] == [2]
    assert app.call("DELETE", "/_emulator/inbound").json == {"deleted": 1}
    assert len(app.emulator.store.inbound_files) == 0
    assert app.call("DELETE", "/_emulator/inbound/1").status == 404


def test_the_oldest_go_when_there_are_too_many(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "_MAX_INBOUND", 3)
    for _ in range(5):
        received(app, attachments=[{"filename": "a", "content": ""}])

    assert [email["id"] for email in app.get("/inbound").json["data"]] == [5, 4, 3]
    assert len(app.emulator.store.inbound_files) == 3


def test_the_oldest_go_when_they_are_too_large(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "_MAX_BYTES", 3_000)
    for _ in range(5):
        received(app, text="x" * 1_000)
    refused = app.post("/_emulator/inbound", {**MAIL, "to": ["a@b.test", "c@b.test"], "text": "x" * 2_000})

    assert [email["id"] for email in app.get("/inbound").json["data"]] == [5, 4]
    assert refused.error == (422, "unprocessable_entity")


def test_a_long_body_is_not_in_the_event(app: App) -> None:
    app.post("/webhooks", {"url": "http://localhost/", "events": ["email.inbound"]})
    received(app, text="x" * 300_000, html="<p>short</p>")
    data = app.get("/webhooks/1/deliveries").json["deliveries"][0]["payload"]["data"]

    assert (data["text"], data["html"]) == (None, "<p>short</p>")


def test_a_restart_keeps_received_mail(tmp_path: Path) -> None:
    file = tmp_path / "emulator.sqlite"
    app = App(journal=SqliteJournal(file))
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    received(
        app,
        to=["Support <support+7@shop.test>", "sales@shop.test"],
        cc=["c@d.test"],
        reply_to="r@d.test",
        subject="ACT NOW!!",
        html="<p>é</p>",
        headers={"X-Odd": "\u2028ü"},
        attachments=[{"filename": "a", "content": "AAEC/w==", "content_id": "a"}, {"filename": "b", "content": ""}],
    )
    raw(app, b"To: in@shop.test\nSubject: =?utf-7?q?+2AA-?=\nX: \xff\n\n\xff\0")
    app.emulator.set_inbound_unread(1, False)
    app.call("DELETE", "/_emulator/inbound/2")
    before = app.emulator.store
    app.emulator.close()
    again = App(journal=SqliteJournal(file))
    after = again.emulator.store

    assert after.inbound_emails.all() == before.inbound_emails.all() != []
    assert after.inbound_files.all() == before.inbound_files.all() != []
    assert after.deliveries_of_inbound(1) == before.deliveries_of_inbound(1) != []
    assert received(again)["id"] == 4
    again.emulator.close()


@QUICK
@given(st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("a@b.test") | st.lists(st.just("a@b.test"))))
def test_any_description_of_a_mail_is_taken_or_refused(content: dict[str, Any]) -> None:
    app = App()
    for each in (content, {**MAIL, **content}):
        assert check(app, request("POST", "/_emulator/inbound", each)) in {201, 400, 422}


@QUICK
@given(OBJECTS | st.dictionaries(st.sampled_from(["from", "to", "message", "tone", "email", "emails", "html"]), JSON))
def test_any_json_is_answered_by_every_route(content: dict[str, Any]) -> None:
    app = App()
    received(app)
    for path in ("/inbound/1/reply", "/inbound/1/forward", "/inbound/1/draft-reply", "/inbound/2/reply"):
        assert check(app, request("POST", path, content)) in {200, 202, 400, 404, 422}
    for path in ("/email-validations", "/email-validations/batch"):
        assert check(app, request("POST", path, content)) in {200, 400, 422}


@QUICK
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=200), st.binary(max_size=80))
def test_any_mail_can_be_listed_answered_and_forwarded(sender: str, subject: str, text: str, rest: bytes) -> None:
    app = App()
    head = f"From: {sender}\nTo: in@shop.test\nSubject: {subject}\n".encode("utf-8", "surrogatepass")
    raw(app, head + rest + b"\n\n" + text.encode("utf-8", "surrogatepass"), "?recipients=in@shop.test")
    payload = {"from": "in@shop.test", "to": ["b@shop.test"], "text": "x"}

    assert app.get("/inbound").json["meta"]["total"] == 1
    assert app.post("/inbound/1/draft-reply").status == 200
    assert app.post("/inbound/1/forward", payload).status == 202
    assert app.post("/inbound/1/reply", payload).status in {202, 422}


@QUICK
@given(st.text(max_size=30) | st.from_regex(r"[a-z+-]{1,9}@[a-z.]{1,12}", fullmatch=True))
def test_any_text_can_be_validated(text: str) -> None:
    found = App().post("/email-validations/batch", {"emails": [text.encode("utf-8", "replace").decode()]})

    assert found.json["results"][0]["result"] in {"deliverable", "undeliverable", "risky", "unknown"}


@pytest.mark.parametrize("content", [{}, {"email": None}, {"email": 1}, {"email": ""}, {"email": ["a@b.test"]}])
def test_an_address_is_a_text(app: App, content: object) -> None:
    assert app.post("/email-validations", content).error == (400, "invalid_request")


@pytest.mark.parametrize("content", [{}, {"emails": None}, {"emails": "a@b.test"}, {"emails": [1]}, {"emails": [None]}])
def test_addresses_are_a_list_of_texts(app: App, content: object) -> None:
    assert app.post("/email-validations/batch", content).error == (400, "invalid_request")


def test_a_reset_forgets_received_mail(app: App) -> None:
    received(app, attachments=[{"filename": "a", "content": ""}])
    app.post("/_emulator/reset")

    assert app.get("/inbound").json["meta"]["total"] == 0
    assert len(app.emulator.store.inbound_files) == 0


def test_without_domains_of_its_own_the_first_recipients_domain_receives(app: App) -> None:
    reply = app.post("/_emulator/inbound", {**MAIL, "to": ["a@shop.test", "b@else.test"], "cc": ["c@SHOP.test"]})

    assert [email["toAddress"] for email in reply.json["inboundEmails"]] == ["a@shop.test", "c@SHOP.test"]


def test_only_the_domains_of_the_emulator_receive() -> None:
    app = App(Settings(domains=("Shop.test",)))

    assert received(app, to=["a@shop.TEST", "b@else.test"])["toAddress"] == "a@shop.TEST"
    assert app.post("/_emulator/inbound", {**MAIL, "to": "b@else.test"}).status == 422
