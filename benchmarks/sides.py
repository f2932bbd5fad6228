"""What is compared, and one measurement of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.tables import paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.environments import Environment
    from benchmarks.section import Plan
    from benchmarks.serving import Server

__all__ = [
    "AIOHTTP", "HTTPX", "MAILBRIDGE", "OURS", "OURS_ON_AIOHTTP", "PUBLISHED", "RESEND", "SOCKET",
    "Side", "Used", "busy_server", "use",
]  # fmt: skip

_WORKLOAD: Final = Path(__file__).with_name("workload.py")


@dataclass(frozen=True)
class Side:
    """A library, and how it is used."""

    name: str
    library: str
    """The file in `libraries/`."""
    _environment: str

    def environment(self, plan: Plan) -> Environment:
        """Return the interpreter that has the library."""
        environment: Environment = getattr(plan.environments, self._environment)
        return environment


OURS: Final = Side("this project", "ours", "ours")
OURS_ON_AIOHTTP: Final = Side("this project on aiohttp", "ours_on_aiohttp", "ours")
PUBLISHED: Final = Side("published SDK", "published", "published")
RESEND: Final = Side("resend", "resend_sdk", "resend")
MAILBRIDGE: Final = Side("MailBridge", "mailbridge_package", "mailbridge")
HTTPX: Final = Side("httpx by hand", "by_httpx", "raw")
AIOHTTP: Final = Side("aiohttp by hand", "by_aiohttp", "raw")
SOCKET: Final = Side("a socket by hand", "by_socket", "raw")


@dataclass(frozen=True)
class Used:
    """What a measurement came to."""

    cpu: float
    """CPU seconds of an e-mail."""
    wall: float
    """Seconds for all of them."""
    memory: float
    """MiB at most above the start."""
    server: float
    """CPU time of the server through the time that all took; near 1, it kept the client waiting."""


def use(plan: Plan, side: Side, server: Server, how: str, count: int, *, in_flight: int = 1, size: int = 600) -> Used:
    """Send so many e-mails of that size in a process of its own, by the function `how` of the library."""
    task = {"library": side.library, "how": how, "address": server.address, "count": count, "in_flight": in_flight}
    before = server.cpu()
    told = json.loads(side.environment(plan).run(_WORKLOAD, json.dumps({**task, "size": size})))
    return Used(told["cpu"], told["wall"], told["memory"], (server.cpu() - before) / told["wall"])


def busy_server(found: Iterable[Mapping[Side, Sequence[Used]]]) -> list[str]:
    """Return a paragraph on how busy the server was."""
    share, name = max((used.server, side.name) for by in found for side, runs in by.items() for used in runs)
    return paragraph(
        f"The server was busy for at most {share:.0%} of the time ({name}). Who waits for it spends no CPU time."
    )
