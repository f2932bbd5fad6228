"""The errors, where programs written for MailBridge look for them."""

from __future__ import annotations

from poststack.mailbridge.errors import (
    AttachmentError,
    ConfigurationError,
    EmailSendError,
    MailBridgeError,
    ProviderNotFoundError,
)

__all__ = ["AttachmentError", "ConfigurationError", "EmailSendError", "MailBridgeError", "ProviderNotFoundError"]
