"""Idempotency keys in a file that others use at the same moment."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from poststack.mailbridge import SqliteKeyStore


def test_making_the_file_waits_for_another_process_that_is_making_it(tmp_path: Path) -> None:
    place = tmp_path / "keys.db"
    with closing(sqlite3.connect(place, isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE keys_of_another (key TEXT)")
        other.execute("BEGIN IMMEDIATE")  # Where SQLite refuses to switch, without waiting as it does elsewhere.
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        store = SqliteKeyStore(place)
        timer.join()
    assert store.begin("a", "sendgrid").state == "new"


def test_a_claim_waits_for_another_process_that_is_writing(tmp_path: Path) -> None:
    place = tmp_path / "keys.db"
    store = SqliteKeyStore(place)
    with closing(sqlite3.connect(place, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        assert store.begin("a", "sendgrid").state == "new"
        timer.join()
    assert store.begin("a", "postmark") == ("in doubt", "sendgrid", None)
