"""Other e-mail providers, each as two pure functions: messages to requests, answers to outcomes.

`poststack.mailbridge` drives them. Write one of your own by subclassing `HttpProvider` and registering it:
`MailBridge.register_provider("acme", Acme)`; docs/adding-a-provider.md shows how.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poststack.providers.base import Call, HttpProvider, Provider, SecretHeaders
    from poststack.providers.capabilities import Capabilities, Unsupported
    from poststack.providers.message import Address, Attachment, Message, make_address, make_message
    from poststack.providers.outcome import Failure, FailureKind, Outcome

__all__ = [
    "Address",
    "Attachment",
    "Call",
    "Capabilities",
    "Failure",
    "FailureKind",
    "HttpProvider",
    "Message",
    "Outcome",
    "Provider",
    "SecretHeaders",
    "Unsupported",
    "make_address",
    "make_message",
]

_HOMES = {
    "Address": "message",
    "Attachment": "message",
    "Call": "base",
    "Capabilities": "capabilities",
    "Failure": "outcome",
    "FailureKind": "outcome",
    "HttpProvider": "base",
    "Message": "message",
    "Outcome": "outcome",
    "Provider": "base",
    "SecretHeaders": "base",
    "Unsupported": "capabilities",
    "make_address": "message",
    "make_message": "message",
}

# Hidden from type checkers, which would take it to mean that every name exists, misspelt ones too.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
