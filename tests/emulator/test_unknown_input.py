"""What the API does not know is warned of once, or refused; the emulator's own interface always refuses it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from poststack import PostStack, PostStackError
from poststack.emulator.api.call import Call as Request
from poststack.emulator.api.input_check import InputCheck
from poststack.emulator.api.known_inputs import takes_of
from poststack.emulator.routers import API
from poststack.emulator.settings import Settings
from poststack.testing import emulator
from poststack.transports.base import HttpRequest, HttpResponse
from tests.emulator.app import App
from tests.every_call import CALLS, Call

EMAIL: dict[str, Any] = {"from": "shop@example.com", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello"}
SECRET = "not for the log"

MISSPELT: list[tuple[str, str, dict[str, Any] | None, str, str]] = [
    ("POST", "/emails", {**EMAIL, "replyTo": SECRET}, "field `replyTo`", "`reply_to`"),
    ("POST", "/emails", {**EMAIL, "tracking": {"open": True}}, "field `tracking.open`", "`tracking.opens`"),
    (
        "POST",
        "/emails",
        {**EMAIL, "attachments": [{"filename": "a", "content": "aGk=", "contentType": "text/plain"}]},
        "field `attachments[].contentType`",
        "`attachments[].content_type`",
    ),
    (
        "POST",
        "/emails/batch",
        {"emails": [EMAIL, {**EMAIL, "tag": [SECRET]}]},
        "field `emails[].tag`",
        "`emails[].tags`",
    ),
    ("POST", "/contacts", {"email": "a@example.com", "firstname": SECRET}, "field `firstname`", "`first_name`"),
    (
        "POST",
        "/segments/preview",
        {"rules": {"operator": "or", "conditions": [{"field": "email", "comparator": "is_set", "window_days": 3}]}},
        "field `rules.conditions[].window_days`",
        "`rules.conditions[].windowDays`",
    ),
    ("GET", "/emails?perPage=3", None, "query parameter `perPage`", "`per_page`"),
    ("GET", "/templates?publish=true", None, "query parameter `publish`", "`published`"),
    (
        "POST",
        "/webhooks",
        {"url": "https://a.test", "events": ["email.delivred"]},
        "event type `email.delivred`",
        "`email.delivered`",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "named", "meant"), MISSPELT)
def test_what_is_misspelt_is_warned_of_once_without_its_value(
    method: str,
    path: str,
    body: dict[str, Any] | None,
    named: str,
    meant: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    with caplog.at_level(logging.WARNING, "poststack.emulator"):
        answers = [app.call(method, path, body) for _ in range(2)]

    assert answers[0].status < 300
    [warning] = app.emulator.warnings()
    assert f"does not know the {named} and ignored it" in warning
    assert warning.endswith(f"Did you mean {meant}?")
    assert [record.getMessage() for record in caplog.records] == [warning]
    assert SECRET not in warning


@pytest.mark.parametrize(("method", "path", "body", "named", "meant"), MISSPELT)
def test_what_is_misspelt_is_refused_when_strict_and_nothing_is_done(
    method: str, path: str, body: dict[str, Any] | None, named: str, meant: str
) -> None:
    app = App(Settings(strict=True))
    reply = app.call(method, path, body)

    assert reply.error == (422, "unprocessable_entity")
    assert f"does not know the {named}. Did you mean {meant}?" in reply.json["error"]
    store = app.emulator.store
    assert (store.total, len(store.contacts.all()), len(store.webhooks)) == (0, 0, 0)
    assert app.emulator.warnings() == []


class Recorder:
    """Refuses every request, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return HttpResponse(400, {}, b"{}", "")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
def test_all_that_the_client_sends_is_known(call: Call) -> None:
    """Held against what routes take, so that no 404 for a made-up id comes before the check."""
    recorder, check = Recorder(), InputCheck()
    group, method = call.method.split(".")
    client: Any = PostStack("sk_test_x", max_retries=0, transport=recorder)
    with pytest.raises(PostStackError):
        getattr(getattr(client, group), method)(*call.arguments, **call.options)

    [request] = recorder.requests
    read = Request.read(request, 0.0)
    found = API.find(read)
    assert found is not None
    takes = takes_of(found[0])
    if takes is not None:
        check.query("route", takes, read.query, strict=True)
        check.body("route", takes, read.optional_json(), strict=True)


def test_names_of_the_callers_own_are_not_looked_at() -> None:
    app = App(Settings(strict=True))

    assert app.post("/emails", {**EMAIL, "headers": {"X-Any": "1"}, "variables": {"any": "1"}}).status == 202
    assert app.post("/contacts", {"email": "a@example.com", "properties": {"any": "1"}}).status == 201


def test_a_name_without_a_close_one_is_answered_with_those_there_are() -> None:
    app = App(Settings(strict=True))
    contact = app.post("/contacts", {"email": "a@example.com"}).json["contact"]["publicId"]

    assert app.post("/suppressions", {"zzz": 1}).json["error"].endswith("It knows email, reason.")
    assert app.get(f"/contacts/{contact}?zzz=1").json["error"].endswith("It takes none.")


def test_long_and_many_names_are_kept_short() -> None:
    app = App()
    app.post("/emails", {**EMAIL, "x\n" * 10_000: 1})
    app.post("/emails", {**EMAIL, **{f"unknown{number}": 1 for number in range(5_000)}})

    assert len(app.emulator.warnings()) <= 21
    assert all(len(text) < 700 and "\n" not in text for text in app.emulator.warnings())


def test_warnings_can_be_read_in_a_test_and_over_http_and_go_with_a_reset() -> None:
    with emulator() as emu:
        wrong: Any = {**EMAIL, "templateId": "tpl_1"}
        emu.client().emails.send(wrong)
        [warning] = emu.warnings
    assert "Did you mean `template_id`?" in warning

    app = App()
    app.post("/emails", wrong)
    assert app.get("/_emulator/warnings").json == {"warnings": [warning]}
    app.post("/_emulator/reset", {})
    assert app.get("/_emulator/warnings").json == {"warnings": []}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/_emulator/faults", {"status": 503, "time": 1}),
        ("POST", "/_emulator/faults", {"status": 200}),
        ("POST", "/_emulator/faults", {"status": 302}),
        ("POST", "/_emulator/clock", {"advance": 1, "second": 1}),
        ("POST", "/_emulator/inbound", {"from": "a@b.test", "to": "in@c.test", "attachments": [{"file": "a"}]}),
        ("GET", "/_emulator/emails?subjct=Hi", None),
        ("GET", "/_emulator/emails/latest?subjct=Hi", None),
        ("GET", "/_emulator/emails?unread=maybe", None),
        ("GET", "/_emulator/workflow-runs?workflow=wf_1", None),
    ],
)
def test_the_control_interface_refuses_what_it_does_not_know(
    method: str, path: str, body: dict[str, Any] | None
) -> None:
    app = App()

    assert app.call(method, path, body).status == 422
    assert app.emulator.faults() == []


def test_the_dns_of_a_domain_takes_the_names_that_it_knows() -> None:
    app = App()
    domain = app.post("/domains", {"name": "example.com"}).json["domain"]["id"]

    assert app.call("PUT", f"/_emulator/domains/{domain}/dns", {"unpublised": ["dkim"]}).status == 422
    assert app.call("PUT", f"/_emulator/domains/{domain}/dns", {"unpublished": ["dkin"]}).status == 422
    assert app.call("PUT", f"/_emulator/domains/{domain}/dns", {"unpublished": ["dkim"]}).status == 200


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/emails?status=sended", "status"),
        ("/broadcasts?status=done", "status"),
        ("/contacts?unsubscribed=yes", "unsubscribed"),
        ("/templates?published=1", "published"),
        ("/_emulator/workflow-runs?status=none", "status"),
    ],
)
def test_a_filter_with_a_value_that_there_is_not_is_refused(path: str, named: str) -> None:
    reply = App().get(path)

    assert reply.status == 422
    assert f"`{named}` must be" in reply.json["error"]


def test_subscribers_are_filtered_by_true_or_false() -> None:
    app = App()
    topic = app.post("/subscription-topics", {"name": "News"}).json["topic"]["publicId"]

    assert app.get(f"/subscription-topics/{topic}/subscribers?subscribed=no").status == 422
    assert app.get(f"/subscription-topics/{topic}/subscribers?subscribed=False").status == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/emails/1", "Email not found. It is named by its `publicId`, which looks like em_…."),
        ("/contacts/em_1", "Contact not found. It is named by its `publicId`, which looks like con_…."),
        ("/domains/example.com", "Domain not found. It is named by its `id`, a whole number."),
        ("/inbound/em_1", "Inbound email not found. It is named by its `id`, a whole number."),
        ("/webhooks/wh_1", "Webhook not found. It is named by its `id`, a whole number."),
        ("/emails/em_1", "Email not found"),
        ("/domains/1", "Domain not found"),
    ],
)
def test_an_id_of_another_kind_is_answered_with_what_ids_look_like(path: str, error: str) -> None:
    reply = App().get(path)

    assert (reply.status, reply.json["error"]) == (404, error)


def test_a_page_that_is_too_far_is_answered_with_the_last_there_is() -> None:
    reply = App().get(f"/emails?page={10**30}")

    assert (reply.status, reply.json["error"]) == (400, "`page` is at most 999,999,999,999,999,999.")
