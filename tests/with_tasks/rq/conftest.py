from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from tests.services import is_missing
from tests.with_tasks.rq.stand import Api, Stand

if find_spec("rq") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="package")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with redis_server(tmp_path_factory.mktemp("redis")) as url:
            yield url
    except DemoError as error:
        is_missing(str(error))


@pytest.fixture(scope="package")
def _api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))
    try:
        yield api
    finally:
        api.close()


@pytest.fixture
def api(_api: Api) -> Api:
    _api.clear()
    return _api


@pytest.fixture(scope="package")
def _served(redis_url: str, _api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("served"), redis_url, _api)
    try:
        stand.worker()
        yield stand
    finally:
        stand.close()


@pytest.fixture
def served(_served: Stand, connection: Any) -> Any:
    """Return the queue of a worker that all tests share which kill none: to start one takes seconds."""
    from rq import Queue

    return Queue(_served.name, connection=connection)


@pytest.fixture
def stand(redis_url: str, api: Api, tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path, redis_url, api)
    try:
        yield stand
    finally:
        stand.close()


@pytest.fixture
def connection(redis_url: str) -> Iterator[Any]:
    from redis import Redis

    with Redis.from_url(redis_url) as connection:  # pyright: ignore[reportUnknownMemberType]
        yield connection


@pytest.fixture
def queue(stand: Stand, connection: Any) -> Any:
    from rq import Queue

    return Queue(stand.name, connection=connection)
