"""The parts of one emulator that the API groups work on, built once and passed to every handler."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from poststack.emulator.account.verification import Domains
from poststack.emulator.api.input_check import InputCheck
from poststack.emulator.audience.contacts import Contacts
from poststack.emulator.faults import Faults
from poststack.emulator.ids import IdSource
from poststack.emulator.lifecycle import Lifecycle
from poststack.emulator.notifying.deliveries import Deliveries
from poststack.emulator.notifying.notifications import Notifications
from poststack.emulator.outreach.broadcasting import Broadcasting
from poststack.emulator.outreach.workflow_runs import WorkflowRuns
from poststack.emulator.settings import Settings
from poststack.emulator.store import Store

__all__ = ["Backend", "Process", "TimeTravel", "Traffic"]


class Process(Protocol):
    """Something in which time brings changes, such as e-mails under way."""

    def run(self, now: float) -> None:
        """Let happen what is due."""
        ...


@dataclass
class TimeTravel:
    """Seconds by which a control request moved the clock, until the shell, which has it, acts on it."""

    seconds: float = 0.0

    def take(self) -> float:
        """Return the seconds and set them back to 0."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


@dataclass
class Traffic:
    """What came in."""

    requests: int = 0
    """Requests to the API, those that a fault hit included, since the start or the last `/_emulator/reset`."""


@dataclass(frozen=True)
class Backend:
    """What a handler may use. The lock of the `Emulator` is held while it runs."""

    settings: Settings
    store: Store
    ids: IdSource
    deliveries: Deliveries
    lifecycle: Lifecycle
    contacts: Contacts
    domains: Domains
    faults: Faults
    notifications: Notifications
    processes: tuple[Process, ...]
    """In the order in which they take their turn: what sends e-mails comes before the e-mails."""
    time_travel: TimeTravel = field(default_factory=TimeTravel)
    traffic: Traffic = field(default_factory=Traffic)
    input_check: InputCheck = field(default_factory=InputCheck)

    @classmethod
    def build(cls, settings: Settings, store: Store, ids: IdSource) -> Backend:
        """Connect the parts."""
        deliveries = Deliveries(store, settings, ids)
        notifications = Notifications(store, settings)
        deliveries.observers.append(notifications.observe)
        lifecycle = Lifecycle(store, settings, deliveries)
        domains = Domains(store, settings, deliveries, ids)
        contacts = Contacts(store, deliveries, ids)
        lifecycle.observers.append(contacts.observe)
        parts = cls(
            settings,
            store,
            ids,
            deliveries,
            lifecycle,
            contacts,
            domains,
            Faults(),
            notifications,
            processes=(domains, lifecycle),
        )
        broadcasting = Broadcasting(parts)
        lifecycle.observers.append(broadcasting.observe)
        workflow_runs = WorkflowRuns(parts)
        contacts.observers.append(workflow_runs.observe)
        return replace(parts, processes=(domains, broadcasting, workflow_runs, lifecycle))

    def run(self, now: float) -> None:
        """Let happen what is due, but for webhook calls, which a shell makes."""
        for process in self.processes:
            process.run(now)
