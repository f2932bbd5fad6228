"""Blinker signals about what was sent and what became of it. The sender is always the application.

`email_sent(app, message, id)`
    The API has accepted an e-mail. `message` is a `poststack_flask.sent.SentMessage`, `id` the `em_…` id. A receiver
    that raises is logged: an e-mail that left is never turned into an error.
`tracking(app, event)`
    A webhook event of any type has arrived. `event` is a `poststack.WebhookEvent`. The signals below are sent with it,
    with the same argument, each for some types only:

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

    Each receiver is called once for each event. One that raises is called again when PostStack repeats the event.

Receivers take the application and keyword arguments, to which more may be added: `def receiver(app, event, **kwargs)`.
They may be `async def`. Signals hold receivers weakly, so connect functions of modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from blinker import NamedSignal, Namespace

__all__ = [
    "SIGNALS_OF_TYPE",
    "bounced",
    "clicked",
    "complained",
    "deferred",
    "delivered",
    "email_sent",
    "failed",
    "inbound",
    "opened",
    "tracking",
    "unsubscribed",
]

_signals = Namespace()

email_sent: Final = _signals.signal("email-sent")
tracking: Final = _signals.signal("tracking")
delivered: Final = _signals.signal("delivered")
deferred: Final = _signals.signal("deferred")
bounced: Final = _signals.signal("bounced")
failed: Final = _signals.signal("failed")
complained: Final = _signals.signal("complained")
unsubscribed: Final = _signals.signal("unsubscribed")
opened: Final = _signals.signal("opened")
clicked: Final = _signals.signal("clicked")
inbound: Final = _signals.signal("inbound")

SIGNALS_OF_TYPE: Final[Mapping[str, NamedSignal]] = {
    "email.delivered": delivered,
    "email.deferred": deferred,
    "email.soft_bounced": deferred,
    "email.bounced": bounced,
    "email.failed": failed,
    "email.complained": complained,
    "email.unsubscribed": unsubscribed,
    "email.opened": opened,
    "email.clicked": clicked,
    "email.inbound": inbound,
    "inbound_email.received": inbound,
}
