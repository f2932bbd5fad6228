"""How an emulator behaves, in one frozen value. Every default is documented in `docs/emulator.md`."""

from __future__ import annotations

from dataclasses import dataclass

from poststack.emulator.api.addresses import parse_address
from poststack.emulator.api.answers import RefusalError

__all__ = ["DEFAULT_RETRY_DELAYS", "Settings"]

MEBIBYTE = 1024 * 1024

# Eight attempts: at once, then after a delay that grows fourfold; the last one 22 h 45 min after the first.
DEFAULT_RETRY_DELAYS = tuple(15.0 * 4**step for step in range(7))


@dataclass(frozen=True)
class Settings:
    """What can be chosen when an emulator starts. Delays and timeouts are in seconds, sizes in bytes."""

    api_keys: tuple[str, ...] = ()
    """Keys that are accepted; when empty, every key that starts with `sk_test_`."""

    domains: tuple[str, ...] | None = None
    """Verified sender domains, which are there from the start; `None` accepts every domain that nobody added."""

    rate_limit: int = 0
    """Requests per second and key; 0 switches the limiter off."""

    delivery_delay: float = 0.5
    """From acceptance to `delivered`; `sent` comes half-way."""

    verification_delay: float = 1.0
    """From asking for a domain's verification to its outcome."""

    defer_delay: float = 60.0
    """From `deferred` to `delivered`, for recipients that defer."""

    retry_delays: tuple[float, ...] = DEFAULT_RETRY_DELAYS
    """Waits between the attempts of a webhook delivery; one attempt more than there are waits."""

    webhook_timeout: float = 10.0
    """For one attempt of a webhook delivery, answer included."""

    disable_webhook_after: int | None = None
    """Failed deliveries in a row after which a webhook is disabled; `None` never disables one."""

    max_emails: int = 10_000
    """E-mails that are kept; the oldest go first."""

    max_bytes: int = 512 * MEBIBYTE
    """Total size of the bodies and attachments that are kept; the oldest e-mails go first."""

    max_body: int = 40 * MEBIBYTE
    """The largest request body; a larger one is answered with 413."""

    max_recipients: int = 50
    """Recipients in each of to, cc and bcc."""

    workflow_sender: str | None = None
    """From whom workflows send where a step has no `from`; with `None` such a workflow cannot be activated."""

    broadcast_batch: int = 100
    """E-mails of a broadcast that leave together."""

    broadcast_interval: float = 0.1
    """From one batch of a broadcast to the next, at least 0.001; the first leaves so long after sending began."""

    def __post_init__(self) -> None:
        # A text is a sequence of its characters, each of which would be a key or a domain.
        for name in ("api_keys", "domains"):
            if isinstance(getattr(self, name), (str, bytes)):
                raise ValueError(f'{name} is a tuple, also for a single one: {name}=("…",).')
        if not all(self.api_keys):
            raise ValueError("An API key must not be empty.")
        if self.max_emails < 1 or self.max_bytes < 1 or self.max_body < 1 or self.max_recipients < 1:
            raise ValueError("The limits max_emails, max_bytes, max_body and max_recipients must be at least 1.")
        if self.broadcast_batch < 1 or not 0.001 <= self.broadcast_interval < float("inf"):
            raise ValueError("broadcast_batch must be at least 1, and broadcast_interval a finite 0.001 or more.")
        if self.workflow_sender == "":
            raise ValueError("workflow_sender must not be empty; None sets no sender.")
        if self.workflow_sender is not None:
            try:
                parse_address(self.workflow_sender, "workflow_sender")
            except RefusalError as refusal:
                raise ValueError(
                    f"{refusal.error} Give an address, such as shop@example.com or Shop <shop@example.com>."
                ) from refusal
        times = (self.delivery_delay, self.verification_delay, self.defer_delay, *self.retry_delays)
        if not all(0 <= delay < float("inf") for delay in times) or not 0 < self.webhook_timeout < float("inf"):
            raise ValueError("Delays must be finite and not negative, and webhook_timeout must be above 0.")
        if self.rate_limit < 0 or (self.disable_webhook_after is not None and self.disable_webhook_after < 1):
            raise ValueError("rate_limit must not be negative, and disable_webhook_after must be at least 1.")
