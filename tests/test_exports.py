"""The names that a release promises."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

import poststack
import poststack.types

PUBLIC_MODULES = [
    "poststack",
    "poststack.attachments",
    "poststack.errors",
    "poststack.events",
    "poststack.mailbridge",
    "poststack.mime",
    "poststack.providers",
    "poststack.providers.events",
    "poststack.receiving",
    "poststack.throttling",
    "poststack.transports.aiohttp",
    "poststack.transports.base",
    "poststack.transports.httpcore",
    "poststack.transports.httpx2",
    "poststack.types",
    "poststack_fastapi",
]


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_exported_names_exist_and_are_sorted(name: str) -> None:
    module = importlib.import_module(name)
    names: list[str] = module.__all__

    assert names == sorted(names, key=_as_ruff_sorts)
    assert all(hasattr(module, exported) for exported in names)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def test_the_front_door_lists_every_name_for_completion() -> None:
    assert set(poststack.__all__) <= set(dir(poststack))


def test_submodules_are_reached_from_the_front_door() -> None:
    assert all(
        isinstance(getattr(poststack, name), ModuleType) for name in ("attachments", "errors", "events", "types")
    )


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Mailer'"):
        getattr(poststack, "Mailer")  # noqa: B009  # spelt this way for the type checkers


def test_types_of_all_groups_are_in_one_place() -> None:
    for group in ("common", "emails", "suppressions", "templates", "webhooks"):
        module = importlib.import_module(f"poststack.types.{group}")
        own = {name for name in module.__all__ if getattr(module, name).__module__ == module.__name__}
        assert own <= set(poststack.types.__all__)


def test_clients_report_their_public_path() -> None:
    assert poststack.PostStack.__module__ == "poststack"
    assert poststack.AsyncPostStack.__module__ == "poststack"
