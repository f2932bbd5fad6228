"""Print the public surface of a MailBridge as JSON: `python mailbridge_surface.py MODULE`.

Run by the interpreter that has it. For each name its parameters, for an exception its bases; and the README, if the
module is a distribution of its own.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import sys
from importlib import metadata
from typing import Any

CLASSES = [
    "MailBridge", "AsyncMailBridge", "EmailMessageDto", "EmailResponseDTO", "BulkEmailDTO", "BulkEmailResponseDTO",
]  # fmt: skip
ERRORS = ["MailBridgeError", "ConfigurationError", "EmailSendError", "ProviderNotFoundError", "AttachmentError"]
MODULES = {
    "dto.email_message_dto": ["EmailMessageDto"],
    "dto.email_response_dto": ["EmailResponseDTO"],
    "dto.bulk_email_dto": ["BulkEmailDTO"],
    "dto.bulk_email_response_dto": ["BulkEmailResponseDTO"],
    "exceptions": ERRORS,
    "providers.base_email_provider": ["BaseEmailProvider", "TemplateCapableProvider", "BulkCapableProvider"],
}


def parameters(function: Any) -> list[tuple[str, str, str]]:
    """Return name, kind and default of each."""
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind.name, "" if one.default is one.empty else repr(one.default)) for one in found]


def surface(kind: type) -> dict[str, Any]:
    """Return the methods of a class, those that do not begin with an underscore, and how to make one."""
    methods: dict[str, Any] = {"__init__": parameters(kind)}
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and callable(member):
            methods[name] = [*parameters(member), ("coroutine", str(inspect.iscoroutinefunction(member)), "")]
    if dataclasses.is_dataclass(kind):
        methods["fields"] = [(field.name, "", "") for field in dataclasses.fields(kind)]
    return methods


def main(module: str) -> dict[str, Any]:
    """Return everything."""
    root = importlib.import_module(module)
    found: dict[str, Any] = {name: surface(getattr(root, name)) for name in CLASSES}
    for place, names in MODULES.items():
        part = importlib.import_module(f"{module}.{place}")
        for name in names:
            kind = getattr(part, name)
            bases = [base.__name__ for base in kind.__mro__]
            found[f"{place}.{name}"] = {"bases": bases} if issubclass(kind, Exception) else surface(kind)
    described: Any = metadata.metadata(module) if "." not in module else None
    readme: str = "" if described is None else described.get_payload()
    return {"surface": found, "providers": list(root.MailBridge.available_providers()), "readme": readme}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
