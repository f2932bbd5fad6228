"""Garbage is collected among what tests make, not among ten thousand collected tests that live until the end.

Looking through those again and again is a tenth of the processor time of a whole run.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

__all__ = ["collect_tests", "keep_collected_tests"]


@pytest.hookimpl(wrapper=True, specname="pytest_collection")
def collect_tests() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: hardly anything of it is."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True, specname="pytest_collection_finish")
def keep_collected_tests() -> None:
    """Take everything there is now for permanent."""
    gc.collect()
    gc.freeze()
