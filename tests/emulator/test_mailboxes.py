"""Mailboxes and notification channels on the wire: restarts, hostile values, and what the control interface shows."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poststack.emulator.journal import SqliteJournal
from poststack.emulator.notifying import notifications
from poststack.emulator.notifying.channels import is_this_machine
from poststack.emulator.settings import Settings
from tests.emulator.app import App
from tests.emulator.test_hostile import JSON

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PASSWORD = "correct horse"
OURS = Settings(domains=("shop.test",))
MAIL = {"from": "ada@customer.test", "to": "in@shop.test", "subject": "Hi", "text": "Hello"}
CHANNEL = {
    "type": "slack",
    "name": "Ops",
    "events": ["email.inbound"],
    "config": {"webhookUrl": "http://localhost/secretpath"},
}


def made(app: App, name: str = "in") -> str:
    reply = app.post("/mailboxes", {"domainId": 1, "localPart": name, "password": PASSWORD})
    assert reply.status == 201, reply.json
    mailbox: str = reply.json["mailbox"]["publicId"]
    return mailbox


def filled(app: App) -> str:
    """Give an emulator a mailbox with everything, a channel, and a mail."""
    mailbox, other = made(app), made(app, "other")
    app.post("/mailboxes/aliases", {"domainId": 1, "localPart": "help", "destinationMailboxId": mailbox})
    app.post(f"/mailboxes/{mailbox}/shares", {"sharedWithMailboxId": other, "access": "write"})
    app.call("PATCH", f"/mailboxes/{mailbox}", {"forwardTo": "a@b.test", "signatureHtml": "<b>x</b>"})
    rule = {"name": "r", "field": "subject", "operator": "is", "value": "hi", "action": "addflag", "actionArg": "F"}
    app.call("PUT", f"/mailboxes/{mailbox}/filters", {"rules": [rule]})
    app.post("/notification-channels", CHANNEL)
    app.post("/_emulator/inbound", MAIL)
    app.wait(1, status=500)
    return mailbox


def test_a_restart_keeps_mailboxes_and_channels(tmp_path: Path) -> None:
    file = tmp_path / "data.sqlite"
    app = App(OURS, SqliteJournal(file))
    mailbox = filled(app)
    before = app.emulator.store
    app.emulator.close()
    again = App(OURS, SqliteJournal(file))
    after = again.emulator.store

    assert after.mailboxes.all() == before.mailboxes.all()
    assert after.mailbox_aliases.all() == before.mailbox_aliases.all() != []
    assert after.mailbox_shares.all() == before.mailbox_shares.all() != []
    assert after.channels.all() == before.channels.all() != []
    assert after.channel_deliveries.all() == before.channel_deliveries.all() != []
    assert after.next_due() == before.next_due() is not None
    assert again.get(f"/_emulator/mailboxes/{mailbox}/messages").json["messages"][0]["flags"] == ["F"]
    assert again.wait(15) != []
    again.emulator.close()
    assert PASSWORD.encode() not in file.read_bytes()


def test_mailboxes_go_with_a_domain_of_earlier_settings(tmp_path: Path) -> None:
    app = App(OURS, SqliteJournal(tmp_path / "data.sqlite"))
    made(app)
    app.emulator.close()
    again = App(Settings(domains=("other.test",)), SqliteJournal(tmp_path / "data.sqlite"))

    assert again.get("/mailboxes").json["data"] == []
    again.emulator.close()


def test_passwords_and_secrets_are_nowhere_to_be_read(caplog: pytest.LogCaptureFixture) -> None:
    app = App(OURS)
    with caplog.at_level(logging.DEBUG):
        mailbox = filled(app)
        shown = [
            app.get(path).json
            for path in (f"/mailboxes/{mailbox}", "/notification-channels", f"/_emulator/mailboxes/{mailbox}/messages")
        ]
    store = app.emulator.store

    for text in (repr(store.mailboxes.all()), repr(store.channels.all()), json.dumps(shown), caplog.text):
        assert PASSWORD not in text
        assert "scrypt" not in text
        assert "secretpath" not in text


def test_a_password_lets_in_until_it_is_another_one() -> None:
    app = App(OURS)
    mailbox = made(app)

    def log_in(password: str) -> bool:
        answer: bool = app.post(f"/_emulator/mailboxes/{mailbox}/login", {"password": password}).json["success"]
        return answer

    assert app.get(f"/mailboxes/{mailbox}").json["mailbox"]["lastLoginAt"] is None
    assert (log_in(PASSWORD), log_in(PASSWORD.upper())) == (True, False)
    assert app.get(f"/mailboxes/{mailbox}").json["mailbox"]["lastLoginAt"] is not None
    app.post(f"/mailboxes/{mailbox}/password", {"password": "battery staple"})
    assert (log_in(PASSWORD), log_in("battery staple")) == (False, True)
    app.call("PATCH", f"/mailboxes/{mailbox}", {"status": "suspended"})
    assert not log_in("battery staple")


def test_a_message_is_marked_as_read() -> None:
    app = App(OURS)
    mailbox, other = made(app), made(app, "other")
    app.post("/_emulator/inbound", MAIL)
    path = f"/_emulator/mailboxes/{mailbox}/messages/1"
    reply = app.call("PATCH", path, {"unread": False})

    assert reply.json == {"message": {"inboundId": 1, "folder": "INBOX", "flags": [], "unread": False}}
    assert [item["inboxUnread"] for item in app.get("/mailboxes/unread-summary").json["items"]] == [0, 0]
    assert app.call("PATCH", path, {}).status == 400
    assert app.call("PATCH", path.replace(mailbox, other), {"unread": False}).status == 404
    assert app.call("PATCH", path + "x", {"unread": False}).status == 404


def test_a_long_way_through_mailboxes_ends() -> None:
    app = App(OURS)
    mailbox = made(app)
    app.call("PATCH", f"/mailboxes/{mailbox}", {"forwardTo": "a@b.test"})
    hops = " ".join(f"h{number}@x.test" for number in range(20))
    app.post("/_emulator/inbound", {**MAIL, "headers": {"X-Loop": hops}})

    assert app.emulator.store.total == 0


def test_no_more_deliveries_to_channels_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "_MAX_DELIVERIES", 3)
    monkeypatch.setattr(notifications, "_FORGOTTEN_AT_ONCE", 2)
    app = App(OURS)
    channel = app.post("/notification-channels", CHANNEL).json["channel"]["publicId"]
    for _ in range(4):
        app.post("/_emulator/inbound", MAIL)

    found = app.get(f"/notification-channels/{channel}/deliveries").json["deliveries"]
    assert [entry["id"] for entry in found] == [4, 3]


def test_calls_that_were_not_made_are_due_again() -> None:
    app = App(OURS)
    app.post("/notification-channels", CHANNEL)
    app.post("/_emulator/inbound", MAIL)
    calls = app.emulator.run_due(app.now)

    assert len(calls) == 1
    assert app.emulator.run_due(app.now) == []
    app.emulator.abandon(calls)
    assert app.emulator.run_due(app.now) == calls


def test_a_channel_that_moves_away_is_not_called_any_more() -> None:
    app = App(OURS)
    channel = app.post("/notification-channels", CHANNEL).json["channel"]["publicId"]
    app.post("/_emulator/inbound", MAIL)
    config = {"config": {"webhookUrl": "https://hooks.slack.com/services/a"}}
    app.call("PUT", f"/notification-channels/{channel}", config)

    assert app.wait(100_000) == []


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://localhost:8000/x", True),
        ("https://LOCALHOST/", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:1/", True),
        ("http://localhost.evil.test/", False),
        ("http://127.0.0.1.evil.test/", False),
        ("http://0.0.0.0/", False),
        ("http://2130706433/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_this_machine_is_told_from_others(url: str, ours: bool) -> None:
    assert is_this_machine(url) == ours


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("PUT", "/mailboxes/{}/filters", {"rules": None}),
        ("PUT", "/mailboxes/{}/filters", {"rules": [1]}),
        ("PUT", "/mailboxes/{}/filters", []),
        ("PATCH", "/mailboxes/{}", {"displayName": ["x"]}),
        ("POST", "/mailboxes", {"domainId": [1], "localPart": "a", "password": PASSWORD}),
        ("POST", "/mailboxes", {"domainId": 1, "localPart": "a"}),
        ("POST", "/mailboxes/aliases", {"domainId": "1", "localPart": "a", "destinationMailboxId": "mb_1"}),
        ("POST", "/mailboxes/{}/shares", {"sharedWithMailboxId": 2}),
        ("POST", "/mailboxes/{}/password", {}),
    ],
)
def test_wrong_types_are_400(method: str, path: str, content: Any) -> None:
    app = App(OURS)

    assert app.call(method, path.format(made(app)), content).status == 400


FIELDS = (
    *("domainId", "localPart", "password", "displayName", "quotaBytes", "webhookEnabled", "status", "forwardTo"),
    *("forwardMode", "forwardKeepCopy", "signatureHtml", "signatureText", "rules", "sharedWithMailboxId", "access"),
    *("destinationMailboxId", "type", "name", "events", "config", "mailboxId", "enabled", "unread"),
)
WORDS: st.SearchStrategy[Any] = JSON | st.sampled_from(["from", "is", "stop", "x"])
RULE: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(["name", "field", "operator", "value", "action"], WORDS)
MORE: dict[str, st.SearchStrategy[Any]] = {"actionArg": JSON, "enabled": JSON}
RULES: st.SearchStrategy[Any] = st.lists(st.fixed_dictionaries(RULE, optional=MORE), max_size=3)
CONTENT: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(FIELDS, JSON | RULES)
NOTHING: dict[str, st.SearchStrategy[Any]] = {}
OBJECTS: st.SearchStrategy[Any] = st.fixed_dictionaries(NOTHING, optional=CONTENT)
PATHS = st.sampled_from(
    [
        ("POST", "/mailboxes"),
        ("GET", "/mailboxes?domain_id=%ff&page=9"),
        ("PATCH", "/mailboxes/{mailbox}"),
        ("POST", "/mailboxes/{mailbox}/password"),
        ("POST", "/mailboxes/aliases"),
        ("DELETE", "/mailboxes/aliases/%C2%B2"),
        ("PUT", "/mailboxes/{mailbox}/filters"),
        ("PUT", "/webmail/{mailbox}/signature"),
        ("POST", "/mailboxes/{mailbox}/shares"),
        ("DELETE", "/mailboxes/{mailbox}/shares/%00"),
        ("POST", "/notification-channels"),
        ("PUT", "/notification-channels/{channel}"),
        ("POST", "/notification-channels/{channel}/test"),
        ("POST", "/notification-channels/{channel}/deliveries/9999999999999999999/replay"),
        ("PATCH", "/_emulator/mailboxes/{mailbox}/messages/1"),
        ("POST", "/_emulator/mailboxes/{mailbox}/login"),
    ]
)


@QUICK
@given(requests=st.lists(st.tuples(PATHS, OBJECTS | JSON), min_size=1, max_size=4))
def test_arbitrary_json_is_answered_without_a_bug(requests: list[tuple[tuple[str, str], Any]]) -> None:
    app = App(OURS)
    mailbox = made(app)
    channel = app.post("/notification-channels", CHANNEL).json["channel"]["publicId"]
    for (method, path), content in requests:
        body = json.dumps(content).encode()
        named = path.format(mailbox=mailbox, channel=channel)
        assert app.call(method, named, body=body).status < 500
    app.post("/_emulator/inbound", MAIL)
    app.wait(2)
