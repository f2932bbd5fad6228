"""Sends the stored letters: at once when there is a new one, and again whatever is left over.

A letter is committed with its idempotency key before it is sent, so there is nothing that can be lost. When the
application dies between sending it and storing its id, nobody knows here whether it is out. Sending it again with its
key is harmless: PostStack answers with the id that it has given already.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, cast

from poststack import PostStackError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from example_projects.fastapi_signup.news import News
    from example_projects.fastapi_signup.people import Letter
    from example_projects.fastapi_signup.storage import Storage
    from poststack import AsyncPostStack
    from poststack.types import SendEmail

__all__ = ["FIRST_ATTEMPT", "PostOffice"]

FIRST_ATTEMPT: Final = 30.0
"""Seconds that a new letter is left to the request that has stored it."""
SWEPT_EVERY: Final = 10.0
"""Seconds."""
LONGEST_PAUSE: Final = 15 * 60.0
"""Seconds between two attempts at most."""
PATIENCE: Final = timedelta(hours=23)
"""Who signed up yesterday does not wait for a letter any more. It must be less than the time for which PostStack keeps
e-mails and their keys, 14 days at least: after that, another attempt could be a second letter."""

logger = logging.getLogger(__name__)


class PostOffice:
    """Belongs to one running application. Several of them, in other processes, do not disturb each other."""

    def __init__(self, storage: Storage, news: News) -> None:
        self._storage = storage
        self._news = news
        self.caught_up = asyncio.Event()
        """Set once everything that an earlier life has left over was tried."""

    async def send(self, letter: Letter, poststack: AsyncPostStack) -> None:
        """Send a stored letter and store what came of it. A failure is not raised: there will be other attempts."""
        if letter.payload is None:
            return
        if datetime.now(timezone.utc) - letter.created_at > PATIENCE:
            logger.error("Letter %d is given up: it is too old to be tried again safely.", letter.id)
            await self._storage.set_ended(letter, "given_up")
        else:
            await self._attempt(letter, cast("SendEmail", json.loads(letter.payload)), poststack)
        self._news.tell(letter.sign_up_id)

    async def _attempt(self, letter: Letter, payload: SendEmail, poststack: AsyncPostStack) -> None:
        try:
            answer = await poststack.emails.send(payload)
        except PostStackError as error:
            if error.transient or error.may_have_taken_effect:
                pause = min(LONGEST_PAUSE, SWEPT_EVERY * 2**letter.attempts)
                await self._storage.put_off(letter, max(pause, error.retry_after or 0.0))
            else:
                await self._storage.set_ended(letter, "refused")
            # Neither the address nor what PostStack says, which may quote it.
            logger.warning(
                "Letter %d: status %d, code %s, request %s.",
                letter.id, error.status_code, error.code, error.request_id,
            )  # fmt: skip
        else:
            await self._storage.set_accepted(letter, answer["id"])
            logger.info("Letter %d is e-mail %s.", letter.id, answer["id"])

    async def sweep(self, poststack: AsyncPostStack, *, due: bool = True) -> int:
        """Send the letters whose next attempt is due, or all that are left over. Returns how many were tried."""
        tried, last = 0, 0
        while letters := await self._storage.pending(due=due, after=last):
            await asyncio.gather(*[self.send(letter, poststack) for letter in letters])
            tried, last = tried + len(letters), letters[-1].id
        return tried

    @asynccontextmanager
    async def open(self, poststack: AsyncPostStack) -> AsyncGenerator[None]:
        """Send what an earlier life has left over, then look for what is due every now and then, for this block."""
        sweeping = asyncio.create_task(self._keep_sweeping(poststack))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])

    async def _keep_sweeping(self, poststack: AsyncPostStack) -> None:
        due = False  # First everything: nobody else will send what the last process had in hand.
        while True:
            try:
                await self.sweep(poststack, due=due)
                await self._storage.forget_foreign_events(time.time() - PATIENCE.total_seconds())
            except Exception:  # The next round may work, and without it nothing would be tried again.
                logger.exception("Sweeping has failed.")
            due = True
            self.caught_up.set()
            await asyncio.sleep(SWEPT_EVERY)
