"""The queues over which a storm can go, with settings by which what a dead worker held comes back within seconds."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.with_tasks.stand.brokers import SHORT_VISIBILITY
from tests.with_tasks.stand.celery_stand import CeleryStand, celery_stand
from tests.with_tasks.stand.processes import Process
from tests.with_tasks.stand.rq_stand import RQ_WORKER, SHORT_TTLS, RqStand, rq_stand
from tools.storm.weather import Stand

__all__ = ["QUEUES", "UNLESS_CHOSEN", "settings_of"]

_VISIBILITY: Final = {**SHORT_VISIBILITY, "visibility_timeout": 10}
_CHILDREN: Final = 2


class _Queue:
    """The stand of a test, as a storm wants it."""

    def __init__(self, stand: CeleryStand | RqStand, start_worker: Callable[[], Process], done: str) -> None:
        self._stand = stand
        self._done = done
        self.workers = stand.workers
        self.api = stand.api
        self.key = stand.key
        self.start_worker = start_worker

    def enqueue(self) -> str:
        return self._stand.enqueue()

    def succeeded(self, job: str) -> bool:
        return self._stand.state(job) == self._done

    def wait_until_quiet(self, *, seconds: float) -> None:
        self._stand.wait_until_quiet(seconds=seconds)


def _celery(kind: str, **conf: Any) -> Callable[[Path], AbstractContextManager[Stand]]:
    @contextmanager
    def opened(folder: Path) -> Generator[Stand]:
        with celery_stand(kind, folder, **conf) as stand:
            yield _Queue(stand, lambda: stand.start_worker(concurrency=_CHILDREN), "SUCCESS")

    return opened


@contextmanager
def _rq(folder: Path) -> Generator[Stand]:
    with rq_stand(folder) as stand:
        yield _Queue(stand, lambda: stand.start_worker(RQ_WORKER), "finished")


def _pairs(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in settings.items())


_CELERY: Final = f"prefork with {_CHILDREN} children, acks_late as the tasks have it"

_ALL: Final[dict[str, tuple[str, Callable[[Path], AbstractContextManager[Stand]]]]] = {
    "celery-rabbitmq": (f"{_CELERY}; classic queue", _celery("rabbitmq-classic")),
    "celery-valkey": (
        f"{_CELERY}; {_pairs(_VISIBILITY)}",
        _celery("valkey", broker_transport_options=dict(_VISIBILITY)),
    ),
    "rq": (f"rq worker --with-scheduler {_pairs(SHORT_TTLS)}, loading everything before it forks", _rq),
    "celery-rabbitmq-quorum": (f"{_CELERY}; quorum queue", _celery("rabbitmq-quorum")),
}

QUEUES: Final = {name: opened for name, (_, opened) in _ALL.items()}
UNLESS_CHOSEN: Final = ("celery-rabbitmq", "celery-valkey", "rq")
"""RabbitMQ 3.10 keeps a few jobs for minutes in the queues by which Celery puts them off with quorum queues, also when
no worker is killed, so that storm says more of RabbitMQ than of this package."""


def settings_of(name: str) -> str:
    """Return in words what is not a default."""
    return _ALL[name][0]
