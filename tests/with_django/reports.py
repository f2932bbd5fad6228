"""What Django reports of an error that nobody handles."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from django.views.debug import ExceptionReporter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["report_of"]


def report_of(function: Callable[[], object]) -> str:
    """The report, with the source and the variables of every frame below this one."""
    try:
        function()
    except Exception as error:
        return str(ExceptionReporter(None, *sys.exc_info()).get_traceback_html()) + repr(error) + str(error)
    raise AssertionError("no error")
