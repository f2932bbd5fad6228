"""The data file: a restart finds everything again."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from poststack.emulator.journal import DataFileError, SqliteJournal
from poststack.emulator.settings import Settings
from tests.emulator.app import App


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "emulator.sqlite"


def opened(file: Path, settings: Settings | None = None) -> App:
    return App(settings, SqliteJournal(file))


def test_a_restart_keeps_everything(file: Path) -> None:
    app = opened(file)
    app.post("/webhooks", {"url": "http://localhost/", "events": ["email.delivered", "email.bounced"]})
    app.post("/webhooks/1/rotate-secret", {"graceHours": 24})
    app.post("/templates", {"name": "a", "subject": "b", "html": "c", "builder_blocks": {"blocks": [1]}})
    app.sent(
        to=["Ada <ada@example.com>", "bounce@example.com"],
        cc=["c@example.com"],
        reply_to="r@example.com",
        subject="WIN MONEY!!",
        tags=["a"],
        headers={"X": "ü\u2028"},
        html="<p>é</p>",
        attachments=[{"filename": "a", "content": "AAEC"}, {"filename": "b", "content": "", "content_id": "b"}],
        idempotency_key="k",
        tracking={"opens": True},
    )
    app.wait(1, status=500)
    app.emulator.set_unread(app.emulator.store.accepted()[0].id, False)
    before = app.emulator.store
    app.emulator.close()
    after = opened(file).emulator.store

    assert after.accepted() == before.accepted()
    assert after.deliveries_of_webhook(1) == before.deliveries_of_webhook(1)
    assert (after.webhooks.all(), after.templates.newest()) == (before.webhooks.all(), before.templates.newest())
    assert after.suppressions.newest() == before.suppressions.newest() != []
    assert (after.total, after.unread, after.bytes) == (before.total, before.unread, before.bytes)
    assert after.next_due() == before.next_due() is not None
    assert after.email_by_key(True, "single: k") == before.accepted()[0]
    after.close()


def test_what_was_planned_happens_after_the_restart(file: Path) -> None:
    app = opened(file)
    app.post("/webhooks", {"url": "http://localhost/", "events": ["email.delivered"]})
    scheduled = app.sent(scheduled_at="2027-01-15T09:00:00Z")
    app.emulator.close()
    again = opened(file)
    bodies = again.wait(3_700)

    assert again.email(scheduled)["status"] == "delivered"
    assert len(bodies) == 1
    again.emulator.close()


def test_numbers_are_never_used_again(file: Path) -> None:
    app = opened(file)
    app.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})
    app.sent()
    app.post("/_emulator/reset")
    app.emulator.close()
    again = opened(file)
    again.post("/webhooks", {"url": "http://localhost/", "events": ["*"]})

    assert [webhook.id for webhook in again.emulator.store.webhooks.all()] == [2]
    assert again.email(again.sent())["id"] == 2
    again.emulator.close()


def test_deleted_things_stay_deleted(file: Path) -> None:
    app = opened(file)
    first, second = app.sent(attachments=[{"filename": "a", "content": "AAEC"}]), app.sent()
    app.emulator.delete_email(first)
    app.emulator.close()
    again = opened(file)

    assert [email.id for email in again.emulator.store.accepted()] == [second]
    again.emulator.close()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM attachments").fetchone() == (0,)
    database.close()


def test_a_smaller_limit_applies_to_what_is_found(file: Path) -> None:
    app = opened(file)
    _, second = app.sent(), app.sent()
    app.emulator.close()
    again = opened(file, Settings(max_emails=1))

    assert [email.id for email in again.emulator.store.accepted()] == [second]
    again.emulator.close()


def test_only_the_owner_can_read_the_file(file: Path) -> None:
    opened(file).emulator.close()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_in_use_is_refused(file: Path) -> None:
    app = opened(file)

    with pytest.raises(DataFileError, match="another emulator"):
        opened(file)
    app.emulator.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [("CREATE TABLE x (y)", "not an emulator's"), ("PRAGMA user_version = 99", "another version")],
)
def test_other_databases_are_left_alone(file: Path, statement: str, problem: str) -> None:
    if "99" in statement:
        opened(file).emulator.close()
    with sqlite3.connect(file) as database:
        database.execute(statement)
    database.close()

    with pytest.raises(DataFileError, match=problem):
        opened(file)


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.write_bytes(b"not a database" * 1_000)

    with pytest.raises(DataFileError, match="not a database"):
        opened(file)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="Check the path"):
        opened(tmp_path / "missing" / "file")


@pytest.mark.parametrize("damage", ["UPDATE records SET content = '{}'", "DELETE FROM messages"])
def test_a_damaged_file_is_refused(file: Path, damage: str) -> None:
    app = opened(file)
    app.sent()
    app.emulator.close()
    with sqlite3.connect(file) as database:
        database.execute(damage)
    database.close()

    with pytest.raises(DataFileError, match="damaged"):
        opened(file)


def test_what_could_not_be_written_is_written_the_next_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(file)
    journal = app.emulator.store._journal  # pyright: ignore[reportPrivateUsage]
    assert isinstance(journal, SqliteJournal)

    def full(email: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "_insert_message", full)
        failed = app.send(idempotency_key="k")
    again = app.send(idempotency_key="k")
    app.emulator.close()
    restarted = opened(file)

    assert failed.error == (500, "internal_error")
    assert again.json["replayed"]
    assert restarted.emulator.store.total == 1
    restarted.emulator.close()
