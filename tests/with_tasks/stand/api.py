"""The emulator in a process of its own, and what a test asks it: who got mail, under which keys, how often."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.with_tasks.stand.processes import Process, wait_until

__all__ = ["Api", "Mail", "running_api"]

_PER_PAGE = 100


@dataclass(frozen=True)
class Mail:
    """One e-mail that the API accepted."""

    to: str
    key: str | None
    id: str


class Api:
    """Controls one emulator over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment: Mapping[str, str] = {"POSTSTACK_API_KEY": "sk_test_stand", "POSTSTACK_BASE_URL": url}
        # Its own clients wait for nothing else on the machine, and no proxy knows the way.
        self._http = httpx.Client(base_url=f"{url}/_emulator", trust_env=False, timeout=30)

    def fail(self, **fault: Any) -> int:
        """Set a fault, as `docs/emulator.md` has it; return its id."""
        made: int = self._json("POST", "/faults", json=fault)["fault"]["id"]
        return made

    def hold(self, key: str, *, seconds: float, accepted: bool) -> int:
        """Have the next request with this idempotency key wait, before or after it is handled; return the fault's id.

        One that is not accepted is dropped in the end.
        """
        return self.fail(idempotency_key=key, delay=seconds, times=1, reset=not accepted)

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that wait for requests."""
        found: list[dict[str, Any]] = self._json("GET", "/faults")["faults"]
        return found

    def wait_until_hit(self, *faults: int) -> None:
        """Return when each of these faults, which are for one request each, has met it."""
        wait_until(lambda: not {fault["id"] for fault in self.faults()} & set(faults), "the requests are held")

    @property
    def requests(self) -> int:
        """Return how many requests came, those that failed included."""
        found: int = self._json("GET", "/health")["requests"]
        return found

    @property
    def accepted(self) -> int:
        """Return how many e-mails were accepted."""
        found: int = self._json("GET", "/health")["emails"]
        return found

    def mails(self) -> list[Mail]:
        """Return all e-mails that were accepted."""
        found: list[Mail] = []
        for page in range(1, 1_000):
            listed = self._json("GET", "/emails", params={"page": page, "per_page": _PER_PAGE})["data"]
            found += [Mail(one["recipients"][0]["address"], one["idempotencyKey"], one["publicId"]) for one in listed]
            if len(listed) < _PER_PAGE:
                break
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self._http.request(method, path, **options).raise_for_status().json()


@contextmanager
def running_api(folder: Path) -> Generator[Api]:
    """Run an emulator for the length of a block."""
    log = folder / "emulator.log"
    program = Process([sys.executable, "-m", "poststack", "emulator", "--port", "0"], log)
    try:
        program.wait_for("Inbox")
        found = re.search(r"http://127\.0\.0\.1:\d+", program.written())
        assert found is not None
        api = Api(found[0])
        try:
            yield api
        finally:
            api.close()
    finally:
        program.close()  # At once: it would wait for the requests that it holds.
