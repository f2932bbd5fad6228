# Written by tools/unasync.py from poststack/_async/mailbridge.py. Do not edit.
"""One call for every provider."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from poststack._config import checked_timeout
from poststack._sync.custom_delivery import CustomDelivery
from poststack._sync.delivery import Delivery
from poststack._sync.keeping import Keeping
from poststack._sync.mailer import Mailer
from poststack.mailbridge.dto import EmailMessageDto, EmailResponseDTO
from poststack.mailbridge.errors import ConfigurationError, InvalidMessageError
from poststack.mailbridge.incoming import fitting, message_from, read_files
from poststack.mailbridge.outgoing import refused_response, response_from
from poststack.mailbridge.registry import PROVIDERS, make_provider, register, unregister
from poststack.providers._retrying import DeliveryOptions
from poststack.providers.base import Provider
from poststack.providers.message import make_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from poststack.mailbridge.keys import KeyStore
    from poststack.mailbridge.registry import AnyProvider, ProviderClass
    from poststack.providers.message import Attachment, Message

__all__ = ["MailBridge"]

LONG_ENOUGH: Final = timedelta(days=1)
"""A provider that minds keys at least so long needs no store beside it: queues repeat jobs for a day."""


class MailBridge(Mailer):
    """Sends through one provider. Make one, share it, close it at the end.

        with MailBridge("postmark", server_token="…", from_email="shop@example.com") as mailer:
            response = mailer.send("ada@example.com", "Thank you", "<p>It is on its way.</p>")

    `provider` is a name in `available_providers()`; its settings follow as keywords, see docs/providers.md.
    `from_email` is the sender of e-mails that have none. `timeout` is for each step of one attempt, `deadline` for a
    whole `send` with its waits, both in seconds. What certainly was not taken is tried again up to `max_retries` times;
    what may have been sent is not, unless the provider knows the e-mail by a key or `allow_duplicates` is true. A bulk
    has at most `concurrency` requests under way. `unsupported="drop"` sends an e-mail without what the provider cannot
    say, with a warning, instead of raising. `keys` remembers idempotency keys for providers that know none: see
    `poststack.mailbridge.SqliteKeyStore`. `transport` replaces the HTTP library.

    Raises `ProviderNotFoundError` and `ConfigurationError`.
    """

    __module__ = "poststack.mailbridge"

    PROVIDERS: ClassVar[Mapping[str, ProviderClass]] = PROVIDERS
    """Names and classes of all providers."""

    def __init__(
        self,
        provider: str,
        *,
        from_email: str | None = None,
        timeout: float = 30.0,
        deadline: float | None = None,
        max_retries: int = 3,
        concurrency: int = 10,
        unsupported: Literal["raise", "drop"] = "raise",
        allow_duplicates: bool = False,
        keys: KeyStore | None = None,
        transport: Any = None,
        **config: Any,
    ) -> None:
        if unsupported not in {"raise", "drop"}:
            raise ConfigurationError("`unsupported` is 'raise' or 'drop'.")
        try:
            options = DeliveryOptions.checked(timeout, max_retries, deadline, concurrency, allow_duplicates)
            if from_email:
                make_address(from_email, "from_email")
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        self.provider: AnyProvider = make_provider(provider, config, from_email=from_email)
        self.provider_name: str = provider.strip().lower()
        self._from_email = from_email
        self._keys = keys
        self._drop = unsupported == "drop"
        self._delivery: Delivery[Any, Any] | None = None
        self._custom: CustomDelivery | None = None
        self._keeping: Keeping | None = None
        if keys is not None and not hasattr(keys, "begin"):
            raise ConfigurationError(
                f"`keys` is a store with a method `begin`, such as RedisKeyStore; {type(keys).__name__} has none."
            )
        if isinstance(self.provider, Provider):
            carrier = self.provider.transport() if transport is None else self.provider.carrier(transport)
            if keys is not None and not self.minds_keys():
                self._keeping = self._keeping_in(keys, allow_duplicates=allow_duplicates)
            self._delivery = Delivery(self.provider, carrier, options, self._keeping)
        elif keys is not None or transport is not None:
            raise ConfigurationError("`keys` and `transport` are for adapters; this provider sends by itself.")
        else:
            self._custom = CustomDelivery(self.provider, self.provider_name)

    @property
    def providers(self) -> tuple[str, ...]:
        """Return the name of the provider, alone."""
        return (self.provider_name,)

    @property
    def from_email(self) -> str | None:
        """Return the sender of e-mails that have none."""
        if self._from_email is None and isinstance(self.provider, Provider):
            return self.provider.default_sender
        return self._from_email

    @property
    def keys(self) -> KeyStore | None:
        """Return the store of idempotency keys that it was given."""
        return self._keys

    def minds_keys(self) -> bool:
        """Return whether the provider itself tells a repetition by its idempotency key, for a day at least."""
        if not isinstance(self.provider, Provider):
            return False
        window = self.provider.capabilities.idempotency
        return window is not None and window >= LONG_ENOUGH

    def supports_templates(self) -> bool:
        """Return whether the provider sends templates that are stored with it."""
        if isinstance(self.provider, Provider):
            return self.provider.capabilities.templates
        return self.provider.supports_templates()

    def supports_bulk_sending(self) -> bool:
        """Return whether several e-mails can travel in one request. `send_bulk` works with every provider."""
        if isinstance(self.provider, Provider):
            return self.provider.capabilities.batches
        return self.provider.supports_bulk_sending()

    def problem(self, message: EmailMessageDto, *, keys_kept: bool = False) -> InvalidMessageError | None:
        """Return what `respond` would find wrong with an e-mail before it sends it, `None` if nothing is. Reads files.

        `keys_kept` is for a store that is not this MailBridge's own.
        """
        if self._custom is not None:
            return self._custom.problem(message)
        try:
            self._check_kind(message)
            self._fitting(message, read_files(message), keys_kept=keys_kept or self._keeping is not None)
        except InvalidMessageError as error:
            return error
        return None

    def respond(
        self,
        messages: Sequence[EmailMessageDto],
        *,
        timeout: float | None = None,
        keys: KeyStore | None = None,
    ) -> list[EmailResponseDTO]:
        """Send each e-mail and return one response for each, in order. What goes wrong is a response, never raised.

        `keys` replaces the store of this MailBridge.
        """
        if timeout is not None:
            checked_timeout(timeout)
        if self._delivery is None:
            assert self._custom is not None  # noqa: S101  # one of the two is set
            return self._custom.respond(messages)
        keeping = self._keeping if keys is None else self._keeping_in(keys)
        responses: dict[int, EmailResponseDTO] = {}
        to_send: dict[int, Message] = {}
        for index, given in enumerate(messages):
            try:
                to_send[index] = self._message(given, keys_kept=keeping is not None)
            except InvalidMessageError as error:
                responses[index] = refused_response(error, self.provider_name)
            except (TypeError, ValueError, AttributeError) as error:
                # Of a type that nobody expected; the others should not pay for it.
                unreadable = InvalidMessageError(f"The e-mail cannot be read ({type(error).__name__}).")
                unreadable.__cause__ = error
                responses[index] = refused_response(unreadable, self.provider_name)
        if to_send:
            outcomes = self._delivery.deliver(list(to_send.values()), timeout, keeping)
            for index, outcome in zip(to_send, outcomes, strict=True):
                responses[index] = response_from(outcome, self.provider_name)
        return [responses[index] for index in range(len(messages))]

    def close(self) -> None:
        """Release connections. Calling it again is harmless."""
        if self._delivery is not None:
            self._delivery.close()
        if self._custom is not None:
            self._custom.close()

    @classmethod
    def register_provider(cls, name: str, provider_class: ProviderClass, *, replace: bool = False) -> None:
        """Add a provider for the whole process and both clients.

        Raises `TypeError` for what is no provider's class, and `ConfigurationError` for a name that is taken, unless
        `replace` is true.
        """
        register(name, provider_class, replace=replace)

    @classmethod
    def unregister_provider(cls, name: str) -> None:
        """Remove a provider that was added. Those that come with this package stay."""
        unregister(name)

    @classmethod
    def available_providers(cls) -> list[str]:
        """Return the names of all providers."""
        return list(PROVIDERS)

    def _message(self, given: EmailMessageDto, *, keys_kept: bool) -> Message:
        self._check_kind(given)
        files = read_files(given) if given.attachments else []
        return self._fitting(given, files, keys_kept=keys_kept)

    def _fitting(self, given: EmailMessageDto, files: Sequence[Attachment], *, keys_kept: bool) -> Message:
        provider = cast("Provider[Any, Any]", self.provider)
        sender = self._from_email or provider.default_sender
        message = message_from(given, files, default_sender=sender, provider=self.provider_name)
        return fitting(message, provider, drop=self._drop, keys_kept=keys_kept)

    def _check_kind(self, given: object) -> None:
        if not isinstance(given, EmailMessageDto):
            raise InvalidMessageError(f"A message is an EmailMessageDto, not {type(given).__name__}.")

    def _keeping_in(self, keys: KeyStore, *, allow_duplicates: bool = False) -> Keeping:
        return Keeping(keys, self.provider_name, minds_keys=self.minds_keys(), allow_duplicates=allow_duplicates)

    def __repr__(self) -> str:
        return f"MailBridge({self.provider_name!r})"
