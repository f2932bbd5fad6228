"""The job. It runs in an RQ worker, which has no Flask application: it reads what it needs by itself."""

from __future__ import annotations

import logging
import math
import random
from contextlib import closing
from datetime import datetime, timezone

from rq import Retry, get_current_job

from example_projects.flask_signup import database, letters, writing
from poststack import PostStack, PostStackError
from poststack_tasks import GiveUp, RetryLater, decide

logger = logging.getLogger(__name__)

# How long is decided below; of RQ nothing but this is wanted: that it does not stop by itself.
ENDLESS = 1_000_000


def send_letter(key: str) -> str | Retry | None:
    """Send a letter and store PostStack's id of it. Running it again, for whatever reason, sends nothing twice.

    What may go better later is returned as `Retry`, so that no worker waits. What never will is raised once: the job
    is then among RQ's failed ones, and the letter says that it was given up.
    """
    job = get_current_job()
    with closing(database.connect(database.path())) as connection:
        letter = letters.find(connection, key)
        if letter is None or letter.email_id:
            return letter.email_id if letter else None
        try:
            # One quick repetition for a lost connection; all longer waits are the queue's.
            with PostStack(timeout=10, max_retries=1, deadline=30) as client:
                sent = client.emails.send(writing.payload(letter))
        except PostStackError as error:
            if job is None or job.worker_name is None:
                raise  # Nobody would do what is returned.
            attempt = (job.number_of_retries or 0) + 1
            age = (datetime.now(timezone.utc) - letter.created_at).total_seconds()
            decision = decide(error, attempt=attempt, age=age, random=random.random)
            if isinstance(decision, RetryLater):
                logger.info("%s: again in %.0f seconds: %s.", key, decision.delay, decision.reason)
                return Retry(max=ENDLESS, interval=math.ceil(decision.delay))
            job.retries_left = 0  # Those are for crashes: this would fail again.
            letters.give_up(connection, key, decision.reason if isinstance(decision, GiveUp) else "")
            raise
        letters.accept(connection, key, sent["id"])
        logger.info("%s: accepted as %s.", key, sent["id"])
        return sent["id"]
