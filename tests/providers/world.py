"""A world of providers in memory that knows what it has delivered to whom, and does what a script says.

Each request meets the next fate of the script: its e-mails are taken or not, and its answer comes or not, or is no
answer of the provider's. Time passes only when somebody waits or a fate is slow. The wire formats are the real ones.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, cast

from poststack.mailbridge import KeyClaim, MemoryKeyStore
from poststack.transports._smtp_dialogue import SmtpAnswer, SmtpReply, SmtpRequest
from poststack.transports.base import HttpRequest, HttpResponse, TransportError, TransportTimeoutError
from tests.scripted import FakeClock

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "brevo": {"api_key": "xkeysib-1"},
    "postmark": {"server_token": "t"},
    "poststack": {"api_key": "sk_test_1"},
    "sendgrid": {"api_key": "SG.1"},
    "smtp": {"host": "mail.example.org"},
}
BREVO_REMEMBERS: Final = 1800.0

NOT_TAKEN: Final = (
    "refused", "never arrived", "500", "502", "503", "503 soon", "503 late", "429", "429 soon", "429 late", "400",
    "401", "402", "403", "404", "408", "413", "422",
)  # fmt: skip
TAKEN: Final = ("accepted", "slow", "lost", "reset", "too slow", "garbled", "odd", "raises", "partial")
DEADLY: Final = ("killed before", "killed after", "cancelled before", "cancelled after")


class Killed(BaseException):
    """The process ends here: nothing of the library may catch it."""


class Email(NamedTuple):
    """One e-mail of a request: to whom, and its key at a provider that minds one."""

    recipient: str
    key: str | None = None


class World:
    """What all providers together have done."""

    def __init__(self, script: Sequence[str]) -> None:
        self.script = list(script)
        self.clock = LockedClock()
        self.delivered: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        """The recipients for whom each id stands."""
        self.dead = False
        self.cancel: Callable[[], object] | None = None
        self.lock = threading.RLock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._keys: dict[tuple[str, str], tuple[str, float]] = {}

    def fate(self, provider: str, first: str) -> str:
        """Return what happens to a request; it depends on what is in it, not on which thread is the fastest."""
        self._requests[provider, first] += 1
        place = zlib.crc32(f"{provider} {first}".encode()) + self._requests[provider, first]
        return self.script[place % len(self.script)]

    def take(self, provider: str, email: Email, message_id: str | None = None) -> tuple[str, bool]:
        """Deliver an e-mail and return its id; one with a known key is not delivered again."""
        if email.key is not None:
            known = self._keys.get((provider, email.key))
            if known is not None and (provider != "brevo" or self.clock.now < known[1] + BREVO_REMEMBERS):
                return known[0], True
        self.delivered[email.recipient] += 1
        message_id = message_id or f"{provider}-{self.delivered.total()}"
        self.ids.setdefault(message_id, set()).add(email.recipient)
        if email.key is not None:
            self._keys[provider, email.key] = (message_id, self.clock.now)
        return message_id, False


class LockedClock(FakeClock):
    """May be waited for by several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            super().sleep(seconds)


class WorldTransport:
    """Carries requests to one provider of the world."""

    def __init__(self, world: World, provider: str) -> None:
        self.world = world
        self.provider = provider
        self.clock = world.clock

    def send(self, request: Any) -> Any:
        with self.world.lock:
            return self._met(request)

    async def asend(self, request: Any) -> Any:
        import anyio

        await anyio.sleep(0)
        try:
            return self.send(request)
        finally:
            # A cancellation that comes before the answer is felt here, one of a moment later by the caller.
            if self._cancelled == "before":
                await anyio.sleep(0)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    _cancelled = ""

    def _met(self, request: Any) -> Any:
        world = self.world
        if world.dead:
            raise Killed
        if request.deadline is not None and world.clock.now >= request.deadline:
            raise TransportTimeoutError("the deadline has passed", request_sent=False)
        emails = emails_of(self.provider, request)
        fate = world.fate(self.provider, emails[0].recipient)
        if fate == "killed before":
            world.dead = True
            raise Killed
        if fate == "refused":
            raise TransportError("refused", request_sent=False)
        if fate == "never arrived":
            raise TransportTimeoutError("timed out")
        if fate in NOT_TAKEN:
            return refusal(self.provider, fate)
        answer = accepted(world, self.provider, request, emails, partially=fate == "partial")
        if fate == "killed after":
            world.dead = True
            raise Killed
        self._cancelled = fate.partition(" ")[2] if fate.startswith("cancelled") else ""
        if self._cancelled and world.cancel is not None:
            world.cancel()
        return self._said(fate, answer, request)

    def _said(self, fate: str, answer: Any, request: Any) -> Any:
        if fate == "raises":
            raise RuntimeError("a defect of a transport")
        if fate in {"slow", "too slow"}:
            self.clock.sleep(20.0 if fate == "slow" else request.timeout)
        is_late = request.deadline is not None and self.clock.now >= request.deadline
        if fate in {"lost", "too slow"} or is_late:
            raise TransportTimeoutError("timed out")
        if fate == "reset":
            raise TransportError("reset")
        if isinstance(request, SmtpRequest):
            return answer
        if fate == "garbled":
            return HttpResponse(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
        return HttpResponse(200, {}, b'{"strange": true}') if fate == "odd" else answer


def emails_of(provider: str, request: Any) -> list[Email]:
    """Return what a request carries, read as the provider reads it."""
    if isinstance(request, SmtpRequest):
        return [Email(recipient) for recipient in request.recipients]
    assert isinstance(request, HttpRequest)
    body: Any = json.loads(request.body or b"")
    if provider == "sendgrid":
        return [Email(one["to"][0]["email"]) for one in body["personalizations"]]
    if provider == "brevo":
        key = body["headers"]["idempotencyKey"]
        # The key is that of the request, so it stands for all of its versions.
        versions = body.get("messageVersions", [body])
        return [Email(one["to"][0]["email"], f"{key} {number}") for number, one in enumerate(versions)]
    if provider == "postmark":
        items = cast("list[dict[str, Any]]", body if isinstance(body, list) else [body])
        return [Email(one["To"]) for one in items]
    return [Email(one["to"][0], one["idempotency_key"]) for one in body.get("emails", [body])]


def refusal(provider: str, fate: str) -> Any:
    """Return the answer of a provider that takes nothing."""
    status, _, hint = fate.partition(" ")
    if provider == "smtp":
        reply = SmtpReply(421, "4.3.2 Later") if status >= "5" else SmtpReply(550, "5.1.1 Nobody")
        return SmtpAnswer(SmtpReply(451, "4.7.28 Too fast") if status == "429" else reply, "mail")
    headers = {"retry-after": "1" if hint == "soon" else "120"} if hint else {}
    code = {"sendgrid": None, "brevo": "invalid_parameter", "postmark": 300, "poststack": "refused"}[provider]
    said: dict[str, Any] = {"message": "No", "code": code, "ErrorCode": code, "Message": "No", "error": "No"}
    return HttpResponse(int(status), headers, b"<html>No</html>" if status == "502" else json.dumps(said).encode())


def accepted(world: World, provider: str, request: Any, emails: Sequence[Email], *, partially: bool) -> Any:
    """Deliver, and return what the provider answers."""
    if provider == "smtp":
        queued = [world.take(provider, email)[0] for email in emails]
        return SmtpAnswer(SmtpReply(250, f"2.0.0 Ok: queued as {queued[0]}"), "end")
    if provider == "sendgrid":
        message_id = f"sendgrid-{world.delivered.total()}"
        for email in emails:
            world.take(provider, email, message_id)
        return HttpResponse(202, {"x-message-id": message_id})
    if provider == "brevo":
        taken = [world.take(provider, email) for email in emails]
        if any(is_known for _, is_known in taken):
            return HttpResponse(400, {}, b'{"code": "duplicate_request", "message": "It is there already"}')
        ids = [message_id for message_id, _ in taken]
        said = {"messageId": ids[0]} if len(ids) == 1 else {"messageIds": ids}
        return HttpResponse(201, {}, json.dumps(said).encode())
    items = [
        PARTS[provider](world, email, zlib.crc32(email.recipient.encode()) % 5 if partially else 0) for email in emails
    ]
    if request.url.endswith("/batch"):
        whole = {"data": items} if provider == "poststack" else items
    elif "error" in items[0] or items[0].get("ErrorCode"):
        return HttpResponse(422, {}, json.dumps(items[0]).encode())
    else:
        whole = items[0]
    return HttpResponse(202 if provider == "poststack" else 200, {}, json.dumps(whole).encode())


def _postmark(world: World, email: Email, part: int) -> dict[str, Any]:
    if part in {1, 2, 3}:
        return {"ErrorCode": {1: 406, 2: 429, 3: 100}[part], "Message": "No"}
    message_id, _ = world.take("postmark", email)
    return {"strange": True} if part == 4 else {"ErrorCode": 0, "Message": "OK", "MessageID": message_id}


def _poststack(world: World, email: Email, part: int) -> dict[str, Any]:
    if part in {1, 2}:
        return {"error": "No", "code": {1: "suppressed", 2: "daily_cap_exceeded"}[part]}
    message_id, is_known = world.take("poststack", email)
    return {"strange": True} if part == 4 else {"id": message_id, **({"replayed": True} if is_known else {})}


PARTS: Final = {"postmark": _postmark, "poststack": _poststack}


class WorldKeyStore(MemoryKeyStore):
    """Outlives the death of the process that uses it, and fails when it is told to."""

    def __init__(self, world: World, fails: Sequence[bool] = ()) -> None:
        super().__init__()
        self.world = world
        self.fails = list(fails)

    def begin(self, key: str, provider: str) -> KeyClaim:
        self._may_fail()
        return super().begin(key, provider)

    def finish(self, key: str, message_id: str | None) -> None:
        self._may_fail()
        super().finish(key, message_id)

    def abandon(self, key: str) -> None:
        self._may_fail()
        super().abandon(key)

    def told(self, key: str) -> str:
        """Return the state of a key without changing it."""
        claim = super().begin(key, "nobody")
        if claim.state == "new":
            super().abandon(key)
        return claim.state

    def _may_fail(self) -> None:
        if self.world.dead:
            raise Killed
        with self.world.lock:
            fails = bool(self.fails) and self.fails.pop()
        if fails:
            raise OSError("no store")
