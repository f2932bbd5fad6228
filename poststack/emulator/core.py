"""One emulator: requests in, responses out, and what happens in between as time passes. No I/O, no clock.

Every call says what time it is. A shell (the server, the in-memory transport) has the clock, asks what is
due, makes the webhook calls, and reports what came of them. All methods may be called from any thread.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from poststack.emulator.api import webhooks
from poststack.emulator.api.answers import RefusalError, Reply, encoded, not_found
from poststack.emulator.api.auth import RateLimiter, authenticate
from poststack.emulator.api.call import Call
from poststack.emulator.api.checked_routes import handled
from poststack.emulator.api.notification_channels import test_json
from poststack.emulator.backend import Backend
from poststack.emulator.control import emails as control
from poststack.emulator.control import inbound as control_inbound
from poststack.emulator.faults import Fault, refusal_of
from poststack.emulator.ids import IdSource, random_ids
from poststack.emulator.lifecycle import NotPossibleError
from poststack.emulator.model import Attempt, Email, EventType, Webhook
from poststack.emulator.notifying.deliveries import WebhookCall
from poststack.emulator.receiving import reception
from poststack.emulator.receiving.inbound import InboundEmail
from poststack.emulator.routers import API, CONTROL
from poststack.emulator.settings import Settings
from poststack.emulator.store import Journal, Store
from poststack.transports.base import HttpRequest, HttpResponse
from poststack.types import DnsPurpose

__all__ = ["Answer", "Emulator", "NotPossibleError"]

_logger = logging.getLogger("poststack.emulator")


@dataclass(frozen=True)
class Answer:
    """What the client sees: a response, or with `None` a dropped connection, `delay` seconds late.

    `advance` is by how many seconds the shell is to move its clock ahead, because a control request said so. With the
    number of a `pending` delivery the shell is to wait until `Emulator.outcome` has a response to show in place of this
    one.
    """

    response: HttpResponse | None
    delay: float = 0.0
    advance: float = 0.0
    pending: int | None = None


class Emulator:
    """The state of one emulator and everything that can be done to it.

    What it knows is in `store`, to be read only.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        journal: Journal | None = None,
        ids: IdSource = random_ids,
    ) -> None:
        self.settings: Settings = settings or Settings()
        self.store: Store = Store(
            journal=journal, max_emails=self.settings.max_emails, max_bytes=self.settings.max_bytes
        )
        self._backend = Backend.build(self.settings, self.store, ids)
        self._ids = ids
        self._limiter = RateLimiter(self.settings.rate_limit)
        self._lock = threading.RLock()
        self._listeners: list[Callable[[], None]] = []

    def answer(self, request: HttpRequest, now: float) -> Answer:
        """Answer as the client is to see it: with the faults that are set, except for control requests."""
        try:
            call = Call.read(request, now)
        except RefusalError:
            return Answer(self.handle(request, now))
        if _is_control(call.path):
            response = self.handle(request, now)
            with self._lock:
                return Answer(response, advance=self._backend.time_travel.take())
        with self._lock:
            self._backend.traffic.requests += 1
            fault = self._backend.faults.take(request.method, call.path, call.headers.get("idempotency-key"))
        if fault is None:
            response, pending = self._handled(request, now)
            return Answer(response, pending=pending)
        if fault.kind == "reset":
            return Answer(None, fault.delay)
        if fault.kind == "answer" and fault.status is not None:
            return Answer(self.refuse(refusal_of(fault, fault.status)), fault.delay)
        response, pending = self._handled(request, now)
        return Answer(None, fault.delay) if fault.kind == "lost_answer" else Answer(response, fault.delay, 0.0, pending)

    def handle(self, request: HttpRequest, now: float) -> HttpResponse:
        """Answer one request as the API does, whatever the request is; faults are not looked at."""
        return self._handled(request, now)[0]

    def outcome(self, answer: Answer) -> HttpResponse | None:
        """Return the response for an answer with a `pending` delivery; `None` while that was not tried."""
        with self._lock:
            delivery = self.store.channel_deliveries.get(answer.pending or 0)
            if delivery is None or answer.response is None:
                return answer.response
            return answer.response._replace(body=encoded(test_json(delivery))) if delivery.attempts else None

    def _handled(self, request: HttpRequest, now: float) -> tuple[HttpResponse, int | None]:
        headers = {"X-Request-Id": self._request_id()}
        try:
            call = Call.read(request, now)
            if len(call.body) > self.settings.max_body:
                raise self.too_large()
            with self._changing():
                self._backend.run(now)
                reply = self._control(call) if _is_control(call.path) else self._api(call, headers)
        except RefusalError as refusal:
            reply = refusal.reply
        except Exception:
            # The last line of defence: a bug must not end the emulator for everybody else.
            _logger.exception("A request failed inside the emulator")
            reply = RefusalError(500, "The emulator failed on this request; its log says why.").reply
        return reply.response(headers), reply.pending

    def too_large(self) -> RefusalError:
        """Return the refusal of a body above the limit, for shells that need not read all of it to know."""
        return RefusalError(413, f"The body is larger than {self.settings.max_body} bytes.")

    def refuse(self, refusal: RefusalError) -> HttpResponse:
        """Return a refusal as a response, with a request id like any other."""
        return refusal.reply.response({"X-Request-Id": self._request_id()})

    def next_due(self) -> float | None:
        """Return when something is to happen next; `None` when nothing is planned."""
        with self._lock:
            return self.store.next_due()

    def run_due(self, now: float) -> list[WebhookCall]:
        """Let happen what is due, and return the webhook calls to make; each must be given to `record`."""
        with self._changing():
            self._backend.run(now)
            return [*self._backend.deliveries.due(now), *self._backend.notifications.due(now)]

    def record(self, delivery_id: int, attempt: Attempt, now: float) -> None:
        """Keep what came of a webhook call."""
        with self._changing():
            # Each of them ignores what is not its own.
            self._backend.deliveries.record(delivery_id, attempt, now)
            self._backend.notifications.record(delivery_id, attempt, now)

    def abandon(self, calls: Sequence[WebhookCall]) -> None:
        """Give back webhook calls that were not made."""
        with self._changing():
            self._backend.deliveries.abandon(calls)
            self._backend.notifications.abandon(calls)

    def simulate(
        self,
        email_id: str,
        event: EventType,
        now: float,
        *,
        recipient: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        person: Mapping[str, str] | None = None,
        prefetch: bool = False,
    ) -> Email:
        """Let an event happen to an e-mail, at one recipient or all; with `prefetch` a machine opens it, not a person.

        Raises `NotPossibleError`, `KeyError` for an unknown id.
        """
        with self._changing():
            email = self._known(email_id)
            self._backend.run(now)
            self._backend.lifecycle.simulate(
                email, event, now, recipient=recipient, metadata=metadata, person=person, prefetch=prefetch
            )
            return email

    def set_dns(self, domain_id: int, unpublished: Sequence[DnsPurpose], now: float, *, readable: bool) -> None:
        """Change what the DNS of a domain has. Raises `KeyError` for an unknown id, `ValueError` for no purposes."""
        with self._changing():
            domain = self.store.domains.get(domain_id)
            if domain is None:
                raise KeyError(f"No domain has the id {domain_id!r}; it is a whole number, the `id` of a domain.")
            self._backend.run(now)
            self._backend.domains.set_dns(domain, unpublished, now, readable=readable)

    def set_unread(self, email_id: str, unread: bool) -> None:
        """Mark an e-mail as read or unread. Raises `KeyError` for an unknown id."""
        with self._changing():
            self.store.set_unread(self._known(email_id), unread)

    def mark_all_read(self) -> None:
        """Mark every e-mail as read, as one change."""
        with self._changing():
            for email in self.store.accepted():
                self.store.set_unread(email, False)

    def delete_email(self, email_id: str) -> None:
        """Delete an e-mail with its events and deliveries. Raises `KeyError` for an unknown id."""
        with self._changing():
            self.store.remove_email(self._known(email_id))

    def delete_emails(self) -> int:
        """Delete all e-mails; return how many."""
        with self._changing():
            found = self.store.accepted()
            for email in found:
                self.store.remove_email(email)
            return len(found)

    def receive(
        self, mail: bytes | Mapping[str, Any], now: float, *, recipients: Sequence[str] = ()
    ) -> list[InboundEmail]:
        """Let a mail come in, as bytes or as `POST /_emulator/inbound` takes it; return a record for each recipient.

        `recipients` get it whatever its headers say. Raises `ValueError` for what is no mail, or is for nobody here.
        """
        with self._changing():
            self._backend.run(now)
            try:
                return control_inbound.take_in(self._backend, mail, list(recipients), now)
            except RefusalError as refusal:
                raise ValueError(refusal.error) from refusal

    def set_inbound_unread(self, number: int, unread: bool) -> None:
        """Mark a received mail as read or unread. Raises `KeyError` for an unknown number."""
        with self._changing():
            email = self._known_inbound(number)
            if email.unread != unread:
                email.unread = unread
                self.store.inbound_emails.save(email)

    def delete_inbound(self, number: int) -> None:
        """Delete a received mail with its files and deliveries. Raises `KeyError` for an unknown number."""
        with self._changing():
            reception.remove(self.store, self._known_inbound(number))

    def delete_all_inbound(self) -> int:
        """Delete all received mails; return how many."""
        with self._changing():
            return reception.remove_all(self.store)

    def replay(self, delivery_id: int, now: float) -> None:
        """Send a webhook delivery again. Raises `KeyError` for an unknown id."""
        with self._changing():
            delivery = self.store.delivery(delivery_id)
            if delivery is None:
                raise KeyError(f"No webhook delivery has the id {delivery_id!r}; it is a whole number.")
            self._backend.deliveries.replay(delivery, now)

    def add_webhook(self, url: str, events: Sequence[str], now: float, *, secret: str | None = None) -> Webhook:
        """Register an endpoint, or with the same URL change its events and secret.

        Raises `ValueError` for a bad URL and for an event type that there is not.
        """
        with self._changing():
            try:
                webhooks.report_events(self._backend, "A webhook", events, strict=True)
                known = next((webhook for webhook in self.store.webhooks.all() if webhook.url == url), None)
                if known is None:
                    return webhooks.add_webhook(self._backend, url, list(events), now, secret=secret)
            except RefusalError as refusal:
                raise ValueError(refusal.error) from refusal
            known.events = list(events)
            known.secret = secret or known.secret
            self.store.webhooks.save(known)
            return known

    def fail(
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
        """Let the next requests go wrong; see `Fault`.

        Raises `ValueError` for a fault that makes no sense.
        """
        with self._lock:
            return self._backend.faults.add(
                status,
                times=times,
                path=path,
                method=method,
                delay=delay,
                retry_after=retry_after,
                code=code,
                error=error,
                reset=reset,
                lost_answer=lost_answer,
                share=share,
                seed=seed,
                idempotency_key=idempotency_key,
            )

    def warnings(self) -> list[str]:
        """Return what requests had that the API does not know, each once per route, oldest first."""
        with self._lock:
            return list(self._backend.input_check.warnings)

    def faults(self) -> list[Fault]:
        """Return the faults that still wait for requests, oldest first."""
        with self._lock:
            return self._backend.faults.all()

    def remove_fault(self, fault_id: int) -> bool:
        """Remove one fault; return whether it was there."""
        with self._lock:
            return self._backend.faults.remove(fault_id)

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._backend.faults.clear()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, in the thread that made it; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Commit, and let go of the data file."""
        with self._lock:
            self.store.close()

    @contextmanager
    def _changing(self) -> Generator[None]:
        with self._lock:
            before = self.store.revision
            try:
                yield
            finally:
                self.store.commit()
            changed = self.store.revision != before
        if changed:
            for listener in list(self._listeners):
                listener()

    def _api(self, call: Call, headers: dict[str, str]) -> Reply:
        found = API.find(call)
        if found is None:
            raise not_found("Route")
        route, arguments = found
        if not route.public:
            key, caller = authenticate(self._backend, call.headers.get("authorization"), call.now)
            headers.update(self._limiter.count(key, call.now))
            route.admit(caller)
            call = dataclasses.replace(call, caller=caller)
        return handled(self._backend, route, call, arguments, strict=self.settings.strict)

    def _control(self, call: Call) -> Reply:
        found = CONTROL.find(call)
        if found is None:
            raise not_found("Route")
        route, arguments = found
        # These routes are the emulator's own: nothing is sent to them that is new in the API.
        return handled(self._backend, route, call, arguments, strict=True)

    def _known(self, email_id: str) -> Email:
        email = self.store.email(email_id)
        if email is None:
            raise KeyError(f"No e-mail has the id {email_id!r}; ids of e-mails look like em_….")
        return email

    def _known_inbound(self, number: int) -> InboundEmail:
        email = self.store.inbound_emails.get(number)
        if email is None:
            raise KeyError(f"No received mail has the id {number!r}; it is the whole number that `receive` returns.")
        return email

    def _request_id(self) -> str:
        return "req_" + self._ids(18)


def _is_control(path: str) -> bool:
    return path == control.PREFIX or path.startswith(control.PREFIX + "/")
