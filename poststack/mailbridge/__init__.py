"""One call for every provider: PostStack, SendGrid, Postmark, Mailgun, Brevo, Amazon SES and SMTP.

    from poststack.mailbridge import MailBridge

    with MailBridge("sendgrid", api_key="…", from_email="shop@example.com") as mailer:
        response = mailer.send(to="ada@example.com", subject="Thank you", body="<p>It is on its way.</p>")
        print(response.message_id)

`AsyncMailBridge` has the same methods, awaited. Names, arguments and defaults are those of MailBridge 2.1, so programs
that were written for it run after changing the import. What a provider cannot say raises before anything is sent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poststack._async.failover import AsyncFailover
    from poststack._async.mailbridge import AsyncMailBridge
    from poststack._async.mailer import AsyncMailer
    from poststack._sync.failover import Failover
    from poststack._sync.mailbridge import MailBridge
    from poststack._sync.mailer import Mailer
    from poststack.mailbridge.circuit import Circuit
    from poststack.mailbridge.dto import BulkEmailDTO, BulkEmailResponseDTO, EmailMessageDto, EmailResponseDTO
    from poststack.mailbridge.errors import (
        AttachmentError,
        BulkInterruptedError,
        ConfigurationError,
        EmailSendError,
        InvalidMessageError,
        MailBridgeError,
        ProviderNotFoundError,
        UnsupportedFieldError,
        UnsupportedFieldWarning,
    )
    from poststack.mailbridge.keys import (
        AsyncKeyStore,
        AsyncRedisKeyStore,
        KeyClaim,
        KeyStore,
        MemoryKeyStore,
        RedisKeyStore,
        SqliteKeyStore,
    )
    from poststack.mailbridge.providers.base_email_provider import (
        BaseEmailProvider,
        BulkCapableProvider,
        TemplateCapableProvider,
    )

__all__ = [
    "AsyncFailover",
    "AsyncKeyStore",
    "AsyncMailBridge",
    "AsyncMailer",
    "AsyncRedisKeyStore",
    "AttachmentError",
    "BaseEmailProvider",
    "BulkCapableProvider",
    "BulkEmailDTO",
    "BulkEmailResponseDTO",
    "BulkInterruptedError",
    "Circuit",
    "ConfigurationError",
    "EmailMessageDto",
    "EmailResponseDTO",
    "EmailSendError",
    "Failover",
    "InvalidMessageError",
    "KeyClaim",
    "KeyStore",
    "MailBridge",
    "MailBridgeError",
    "Mailer",
    "MemoryKeyStore",
    "ProviderNotFoundError",
    "RedisKeyStore",
    "SqliteKeyStore",
    "TemplateCapableProvider",
    "UnsupportedFieldError",
    "UnsupportedFieldWarning",
]

_HOMES = {
    "AsyncFailover": "poststack._async.failover",
    "AsyncKeyStore": "poststack.mailbridge.keys",
    "AsyncMailBridge": "poststack._async.mailbridge",
    "AsyncMailer": "poststack._async.mailer",
    "AsyncRedisKeyStore": "poststack.mailbridge.keys",
    "AttachmentError": "poststack.mailbridge.errors",
    "BaseEmailProvider": "poststack.mailbridge.providers.base_email_provider",
    "BulkCapableProvider": "poststack.mailbridge.providers.base_email_provider",
    "BulkEmailDTO": "poststack.mailbridge.dto",
    "BulkEmailResponseDTO": "poststack.mailbridge.dto",
    "BulkInterruptedError": "poststack.mailbridge.errors",
    "Circuit": "poststack.mailbridge.circuit",
    "ConfigurationError": "poststack.mailbridge.errors",
    "EmailMessageDto": "poststack.mailbridge.dto",
    "EmailResponseDTO": "poststack.mailbridge.dto",
    "EmailSendError": "poststack.mailbridge.errors",
    "Failover": "poststack._sync.failover",
    "InvalidMessageError": "poststack.mailbridge.errors",
    "KeyClaim": "poststack.mailbridge.keys",
    "KeyStore": "poststack.mailbridge.keys",
    "MailBridge": "poststack._sync.mailbridge",
    "MailBridgeError": "poststack.mailbridge.errors",
    "Mailer": "poststack._sync.mailer",
    "MemoryKeyStore": "poststack.mailbridge.keys",
    "ProviderNotFoundError": "poststack.mailbridge.errors",
    "RedisKeyStore": "poststack.mailbridge.keys",
    "SqliteKeyStore": "poststack.mailbridge.keys",
    "TemplateCapableProvider": "poststack.mailbridge.providers.base_email_provider",
    "UnsupportedFieldError": "poststack.mailbridge.errors",
    "UnsupportedFieldWarning": "poststack.mailbridge.errors",
}

# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
