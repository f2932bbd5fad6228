"""Keys of AWS accounts and signatures made with them (Signature Version 4), by botocore; nothing is sent here.

botocore finds keys where every program of AWS does: environment, profiles, single sign-on, containers, instances. It
may ask the network for them, so whoever does not want to wait for that calls `find` and `keys_of` in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from poststack.providers._http import json_object
from poststack.providers.base import SecretHeaders
from poststack.transports.base import TransportError

if TYPE_CHECKING:
    import anyio
    from anyio.lowlevel import RunVar

    from poststack.providers.outcome import FailureKind
    from poststack.transports.base import HttpRequest, HttpResponse

__all__ = [
    "AsyncLock",
    "CredentialsError",
    "FindsKeys",
    "Keys",
    "Lock",
    "Signer",
    "acall",
    "call",
    "error_code",
    "has_expired",
    "keys_of",
    "needs_refresh",
    "profile_keys",
    "region_from",
]

Result = TypeVar("Result")

FindsKeys: TypeAlias = "Callable[[], object | Awaitable[object]]"
"""Returns keys: `(key id, secret)` or `(key id, secret, session token)`, or an object of botocore's."""

_REGION: Final = re.compile(r"[a-z]+(-[a-z0-9]+)+")
_EXPIRED: Final = frozenset({"ExpiredTokenException", "ExpiredToken"})
_MANDATORY_REFRESH: Final = 10 * 60
"""Seconds before the end of temporary keys. Earlier, botocore goes on with the old ones when it gets no new ones."""


class Keys(NamedTuple):
    """What requests are signed with."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(…)"


class CredentialsError(TransportError):
    """There are no keys to sign with, so nothing was sent."""

    def __init__(self, message: str, kind: FailureKind) -> None:
        super().__init__(message, request_sent=False)
        self.kind: FailureKind = kind


class Signer:
    """Signs requests to one service in one region. Raises `ImportError` naming the extra when botocore is missing."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._signature: Any = _botocore("auth").SigV4Auth
        self._request: Any = _botocore("awsrequest").AWSRequest

    def signed(self, request: HttpRequest, keys: Keys) -> HttpRequest:
        """Return the request with its signature, which is good for some minutes: each attempt needs its own.

        All its headers are signed, so a transport may add others and must not change these.
        """
        unsigned = self._request(request.method, request.url, headers=dict(request.headers), data=request.body or b"")
        self._signature(keys, self._service, self._region).add_auth(unsigned)
        return request._replace(headers=SecretHeaders(unsigned.headers.items()))


def region_from(region_name: str | None, profile_name: str | None, title: str) -> str:
    """Return the region: as given, or of the environment, or of the profile. There is none by default.

    Raises `ValueError`, also for a profile that does not exist.
    """
    region: object = region_name or os.environ.get("AWS_REGION")
    if not region or profile_name is not None:
        session = _session(profile_name)
        # botocore knows AWS_DEFAULT_REGION and profiles; it leaves AWS_REGION to others.
        region = region or session.get_config_variable("region")
    if not region:
        text = "neither that, nor AWS_REGION, nor AWS_DEFAULT_REGION, nor the profile names one"
        raise ValueError(f"{title} needs `region_name`, such as 'eu-central-1': {text}.")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise ValueError(f"{title}'s `region_name` is the id of a region, such as 'eu-central-1'.")
    return region


def profile_keys(profile_name: str | None) -> object:
    """Return botocore's object with the keys of this process, `None` when there are none. May ask the network."""
    # Each time a session of its own, because one remembers what it found.
    return _session(profile_name).get_credentials()


def needs_refresh(found: object, *, soon: bool = True) -> bool:
    """Return whether temporary keys are near their end: within minutes, or so near that no others will do."""
    check: Any = getattr(found, "refresh_needed", None)
    if check is None:
        return False
    return bool(check() if soon else check(_MANDATORY_REFRESH))


def keys_of(found: object) -> Keys:
    """Return the keys in what was found. Asks the network if they need a refresh. Raises `CredentialsError`."""
    if found is None:
        text = (
            "There are no AWS credentials: give `aws_access_key_id` and `aws_secret_access_key`, or a `profile_name`, "
            "or set up the environment as for other programs of AWS."
        )
        raise CredentialsError(text, "auth")
    if isinstance(found, tuple):
        parts = cast("tuple[object, ...]", found)
        values = (*parts, None)[:3] if len(parts) in {2, 3} else (None, None, None)
    else:
        frozen: Any = found
        if hasattr(frozen, "get_frozen_credentials"):
            frozen = frozen.get_frozen_credentials()
        # By name: how many fields there are differs between versions of botocore.
        values = tuple(getattr(frozen, name, None) for name in ("access_key", "secret_key", "token"))
    access_key, secret_key, token = values
    if not (isinstance(access_key, str) and isinstance(secret_key, str) and access_key and secret_key):
        raise CredentialsError("`credentials` returns (key id, secret) or (key id, secret, session token).", "auth")
    return Keys(access_key, secret_key, token if isinstance(token, str) and token else None)


def error_code(answer: HttpResponse, said: dict[str, Any]) -> str | None:
    """Return the code of a refusal. Either place may have a namespace before it, and an address after it."""
    for code in (answer.headers.get("x-amzn-errortype"), said.get("__type"), said.get("code")):
        if isinstance(code, str) and code:
            return code.partition(":")[0].rpartition("#")[2] or None
    return None


def has_expired(answer: HttpResponse) -> bool:
    """Return whether a request was refused because the keys are no longer good."""
    return answer.status in {400, 401, 403} and error_code(answer, json_object(answer.body)) in _EXPIRED


class AsyncLock:
    """Lets one task in at a time; each event loop for itself, because a lock of one cannot be used on another."""

    def __init__(self) -> None:
        self._lock: RunVar[anyio.Lock] | None = None

    async def __aenter__(self) -> None:
        await self._of_this_loop().acquire()

    async def __aexit__(self, *_: object) -> None:
        self._of_this_loop().release()

    def _of_this_loop(self) -> anyio.Lock:
        import anyio
        from anyio.lowlevel import RunVar

        if self._lock is None:
            self._lock = RunVar(f"poststack lock {id(self)}")
        lock = self._lock.get(None)
        if lock is None:
            lock = anyio.Lock()
            self._lock.set(lock)
        return lock


async def acall(function: Callable[[], object | Awaitable[object]]) -> Any:
    """Return what a function returns that may block: it is called in a thread. Coroutines are awaited here."""
    from inspect import isawaitable, iscoroutinefunction

    from anyio import to_thread

    if iscoroutinefunction(function):
        return await function()
    value = await to_thread.run_sync(function)
    return await value if isawaitable(value) else value


def call(function: Callable[[], object | Awaitable[object]]) -> Any:
    """Return what a function returns. Raises `CredentialsError` for what would have to be awaited."""
    from inspect import isawaitable, iscoroutine

    value = function()
    if not isawaitable(value):
        return value
    if iscoroutine(value):
        value.close()
    raise CredentialsError("`credentials` has to be awaited: use AsyncMailBridge, or a plain function.", "auth")


def _session(profile_name: str | None) -> Any:
    session = _botocore("session").Session(profile=profile_name)
    errors = _botocore("exceptions")
    try:
        session.get_scoped_config()
    except errors.ProfileNotFound:
        raise ValueError("The configuration of AWS on this machine has no profile of that name.") from None
    except errors.BotoCoreError as error:
        raise ValueError(f"The configuration of AWS on this machine cannot be read ({type(error).__name__}).") from None
    return session


def _botocore(module: str) -> Any:
    try:
        return import_module(f"botocore.{module}")
    except ImportError as error:
        raise ImportError("Amazon SES needs botocore; pip install 'poststack[ses]'") from error
