"""The delivery loop of a running emulator: lets happen what is due, and posts webhooks."""

from __future__ import annotations

import asyncio
import logging
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from poststack.emulator.journal import DataFileError
from poststack.emulator.model import Attempt
from poststack.emulator.notifying.deliveries import WebhookCall
from poststack.emulator.state import AppState

__all__ = ["Poster"]

_logger = logging.getLogger("poststack.emulator")

# As much of an endpoint's answer as is worth showing.
_READ_BYTES = 8_192
# Seconds until what failed is tried again, if nothing changes before.
_PAUSE_AFTER_FAILURE = 1.0
_AT_A_TIME = 20
# A plan far in the future is looked at again now and then, in case the computer's clock is set.
_LONGEST_WAIT = 60.0


class Poster:
    """Runs until cancelled; calls that are under way then are due again at the next start."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._room = asyncio.Semaphore(_AT_A_TIME)

    async def run(self) -> None:
        """Do what is due, wait for what comes next or for a change, and so on."""
        # Not the proxies of the environment: most webhooks go to this machine. Redirects are not followed, and an
        # endpoint's cookies are not kept: every call comes as from a stranger.
        forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, cookies=forgetful) as client:
            under_way: set[asyncio.Task[None]] = set()
            try:
                while True:
                    calls = self._due()
                    for call in calls or ():
                        task = asyncio.create_task(self._deliver(client, call))
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                    await self._state.wait_for_word(_PAUSE_AFTER_FAILURE if calls is None else self._wait())
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    def _due(self) -> list[WebhookCall] | None:
        try:
            return self._state.emulator.run_due(self._state.now())
        except DataFileError as error:
            _logger.error("%s", error)
        except Exception:
            # The last line of defence, like that of requests: losing this loop would lose all deliveries.
            _logger.exception("What is due failed inside the emulator")
        return None

    def _wait(self) -> float:
        due = self._state.emulator.next_due()
        return _LONGEST_WAIT if due is None else min(_LONGEST_WAIT, max(0.0, due - self._state.now()))

    async def _deliver(self, client: httpx.AsyncClient, call: WebhookCall) -> None:
        async with self._room:
            at, started = self._state.now(), time.monotonic()
            status, body, problem = None, None, None
            try:
                status, body = await asyncio.wait_for(self._post(client, call), call.timeout)
            except (asyncio.TimeoutError, httpx.TimeoutException):
                problem = f"No answer within {call.timeout:g} seconds."
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"[:500]
            attempt = Attempt(at, time.monotonic() - started, status, body, problem)
            try:
                self._state.emulator.record(call.delivery_id, attempt, self._state.now())
            except DataFileError as error:
                _logger.error("%s", error)
            _logger.debug("webhook delivery %d: status %s", call.delivery_id, status)

    async def _post(self, client: httpx.AsyncClient, call: WebhookCall) -> tuple[int, str]:
        # The answer is shown as it comes, so it must not come compressed.
        headers = {"Accept-Encoding": "identity", **call.headers}
        request = client.stream("POST", call.url, content=call.body, headers=headers, timeout=call.timeout)
        async with request as response:
            body = b""
            async for chunk in response.aiter_raw(_READ_BYTES):
                body += chunk
                if len(body) >= _READ_BYTES:
                    break
            return response.status_code, body[:_READ_BYTES].decode("utf-8", "replace")
