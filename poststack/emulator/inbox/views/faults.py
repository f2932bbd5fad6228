"""The faults page: failures on demand, set and removed by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from poststack.emulator.inbox.pages import Pages, read_form

__all__ = ["FaultsPage"]

_LONGEST_PATH = 200


class FaultsPage:
    """Shows the faults that wait for requests, and changes them."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._emulator = pages.state.emulator

    async def show(self, request: Request) -> Response:
        """Answer with the faults and a form for another one."""
        return self._show(request, {})

    async def add(self, request: Request) -> Response:
        """Set a fault as the form describes it; a form that makes no sense comes back with the reason."""
        form = await read_form(request)
        try:
            kind = form.get("kind", "status")
            path = form.get("path", "").strip() or "/"
            if len(path) > _LONGEST_PATH:
                raise ValueError("The path is too long.")
            self._emulator.fail(
                _whole(form, "status") if kind == "status" else None,
                times=_whole(form, "times"),
                path=path,
                delay=_number(form, "delay") or 0.0,
                retry_after=_number(form, "retry_after"),
                reset=kind == "reset",
                lost_answer=kind == "lost_answer",
                share=1.0 if (percent := _number(form, "share", "a percentage")) is None else percent / 100,
            )
        except ValueError as error:
            return self._show(request, form, status=422, problem=str(error))
        return self._pages.redirect("/inbox/faults", done="fault-added")

    async def remove(self, request: Request) -> Response:
        """Remove one fault; one that is used up already is no error."""
        self._emulator.remove_fault(request.path_params["id"])
        return self._pages.redirect("/inbox/faults", done="fault-removed")

    async def clear(self, request: Request) -> Response:
        """Remove all faults."""
        self._emulator.clear_faults()
        return self._pages.redirect("/inbox/faults", done="faults-cleared")

    def _show(
        self, request: Request, form: Mapping[str, str], *, status: int = 200, problem: str | None = None
    ) -> Response:
        faults = self._emulator.faults()
        return self._pages.show(request, "faults.html", faults=faults, form=form, status=status, problem=problem)


def _whole(form: Mapping[str, str], name: str) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{name} must be a whole number.")
    return int(text)


def _number(form: Mapping[str, str], name: str, what: str = "a number of seconds") -> float | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name.replace('_', ' ')} must be {what} that is not negative.")
    return seconds
