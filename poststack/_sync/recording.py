# Written by tools/unasync.py from poststack/_async/recording.py. Do not edit.
"""One call of any method, with what came with its answer.

The method runs on a copy of its group, whose session is a `Recorder`: it performs one call, and keeps the answer's
head. So nothing is kept on the client, calls at the same time do not meet, and calls without it know nothing of it.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, cast

from poststack import _wire
from poststack.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from poststack._request import Request
    from poststack._sync.session import Session
    from poststack.transports.base import HttpResponse

__all__ = ["Recorder"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Answer = TypeVar("Answer")


class Recorder:
    """In place of a session, for one call. Raises `TypeError` for a method that asks for anything else."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._name = ""
        self._response: HttpResponse | None = None
        self._attempts = 0

    def bound(self, method: Callable[Parameters, Result], client: object) -> Callable[Parameters, Result]:
        """Return the method of a group of this client, made to call here. Raises `TypeError` for any other."""
        group, function = getattr(method, "__self__", None), getattr(method, "__func__", None)
        session = getattr(group, "_session", None)
        if group is client or function is None or session is None:
            raise TypeError(
                "with_response takes a method that makes a call, and what that takes, such as "
                'with_response(client.emails.get, "em_…").'
            )
        if session is not self._session:
            raise TypeError("The method is another client's. Use the with_response of the client that it belongs to.")
        self._name = function.__name__
        own: Any = copy(group)
        own._session = self  # the groups are of this package
        return cast("Callable[Parameters, Result]", function.__get__(own))

    def call(self, request: Request[Answer], timeout: float | None = None) -> Answer:
        """Return the answer as the session does, and keep what came with it."""
        if self._response is not None:
            self._refuse()
        self._response = self._session.response(request, timeout)
        self._attempts = request.attempts
        return _wire.decode(request, self._response)

    def iterate(self, *_: object) -> NoReturn:
        """Refuse: every page is a call."""
        self._refuse()

    @property
    def clock(self) -> Any:
        """Refuse: whoever looks at the time makes several calls."""
        self._refuse()

    def response(self, data: Answer) -> Response[Answer]:
        """Return what the method returned, with the rest."""
        if self._response is None:
            self._refuse()
        return Response(data, self._response.status, self._response.headers, self._attempts)

    def _refuse(self) -> NoReturn:
        raise TypeError(f"{self._name} does not make one call, so there is no one response to it. Call it by itself.")
