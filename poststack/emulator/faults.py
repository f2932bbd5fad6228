"""Failures on demand: which requests they hit, how often, and what the client sees instead of the answer."""

from __future__ import annotations

import fnmatch
import random
from dataclasses import dataclass
from typing import Literal

from poststack.emulator.api.answers import CODES, RefusalError

__all__ = ["Fault", "FaultKind", "Faults", "refusal_of"]

FaultKind = Literal["answer", "reset", "lost_answer"]
_MAX_FAULTS = 1_000


@dataclass
class Fault:
    """One failure that waits for requests.

    * `answer`: an error with this `status` (and `code`, `error`, `Retry-After`) in place of handling the
      request; without a status the request is handled, only late.
    * `reset`: the connection is dropped, the request is not handled.
    * `lost_answer`: the request is handled, and then the connection is dropped. An accepted e-mail looks
      like a failure.

    `times` is how many requests it still hits, `None` for all of them. The answer, or the drop, comes
    `delay` seconds late; the request is handled, if at all, when it comes. Of the requests that it could hit, and that
    no older fault hit, it hits the `share` from 0 to 1, chosen at random, the same ones each time with the same `seed`.
    `idempotency_key` is a key, or a pattern of keys, that the request must have as its header.
    """

    id: int
    kind: FaultKind
    status: int | None = None
    code: str | None = None
    error: str | None = None
    times: int | None = None
    path: str = "/"
    method: str | None = None
    delay: float = 0.0
    retry_after: float | None = None
    share: float = 1.0
    seed: int | None = None
    idempotency_key: str | None = None
    hits: int = 0

    def hits_request(self, method: str, path: str, idempotency_key: str | None = None) -> bool:
        """Return whether it could hit this request; `share` is not looked at.

        A path with `*`, `?` or `[` is a pattern, any other covers what is below it.
        """
        if self.idempotency_key is not None and not fnmatch.fnmatchcase(idempotency_key or "", self.idempotency_key):
            return False
        if self.method is not None and self.method.upper() != method.upper():
            return False
        if any(sign in self.path for sign in "*?["):
            return fnmatch.fnmatchcase(path, self.path)
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(prefix + "/")


class Faults:
    """The failures that wait for requests, oldest first. They are not kept over a restart."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._dice: dict[int, random.Random] = {}
        self._last_id = 0

    def add(
        self,
        status: int | None = None,
        *,
        times: int | None = None,
        path: str = "/",
        method: str | None = None,
        delay: float = 0.0,
        retry_after: float | None = None,
        code: str | None = None,
        error: str | None = None,
        reset: bool = False,
        lost_answer: bool = False,
        share: float = 1.0,
        seed: int | None = None,
        idempotency_key: str | None = None,
    ) -> Fault:
        """Add one; see `Fault`. Raises `ValueError` when it would do nothing or two things at once."""
        if sum((status is not None, reset, lost_answer)) > 1:
            raise ValueError("Choose one of status, reset and lost_answer.")
        if status is None and not reset and not lost_answer and delay == 0:
            raise ValueError("Say what goes wrong: a status, reset, lost_answer or a delay.")
        if status is not None and not 400 <= status <= 599:
            raise ValueError("status must be that of an error, from 400 to 599.")
        if times is not None and times < 1:
            raise ValueError("times must be at least 1, or None for every request.")
        if not all(0 <= seconds < float("inf") for seconds in (delay, retry_after or 0.0)):
            raise ValueError("delay and retry_after must be finite and not negative.")
        if not 0 < share <= 1:
            raise ValueError("share must be above 0 and at most 1, such as 0.2 for a fifth of the requests.")
        if not path.startswith(("/", "*")):
            raise ValueError("path must start with /, such as /emails or /emails/*/cancel.")
        if len(self._faults) >= _MAX_FAULTS:
            raise ValueError(f"There are {_MAX_FAULTS} faults already. Clear them first.")
        self._last_id += 1
        kind: FaultKind = "reset" if reset else "lost_answer" if lost_answer else "answer"
        fault = Fault(
            self._last_id, kind, status, code, error, times, path, method, delay, retry_after, share, seed,
            idempotency_key,
        )  # fmt: skip
        self._faults[fault.id] = fault
        self._dice[fault.id] = random.Random(seed)  # noqa: S311  # which requests fail is no secret
        return fault

    def all(self) -> list[Fault]:
        """Return those that still wait for requests."""
        return list(self._faults.values())

    def remove(self, fault_id: int) -> bool:
        """Remove one; return whether it was there."""
        self._dice.pop(fault_id, None)
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Remove all."""
        self._faults.clear()
        self._dice.clear()

    def take(self, method: str, path: str, idempotency_key: str | None = None) -> Fault | None:
        """Return the oldest one that hits this request, and count the hit."""
        for fault in self._faults.values():
            if fault.hits_request(method, path, idempotency_key) and self._dice[fault.id].random() < fault.share:
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self.remove(fault.id)
                return fault
        return None


def refusal_of(fault: Fault, status: int) -> RefusalError:
    """Return the error that a fault answers with."""
    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        # Never with an exponent, which no client understands.
        headers["Retry-After"] = f"{fault.retry_after:f}".rstrip("0").rstrip(".")
    code = fault.code or CODES.get(status, "internal_error" if status >= 500 else "error")
    return RefusalError(status, fault.error or "A fault was set for this request.", code, headers)
