"""Sending after the response, without losing sight of what became of it.

What waits here is in the memory of one process: a crash loses it, and so may a shutdown. Mail that must not be lost
belongs into a queue.
"""

from __future__ import annotations

import copy
import inspect
import json
import logging
import uuid
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from anyio import get_cancelled_exc_class
from starlette.concurrency import run_in_threadpool

from poststack import PostStack, PostStackError, checked_email
from poststack.mailbridge.configured import is_mailer

if TYPE_CHECKING:
    from starlette.background import BackgroundTasks

    from poststack import AsyncPostStack
    from poststack.mailbridge import AsyncMailer
    from poststack.types import SendEmail

__all__ = ["send_in_background"]

logger: logging.Logger = logging.getLogger("poststack.fastapi")

_PREFIX: Final = "background-"


def send_in_background(
    tasks: BackgroundTasks,
    client: AsyncPostStack | AsyncMailer,
    payload: SendEmail,
    *,
    on_failure: Callable[[Exception], object] | None = None,
) -> str:
    """Send an e-mail once the response is out, and return its idempotency key: the payload's own, or a new one.

    Through a provider that knows no keys, by a MailBridge without a store of them, it is sent without one, and what is
    returned is no more than its name in the log. Raises `ValueError` now for a payload that could not be sent,
    `TypeError` for a synchronous client. What fails later
    does not keep the tasks after it from running: the logger `poststack.fastapi` tells of it, and `on_failure` gets the
    error, if it is given; `async def` or not, then in a thread. A `PostStackError` whose `may_have_taken_effect` is
    true must only be repeated with the key that this returns. A shutdown that does not wait, and tasks that never run,
    are in the log only.
    """
    given_client: object = client
    if isinstance(given_client, PostStack) or is_mailer(given_client, asynchronous=False):
        # It would send, and then fail at the `await`.
        raise TypeError(
            "send_in_background needs an AsyncPostStack or AsyncMailBridge: that of PostStackDep, also in `def` routes."
        )
    checked = checked_email(payload)
    _check_json(checked)
    given = cast("object", checked.get("idempotency_key"))
    key = given.strip() if isinstance(given, str) and given.strip() else f"{_PREFIX}{uuid.uuid4()}"
    # A copy: the route may go on to use its own for the next e-mail.
    fixed = cast("SendEmail", {**copy.deepcopy(checked), "idempotency_key": key})
    if is_mailer(given_client):
        mailer = cast("AsyncMailer", given_client)
        if key.startswith(_PREFIX) and mailer.keys is None and not mailer.minds_keys():
            del fixed["idempotency_key"]
        mailer.emails.check(fixed)
    tasks.add_task(_Sending(client, fixed, key, on_failure))
    return key


class _Sending:
    """One e-mail that waits for its turn."""

    def __init__(
        self,
        client: AsyncPostStack | AsyncMailer,
        payload: SendEmail,
        key: str,
        on_failure: Callable[[Exception], object] | None,
    ) -> None:
        self._client = client
        self._payload = payload
        # A key of the application's own may be made of an address.
        self._name = key if key.startswith(_PREFIX) else "with a key of its own"
        self._on_failure = on_failure
        self._never_run = weakref.finalize(self, _log_never_run, self._name)

    async def __call__(self) -> None:
        self._never_run.detach()
        try:
            sent = await self._client.emails.send(self._payload)
        except get_cancelled_exc_class():
            logger.error(
                "The e-mail %s was interrupted, as by a shutdown that does not wait. Whether it was accepted is "
                "unknown; repeat it only with the same idempotency key.",
                self._name,
            )
            raise
        except PostStackError as error:
            logger.error(
                "The e-mail %s failed: %s, status %d, code %s, request %s. %s",
                self._name,
                type(error).__name__,
                error.status_code,
                error.code,
                error.request_id,
                "It may have been accepted." if error.may_have_taken_effect else "It was not accepted.",
            )
            await self._tell(error)
        except Exception as error:  # whatever it is, the tasks after this one run
            logger.exception("The e-mail %s failed: %s.", self._name, type(error).__name__)
            await self._tell(error)
        else:
            replayed = ", as it had been before" if sent.get("replayed") else ""
            logger.info("The e-mail %s was accepted%s: %s.", self._name, replayed, sent["id"])

    async def _tell(self, error: Exception) -> None:
        if self._on_failure is None:
            return
        try:
            if inspect.iscoroutinefunction(self._on_failure):
                await self._on_failure(error)
                return
            answer: Any = await run_in_threadpool(self._on_failure, error)
            if isinstance(answer, Awaitable):
                await answer
        except Exception:
            logger.exception("What was to be done about the e-mail %s, which failed, failed as well.", self._name)


def _log_never_run(name: str) -> None:
    logger.warning(
        "The e-mail %s was never sent: its background tasks did not run. The route raised, a task before it failed, "
        "the process ended, or you made the BackgroundTasks yourself and gave them to no response.",
        name,
    )


def _check_json(payload: SendEmail) -> None:
    # Attachments are text, as `checked_email` has seen, and too long to be written twice.
    fields = {name: value for name, value in payload.items() if name != "attachments"}
    try:
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "The e-mail cannot be written as JSON. Pass text, numbers, booleans, lists and dictionaries only; write "
            "dates with isoformat()."
        ) from None
