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
    A webhook event has arrived for the first time and is stored. `event` is a `poststack.WebhookEvent`, `sender` the
    view's class, `email` the row it is about or `None`. Without the app installed, repeated events arrive here too.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal

__all__ = ["CancelSend", "RobustSignal", "post_send", "pre_send", "send_failed", "tracking"]

logger = logging.getLogger("poststack.django")


class CancelSend(Exception):  # noqa: N818  # an instruction, not an error
    """Raised by a receiver of `pre_send`: this message is not sent, and nothing is wrong."""


class RobustSignal(Signal):
    """A signal whose failing receivers are logged as warnings.

    Django logs them as errors, which `AdminEmailHandler` sends by e-mail: through this package, and so to the same
    receiver again.
    """

    def _log_robust_failure(self, receiver: Any, err: BaseException) -> None:
        name = getattr(receiver, "__qualname__", repr(receiver))
        logger.warning("The receiver %s failed with %s.", name, type(err).__name__, exc_info=err)


pre_send = Signal()
post_send = RobustSignal()
send_failed = RobustSignal()
tracking = RobustSignal()
