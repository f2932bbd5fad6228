"""`flask --app example_projects.flask_signup enqueue-unsent`, for cron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from example_projects.flask_signup import database, letters
from example_projects.flask_signup.queue import enqueue

if TYPE_CHECKING:
    from flask import Flask


@click.command("enqueue-unsent")
@with_appcontext
def enqueue_unsent() -> None:
    """Enqueue letters that are stored and not sent.

    Such are left behind when a program dies between storing a letter and enqueueing its job, and when Redis was away
    or has lost its data.
    """
    keys = letters.unsent(database.get())
    count = sum(enqueue(key) for key in keys)
    click.echo(f"Enqueued {count} of {len(keys)} unsent letters; the others have a job already.")


def init_app(app: Flask) -> None:
    """Add the command to the application's own."""
    app.cli.add_command(enqueue_unsent)
