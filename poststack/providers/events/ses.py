"""Amazon SES's events by way of Amazon SNS (Amazon SES developer guide, "Contents of event data").

Both of its forms are read: event publishing of a configuration set, and notifications of an identity. With both
switched on everything is told twice, under different ids. One notification can be about several recipients; each is an
event here.
"""

from __future__ import annotations

import inspect
import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, cast

from poststack.errors import WebhookSignatureError
from poststack.providers.events._credentials import Credentials, folded
from poststack.providers.events._cryptography import check_installed, is_signed_by_topic, key_of_certificate
from poststack.providers.events._reading import decoded, moment_from
from poststack.providers.events._ses_messages import events_in
from poststack.providers.events._sns import Envelope, is_certificate_url, is_sns_url, message_in, opened
from poststack.providers.events.base import ProviderEvents
from poststack.receiving.checking import MAX_AGE, webhook_secrets
from poststack.transports.base import HttpRequest, TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from poststack.events import WebhookEvent
    from poststack.receiving.checking import HiddenText
    from poststack.transports.base import HttpResponse

    Fetch: TypeAlias = Callable[[str], bytes | Awaitable[bytes]]

__all__ = ["SesEvents"]

MOST_KEYS: Final = 16
PATIENCE: Final = 10.0
"""Seconds. SNS itself waits fifteen for the answer."""

logger: logging.Logger = logging.getLogger("poststack.webhooks")


class SesEvents(ProviderEvents):
    """Reads SES's events that an SNS topic posts over HTTPS.

    Only calls of `topic_arns` are taken; the subscriptions of these are confirmed when SNS asks. Their signatures,
    of version 1 and 2, are checked with the certificate that Amazon offers for it. `fetch` gets the body of an address,
    with or without waiting, in place of the client's own transport: it is asked for that certificate, which is kept,
    and for a confirmation. With `username` and `password` the topic's endpoint must bring them in its address too. A
    call that is older than `max_age` seconds is refused; `None` takes every age.

    Needs the extra `webhooks`. Raises `ValueError` when there is no topic.
    """

    name: ClassVar[str] = "ses"
    title: ClassVar[str] = "Amazon SES"
    # SNS repeats no call that was answered 4xx. 401 means to it that credentials are wanted.
    forged: ClassVar[int] = 403

    def __init__(
        self,
        *,
        topic_arns: str | Iterable[str],
        fetch: Fetch | None = None,
        username: str | HiddenText | None = None,
        password: str | HiddenText | None = None,
        max_age: float | None = MAX_AGE,
    ) -> None:
        check_installed(self.title)
        self._topics = frozenset(webhook_secrets(topic_arns))
        if not self._topics or not all(arn.startswith("arn:") and arn.isascii() for arn in self._topics):
            raise ValueError(
                "Amazon SES needs `topic_arns`, such as 'arn:aws:sns:eu-west-1:123456789012:events': any other topic "
                "is somebody else's."
            )
        self._credentials = Credentials(self.title, username=username, password=password)
        self.challenges: bool = self._credentials.are_given
        self._fetch = fetch
        self._max_age = max_age
        self._keys: dict[str, RSAPublicKey] = {}

    def read(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call, none for one about a subscription.

        Raises `WebhookSignatureError` and `ValueError`, and `TransportError` when what it needs cannot be fetched.
        """
        steps = self._steps(body, headers)
        try:
            url = next(steps)
            while True:
                url = steps.send(self._got(url))
        except StopIteration as done:
            return cast("list[WebhookEvent]", done.value)

    async def aread(self, body: bytes, headers: Mapping[str, str]) -> list[WebhookEvent]:
        """Return the events of a call, as `read` does, without holding up the event loop."""
        steps = self._steps(body, headers)
        try:
            url = next(steps)
            while True:
                url = steps.send(await self._agot(url))
        except StopIteration as done:
            return cast("list[WebhookEvent]", done.value)

    def _steps(self, body: bytes, headers: Mapping[str, str]) -> Generator[str, bytes, list[WebhookEvent]]:
        """Yield addresses, take what is there, and return the events."""
        names = folded(headers)
        if self._credentials.are_given:
            self._credentials.check(names)
        envelope = opened(decoded(body, self.title), names)
        # Before anything is fetched: strangers must not make us ask for anything.
        if envelope.topic_arn not in self._topics:
            raise WebhookSignatureError("The call is of a topic that is none of `topic_arns`.")
        if envelope.version not in {"1", "2"} or not is_certificate_url(envelope.certificate_url):
            raise WebhookSignatureError("The call names no certificate of Amazon SNS, or an unknown kind of signature.")
        key = self._keys.get(envelope.certificate_url)
        if key is None:
            key = _key((yield envelope.certificate_url))
            if len(self._keys) >= MOST_KEYS:
                self._keys.clear()
            self._keys[envelope.certificate_url] = key
        if not is_signed_by_topic(key, envelope.signature, envelope.signed, version=envelope.version):
            raise WebhookSignatureError("The signature does not match.")
        made = moment_from(envelope.timestamp)
        if self._max_age is not None and (made is None or made.timestamp() < time.time() - self._max_age):
            raise ValueError("The call is too old.")
        if envelope.type == "SubscriptionConfirmation":
            if not is_sns_url(envelope.subscribe_url):
                raise WebhookSignatureError("The address that would confirm the subscription is none of Amazon SNS.")
            yield envelope.subscribe_url
            logger.info("The subscription of an Amazon SNS topic is confirmed.")
        elif envelope.type == "UnsubscribeConfirmation":
            logger.warning("The subscription of an Amazon SNS topic has ended: no more events will come from it.")
        return _events(envelope)

    def _got(self, url: str) -> bytes:
        if self._fetch is None:
            from poststack.transports.httpcore import HttpcoreTransport

            transport = HttpcoreTransport()
            try:
                return _body(transport.send(_request(url)))
            finally:
                transport.close()
        try:
            found = self._fetch(url)
        except Exception as error:
            raise _unfetched(error) from error
        if not isinstance(found, bytes):
            if inspect.iscoroutine(found):
                found.close()
            raise TypeError("`fetch` returns bytes, and is async only in an AsyncWebhookReceiver.")
        return found

    async def _agot(self, url: str) -> bytes:
        if self._fetch is None:
            from poststack.transports.httpcore import AsyncHttpcoreTransport

            transport = AsyncHttpcoreTransport()
            try:
                return _body(await transport.asend(_request(url)))
            finally:
                await transport.aclose()
        try:
            found = await _called(self._fetch, url)
        except Exception as error:
            raise _unfetched(error) from error
        if not isinstance(found, bytes):
            raise TypeError("`fetch` returns bytes.")
        return found


async def _called(fetch: Fetch, url: str) -> object:
    if inspect.iscoroutinefunction(fetch):
        found: Any = fetch(url)
    else:
        import anyio.to_thread

        found = await anyio.to_thread.run_sync(fetch, url)
    return await found if inspect.isawaitable(found) else found


def _events(envelope: Envelope) -> list[WebhookEvent]:
    said = message_in(envelope) if envelope.type == "Notification" else None
    return [] if said is None else events_in(said, envelope.message_id, moment_from(envelope.timestamp))


def _key(pem: bytes) -> RSAPublicKey:
    try:
        return key_of_certificate(pem)
    except ValueError as error:
        raise TransportError("The certificate of Amazon SNS cannot be read.") from error


def _request(url: str) -> HttpRequest:
    return HttpRequest("GET", url, {"Accept": "*/*"}, timeout=PATIENCE)


def _body(answer: HttpResponse) -> bytes:
    if answer.status != 200:
        raise TransportError(f"Amazon SNS answered {answer.status}.")
    return answer.body


def _unfetched(error: Exception) -> TransportError:
    return TransportError(f"`fetch` failed with {type(error).__name__}.")
