"""Taking e-mails in, once per idempotency key (`poststack-api` §5)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from poststack.emulator.api.answers import unprocessable
from poststack.emulator.api.call import Call
from poststack.emulator.api.compose import canonical, compose, without_suppressed
from poststack.emulator.api.fields import moment, optional_text
from poststack.emulator.api.senders import check_scope
from poststack.emulator.backend import Backend

__all__ = ["send"]

# No header can carry every character, the body can; what is left out are control characters.
_KEY = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
# The key says that two payloads are one e-mail, so it is not part of it; the window is accepted and ignored.
_NOT_COMPARED = frozenset({"idempotency_key", "idempotency_window_hours"})


def send(backend: Backend, call: Call, payload: Mapping[str, Any], *, index: int | None = None) -> dict[str, Any]:
    """Accept one e-mail, or find the one that was accepted under the same key; return what the API answers.

    `index` is the place in a batch. Only acceptance consumes a key: after a refusal the same key can be
    tried again.
    """
    key = _key(call, payload, index)
    compared = {name: value for name, value in payload.items() if name not in _NOT_COMPARED}
    fingerprint = hashlib.sha256(canonical(compared)).hexdigest()
    answer: dict[str, Any] = {"test_mode": True} if call.test_mode else {}
    earlier = None if key is None else backend.store.email_by_key(call.test_mode, key)
    if earlier is not None:
        if earlier.fingerprint != fingerprint:
            raise unprocessable("The idempotency key was already used with another payload.")
        check_scope(backend, earlier.message.from_, call.caller)
        return {"id": earlier.id, "replayed": True, **answer}
    scheduled = optional_text(payload, "scheduled_at")
    scheduled_at = None if scheduled is None else moment(scheduled, "scheduled_at")
    message = without_suppressed(backend, compose(backend, payload, call.caller))
    email = backend.lifecycle.accept(
        message,
        "em_" + backend.ids(18),
        call.now,
        test_mode=call.test_mode,
        scheduled_at=scheduled_at,
        idempotency_key=key,
        fingerprint=fingerprint,
    )
    return {"id": email.id, **answer}


def _key(call: Call, payload: Mapping[str, Any], index: int | None) -> str | None:
    # The key of the body comes first; a header covers a whole batch, so there the place qualifies it.
    body_key = optional_text(payload, "idempotency_key")
    key = call.headers.get("idempotency-key") if body_key is None else body_key
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise unprocessable("An idempotency key has 1 to 255 characters, none of them a control character.")
    return f"batch {index}: {key}" if body_key is None and index is not None else f"single: {key}"
