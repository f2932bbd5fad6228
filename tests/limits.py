"""A Redis in which calls are counted, and what the API answers meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server
from poststack.throttling import name_of_key
from tests.services import is_missing

__all__ = ["Limits", "limits_in_redis"]


@dataclass
class Limits:
    """The limits that are kept in one Redis."""

    url: str
    client: Any

    def counted(self, api_key: str) -> bool:
        """Return whether calls with this key, and no others, were counted."""
        names = [name.decode() for name in self.client.scan_iter()]
        return names == [f"poststack:rate:{name_of_key(api_key)}"]


@contextmanager
def limits_in_redis(folder: Path) -> Generator[Limits]:
    """Start a Redis; skip the test where there is none to start."""
    try:
        redis: Any = import_module("redis")
    except ModuleNotFoundError as error:
        is_missing(str(error))
    try:
        with redis_server(folder) as url, redis.Redis.from_url(url) as client:
            yield Limits(url, client)
    except DemoError as error:
        is_missing(str(error))
