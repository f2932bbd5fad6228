"""The project's RQ queue."""

from __future__ import annotations

import json
import os
from typing import Any

from redis import Redis
from rq import Queue

from tests.with_django.queues.project import ENVIRONMENT


def mail() -> Queue:
    untyped: Any = Redis
    return Queue("mail", connection=untyped.from_url(json.loads(os.environ[ENVIRONMENT])["broker"]))
