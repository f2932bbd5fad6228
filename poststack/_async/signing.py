"""Signs each attempt of a request to AWS, with keys that may end and be replaced while e-mails are sent."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from poststack.providers._aws import AsyncLock, CredentialsError, Keys, acall, has_expired, keys_of, needs_refresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack.providers._aws import FindsKeys, Signer
    from poststack.providers.base import AsyncRequestTransport
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = ["AsyncKeyring", "AsyncSigningTransport"]

LARGE: Final = 1_000_000
"""Bytes. Hashing so many takes longer than an event loop should be held up."""
PAUSE: Final = 30.0
"""Seconds between attempts to replace keys that are good for some minutes yet."""


class AsyncKeyring:
    """The keys of one account: found at the first use, then replaced before they end.

    Only finding and replacing can take time, and one task does it for all.
    """

    def __init__(self, find: FindsKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._clock = clock
        self._found: object = None
        self._keys: Keys | None = None
        self._rests_until = 0.0
        self._lock = AsyncLock()

    async def current(self) -> Keys:
        """Return keys to sign with now. Raises `CredentialsError`."""
        keys = self._at_hand()
        if keys is not None:
            return keys
        async with self._lock:
            return self._at_hand() or await self._renewed()

    async def after(self, expired: Keys) -> Keys | None:
        """Return other keys than those that AWS says have ended, `None` when there are none."""
        async with self._lock:
            keys = self._at_hand()
            if keys is None or keys == expired:
                keys = await self._renewed(anew=True)
        return None if keys == expired else keys

    def _at_hand(self) -> Keys | None:
        if self._keys is None:
            return None
        if needs_refresh(self._found):
            rests = self._clock() < self._rests_until and not needs_refresh(self._found, soon=False)
            return self._keys if rests else None
        # Somebody else may have refreshed the same object.
        self._keys = keys_of(self._found)
        return self._keys

    async def _renewed(self, *, anew: bool = False) -> Keys:
        try:
            found = await acall(self._find) if anew or self._keys is None else self._found
            keys: Keys = await acall(partial(keys_of, found))
        except CredentialsError:
            raise
        except Exception as error:
            # Its text stays out of ours: it can be the output of a program that prints keys.
            text = f"The AWS credentials could not be fetched ({type(error).__name__})."
            raise CredentialsError(text, "unavailable") from error
        if needs_refresh(found):
            self._rests_until = self._clock() + PAUSE
        self._found, self._keys = found, keys
        return keys

    def __repr__(self) -> str:
        return "AsyncKeyring()"


class AsyncSigningTransport:
    """Signs requests and sends them over another transport."""

    def __init__(
        self, transport: AsyncRequestTransport[HttpRequest, HttpResponse], signer: Signer, keyring: AsyncKeyring
    ) -> None:
        self._transport = transport
        self._signer = signer
        self._keyring = keyring

    @property
    def clock(self) -> Any:
        """Return the clock of the other transport, `None` when it has none."""
        return getattr(self._transport, "clock", None)

    async def asend(self, request: HttpRequest) -> HttpResponse:
        """Return the answer whatever it says, after a second attempt if the keys have ended.

        Raises `TransportError` when there is none.
        """
        keys = await self._keyring.current()
        answer = await self._transport.asend(await self._signed(request, keys))
        if has_expired(answer):
            other = await self._keyring.after(keys)
            if other is not None:
                return await self._transport.asend(await self._signed(request, other))
        return answer

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()

    async def _signed(self, request: HttpRequest, keys: Keys) -> HttpRequest:
        if len(request.body or b"") < LARGE:
            return self._signer.signed(request, keys)
        signed: HttpRequest = await acall(partial(self._signer.signed, request, keys))
        return signed
