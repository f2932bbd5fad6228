"""Where programs written for MailBridge look for the base classes of their own providers."""

from __future__ import annotations

from poststack.mailbridge.providers.base_email_provider import (
    BaseEmailProvider,
    BulkCapableProvider,
    TemplateCapableProvider,
)

__all__ = ["BaseEmailProvider", "BulkCapableProvider", "TemplateCapableProvider"]
