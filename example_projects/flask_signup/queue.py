"""The RQ queue: the site and its commands put jobs into it, the worker takes them out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from flask import current_app
from redis import Redis
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError

from example_projects.flask_signup import tasks

if TYPE_CHECKING:
    from flask import Flask

NAME = "letters"
# Only this rescues a job whose worker was killed, at once: to wait needs a scheduler, which may have been killed, too.
# What the API refuses is the business of `send_email`: see tasks.py.
AFTER_A_CRASH = Retry(max=10)


def redis_url() -> str:
    """Return where Redis is."""
    return os.environ.get("SIGNUP_REDIS_URL", "redis://127.0.0.1:6379/0")


def init_app(app: Flask) -> None:
    """Give the application its queue. It connects when it is first used."""
    url = cast("str", app.config["REDIS_URL"])
    connection = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]  # its options are untyped
    app.extensions["letters"] = Queue(NAME, connection=connection)


def enqueue(key: str) -> bool:
    """Enqueue the job that sends a letter, and return whether that was needed: a letter has one job at a time.

    All that Redis learns of the letter is its key. Raises `redis.RedisError`.
    """
    queue: Queue = current_app.extensions["letters"]
    try:
        queue.enqueue(  # pyright: ignore[reportUnknownMemberType]  # its options are untyped
            tasks.send_letter,
            key,
            job_id=key,
            unique=True,
            retry=AFTER_A_CRASH,
            job_timeout=60,
            description="send_letter",
        )
    except DuplicateJobError:
        return False
    return True
