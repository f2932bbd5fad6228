"""Keys of the API (poststack-api §4.9)."""

from typing import Literal

from poststack.types.common import NotRequired, TypedDict

__all__ = ["ApiKey", "ApiKeyList", "ApiKeyMode", "ApiKeyPermission", "CreateApiKey", "NewApiKey"]

ApiKeyPermission = Literal["full_access", "sending_access"]
ApiKeyMode = Literal["live", "test"]


class ApiKey(TypedDict):
    """A key, without its secret. Methods take the integer `id`."""

    id: int
    name: str
    permission: ApiKeyPermission
    keyPrefix: NotRequired[str]
    mode: NotRequired[ApiKeyMode]
    domainId: NotRequired[int | None]
    lastUsedAt: NotRequired[str | None]
    expiresAt: NotRequired[str | None]
    createdAt: NotRequired[str]


class NewApiKey(TypedDict):
    """A key with its secret, which is shown this once. Everything but these two may be missing."""

    id: int
    key: str
    name: NotRequired[str]
    permission: NotRequired[ApiKeyPermission]
    keyPrefix: NotRequired[str]
    mode: NotRequired[ApiKeyMode]
    domainId: NotRequired[int | None]
    lastUsedAt: NotRequired[str | None]
    expiresAt: NotRequired[str | None]
    createdAt: NotRequired[str]


class ApiKeyList(TypedDict):
    """All keys."""

    keys: list[ApiKey]


class CreateApiKey(TypedDict):
    """A new key. `sending_access` may send e-mails and read what became of them, nothing else."""

    name: str
    permission: ApiKeyPermission
    mode: NotRequired[ApiKeyMode]
    domain_id: NotRequired[str]
    """A `dom_…` id, or an integer as text: the key sends from this domain only."""
    allow_full_access: NotRequired[bool]
    """Must be true for a key to make one with `full_access`."""
