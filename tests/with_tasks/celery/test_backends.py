"""Errors on their way through result backends: the caller gets the type and all fields back."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from poststack import PostStackConnectionError, PostStackError, PostStackResponseError, PostStackTimeoutError
from poststack_tasks import BatchNotAllSentError, JobError, JobExpiredError
from tests.services import is_missing

ERRORS: list[Exception] = [
    PostStackError(429, "slow down", "rate_limit_exceeded", "req_1", {"retry-after": "2"}, 2.0),
    PostStackError(403, "no", None, None, None, None, True),
    PostStackConnectionError(0, "no answer"),
    PostStackTimeoutError(0, "too late"),
    PostStackResponseError(202, "not JSON"),
    BatchNotAllSentError([{"id": "em_1"}, {"error": "no", "code": None}]),
    JobError("wrong"),
    JobExpiredError("late"),
]
FIELDS = ("status_code", "error", "code", "request_id", "headers", "retry_after", "may_have_taken_effect", "results")


def url_of(kind: str, folder: Path) -> str:
    if kind == "memory":
        return "cache+memory://"
    if kind == "files":
        return f"file://{folder}"
    redis: Any = import_module("redis") if find_spec("redis") else None
    if redis is None:
        pytest.skip("redis is not installed")
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/11")
    with redis.Redis.from_url(url) as client:
        try:
            client.ping()
        except redis.ConnectionError:
            is_missing(f"There is no Redis at {url}.")
    return url


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # By Celery, of redis-py.
@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("kind", ["memory", "files", "redis"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_whole(kind: str, serializer: str, error: Exception, tmp_path: Path) -> None:
    celery: Any = import_module("celery")
    app = celery.Celery("backends", broker="memory://", backend=url_of(kind, tmp_path), set_as_current=False)
    app.conf.update(result_serializer=serializer, accept_content=["json", "pickle"])
    task_id: str = celery.uuid()

    app.backend.mark_as_failure(task_id, error, traceback="…")
    try:
        found = app.AsyncResult(task_id).result
    finally:
        app.backend.forget(task_id)

    assert type(found) is type(error)
    assert str(found) == str(error)
    for name in FIELDS:
        assert getattr(found, name, None) == getattr(error, name, None)
