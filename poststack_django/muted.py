"""Reading what Django 6.1 warns of. Whoever configures a project that way has been warned; we only look."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["muted_deprecations"]


@contextmanager
def muted_deprecations() -> Generator[None]:
    """Read `settings.EMAIL_BACKEND`, or build what it names, without a warning of our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield
