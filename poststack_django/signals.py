"""Signals about what was sent and what became of it.

Receivers take keyword arguments and `**kwargs`; more may be added. Except for `pre_send`, a receiver that raises is
logged, and nothing else happens: an e-mail that left is never turned into an error.

`pre_send(sender, message)`
    A message is about to be sent, or stored in the outbox. Receivers may change it, or raise `CancelSend` to cancel it;
    any other exception goes to whoever sends, and then no message of the call is sent.
`post_send(sender, message, status, email)`
    The API has accepted a message. `sender` is the backend's class, `status` the `SendStatus` that is also on the
    message, `email` the `SentEmail` row, `None` when nothing is stored.
`send_failed(sender, message, status, error, email)`
    It has not, or gave no answer; also sent when the failure is silenced. `error` is the exception.
`tracking(sender, event, email)`
    A webhook event of any type has arrived and is stored. `event` is a `poststack.WebhookEvent`, `email` the row it is
    about or `None`, `sender` always `poststack_django.webhooks.WebhookView`. The signals below come after it, with the
    same arguments, each for some types only:

    | signal | types |
    |---|---|
    | `delivered` | `email.delivered` |
    | `deferred` | `email.deferred`, `email.soft_bounced`: PostStack tries again |
    | `bounced` | `email.bounced` |
    | `failed` | `email.failed` |
    | `complained` | `email.complained` |
    | `unsubscribed` | `email.unsubscribed` |
    | `opened` | `email.opened` |
    | `clicked` | `email.clicked` |
    | `inbound` | `email.inbound`, `inbound_email.received` |

    Receivers of these signals are called once for each event, after it is stored for good. Those that raised, and all
    of them when the process died before, are called again by `manage.py poststack_retry_receivers`: write them so that
    being called twice does no harm. Called again, they are given what is stored, in which addresses are fingerprints
    if the settings want that. Without the app installed nothing is stored, so repeated events call them, too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.dispatch import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "CancelSend",
    "RobustSignal",
    "bounced",
    "clicked",
    "complained",
    "deferred",
    "delivered",
    "failed",
    "inbound",
    "opened",
    "post_send",
    "pre_send",
    "receiver_name",
    "send_failed",
    "tracking",
    "unsubscribed",
]

logger = logging.getLogger("poststack.django")


def receiver_name(receiver: Callable[..., Any]) -> str:
    """Return the name of a receiver that it has in every process: its module and qualified name.

    An object that is called has the name of its class. Receivers of one name, such as two lambdas of a module, are told
    apart by nothing, so they are called again together.
    """
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    return f"{named.__module__}.{named.__qualname__}"


class CancelSend(Exception):  # noqa: N818  # an instruction, not an error
    """Raised by a receiver of `pre_send`: this message is not sent, and nothing is wrong."""


class RobustSignal(Signal):
    """A signal whose failing receivers are logged as warnings.

    Django logs them as errors, which `AdminEmailHandler` sends by e-mail: through this package, and so to the same
    receiver again.
    """

    def names(self, sender: Any) -> set[str]:
        """Return the names of the receivers that this sender reaches."""
        return {receiver_name(receiver) for receiver in self._reached(sender)}

    def only(self, sender: Any, names: Collection[str]) -> RobustSignal:
        """Return a signal that reaches, of the receivers that this sender reaches, those with one of these names."""
        chosen = RobustSignal()
        for receiver in self._reached(sender):
            if receiver_name(receiver) in names:
                chosen.connect(receiver, weak=False)
        return chosen

    def _reached(self, sender: Any) -> list[Callable[..., Any]]:
        synchronous, asynchronous = self._live_receivers(sender)
        return [*synchronous, *asynchronous]

    def _log_robust_failure(self, receiver: Any, err: BaseException) -> None:
        logger.warning("The receiver %s failed with %s.", receiver_name(receiver), type(err).__name__, exc_info=err)


pre_send = Signal()
post_send = RobustSignal()
send_failed = RobustSignal()
tracking = RobustSignal()
delivered = RobustSignal()
deferred = RobustSignal()
bounced = RobustSignal()
failed = RobustSignal()
complained = RobustSignal()
unsubscribed = RobustSignal()
opened = RobustSignal()
clicked = RobustSignal()
inbound = RobustSignal()
