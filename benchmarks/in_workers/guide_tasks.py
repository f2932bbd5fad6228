"""What PostStack's guides show of workers, on the published SDK: each job constructs its client from the environment.

The task body is that of the guide for Flask, with the e-mail as argument; besides, it is told where the API is.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from poststack import PostStack, PostStackError

logger = logging.getLogger(__name__)
Celery: Any = import_module("celery").Celery
app = Celery("benchmark", broker=os.environ["BENCHMARK_BROKER"])
app.conf.task_ignore_result = True


@app.task  # type: ignore[untyped-decorator]
def task(payload: Any) -> Any:
    """Send one e-mail with a client of its own."""
    ps = PostStack(api_key=os.environ["POSTSTACK_API_KEY"], base_url=os.environ["POSTSTACK_BASE_URL"])
    try:
        return ps.emails.send(payload)
    except PostStackError as exc:
        logger.error("PostStack send failed: %s (req %s)", exc.error, exc.request_id)
        raise
