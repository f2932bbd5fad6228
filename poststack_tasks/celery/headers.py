"""The headers by which this package's jobs are known in a broker. Brokers keep them, so they stay as they are."""

from __future__ import annotations

from typing import Final

__all__ = ["ENQUEUED_AT", "FIRST_ATTEMPT_AT", "GIVEN_UP"]

ENQUEUED_AT: Final = "poststack_enqueued_at"
"""The time of enqueuing, in seconds since 1970. It stays over retries and redeliveries."""
FIRST_ATTEMPT_AT: Final = "poststack_first_attempt_at"
"""The time of the first attempt, in seconds since 1970."""
GIVEN_UP: Final = "poststack_given_up"
"""A dictionary: `reason`, `at` (seconds since 1970), `attempts`, `error`, `message` (without addresses), `status`,
`code`, `expires_at` (seconds since 1970), `exchange` and `routing_key`, which are where the job came from, and
`ignore_result`, as it was."""
