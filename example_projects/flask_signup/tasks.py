"""The job. It runs in an RQ worker, which has no Flask application: it reads what it needs by itself."""

from __future__ import annotations

from contextlib import closing

import poststack_tasks
from example_projects.flask_signup import database, letters, writing
from poststack_tasks.rq import send_email


def send_letter(key: str) -> str | None:
    """Send a letter and store PostStack's id of it. Running it again, for whatever reason, sends nothing twice.

    What `send_email` raises ends this attempt. It has told RQ by then whether, and when, there is another one.
    """
    with closing(database.connect(database.path())) as connection:
        letter = letters.find(connection, key)
        if letter is None or letter.email_id:
            return letter.email_id if letter else None
        sent = send_email(writing.payload(letter))
        letters.accept(connection, key, sent["id"])
        email_id: str = sent["id"]
        return email_id


@poststack_tasks.on_outcome
def give_up(outcome: poststack_tasks.Outcome) -> None:
    """Store why a letter is not sent, once nobody tries any more."""
    if isinstance(outcome.decision, poststack_tasks.GiveUp):
        with closing(database.connect(database.path())) as connection:
            for email in outcome.payloads:
                letters.give_up(connection, email.get("idempotency_key", ""), outcome.decision.reason)
