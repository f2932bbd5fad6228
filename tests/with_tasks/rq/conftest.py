from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from tests.services import is_missing
from tests.with_tasks.rq.stand import Api, Stand

if TYPE_CHECKING:
    from rq import Queue

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
def stand(redis_url: str, _api: Api, tmp_path: Path) -> Iterator[Stand]:
    _api.clear()
    stand = Stand(tmp_path, redis_url, _api)
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
def queue(stand: Stand, connection: Any) -> Queue:
    from rq import Queue

    return Queue(stand.name, connection=connection)
