"""What the application's own clients hear when PostStack fails: nothing that is not theirs to know.

They are invited to try again only where nothing has happened yet; anything else could send an e-mail twice. The log
tells the rest.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, overload

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketState

from poststack import PostStackError

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["ERROR_RESPONSES", "add_exception_handlers", "poststack_exception_handler"]

logger: logging.Logger = logging.getLogger("poststack.fastapi")


class _Answer(NamedTuple):
    status: int
    code: str
    detail: str
    close_code: int
    """The same for a WebSocket (RFC 6455 §7.4, and the registry that it founded)."""


_UNAVAILABLE: Final = _Answer(
    503, "email_unavailable", "The e-mail service cannot be used at the moment. Try again later.", 1013
)
_OUTCOME_UNKNOWN: Final = _Answer(
    502,
    "email_outcome_unknown",
    "The e-mail service gave no clear answer, so the e-mail may have been sent. Check before you repeat this.",
    1011,
)
_FAILED: Final = _Answer(502, "email_failed", "The e-mail service could not be used.", 1011)
_REFUSED: Final = _Answer(
    422, "email_refused", "The e-mail service refused the e-mail. Check its addresses and its content.", 1008
)


def _documented(
    *answers: _Answer,
    description: str,
    headers: Mapping[str, Any] | None = None,
    or_findings: bool = False,
) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["detail"] if or_findings else ["detail", "code"],
        "properties": {
            "detail": {"anyOf": [text, {"type": "array", "items": {"type": "object"}}]} if or_findings else text,
            "code": {**text, "enum": [answer.code for answer in answers]},
        },
    }
    examples = {
        answer.code: {"summary": answer.code, "value": {"detail": answer.detail, "code": answer.code}}
        for answer in answers
    }
    documented: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }
    return {**documented, "headers": dict(headers)} if headers else documented


ERROR_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    422: _documented(
        _REFUSED,
        description="The request is not valid, or the e-mail service refused the e-mail",
        or_findings=True,  # FastAPI answers with this status, too, and then `detail` is a list of what it found.
    ),
    502: _documented(_OUTCOME_UNKNOWN, _FAILED, description="The e-mail service failed"),
    503: _documented(
        _UNAVAILABLE,
        description="The e-mail was not sent, and can be later",
        headers={
            "Retry-After": {
                "description": "Seconds to wait, where the e-mail service has said so",
                "schema": {"type": "integer", "minimum": 1},
            }
        },
    ),
}
"""What `poststack_exception_handler` answers, for OpenAPI: `@app.post("/signup", responses=ERROR_RESPONSES)`."""


def add_exception_handlers(app: Starlette) -> None:
    """Let `poststack_exception_handler` answer for every `PostStackError` that a route of the application raises.

    Mounted applications have handlers of their own: call this for each. Raises `RuntimeError` once the application is
    started, when Starlette would ignore it.
    """
    if app.middleware_stack is not None:
        raise RuntimeError("Call add_exception_handlers(app) where you make the application: it has started already.")
    app.add_exception_handler(PostStackError, poststack_exception_handler)


@overload
async def poststack_exception_handler(request: Request, error: Exception) -> Response: ...
@overload
async def poststack_exception_handler(request: WebSocket, error: Exception) -> None: ...


async def poststack_exception_handler(request: Request | WebSocket, error: Exception) -> Response | None:
    """Answer for a `PostStackError`; close a WebSocket, or decline it when it was not accepted yet.

    503 when the e-mail was certainly not accepted and can be later (throttling, maintenance, a used-up quota), with
    `Retry-After` in whole seconds where the API gave one; 422 when the API refused what was sent; else 502. The body is
    `{"detail": …, "code": …}`, without the API's text. The logger `poststack.fastapi` gets status, code and request id.
    """
    if not isinstance(error, PostStackError):
        raise error
    answer = _answer_for(error)
    _log(request, error, answer)
    headers: dict[str, str] = {}
    if answer is _UNAVAILABLE and error.retry_after is not None and not error.quota_exceeded:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    response = JSONResponse({"detail": answer.detail, "code": answer.code}, answer.status, headers)
    if isinstance(request, WebSocket):
        await _end(request, answer, response)
        return None
    return response


def _answer_for(error: PostStackError) -> _Answer:
    in_progress = error.status_code == 409 and error.transient  # An earlier call with the same idempotency key.
    if error.may_have_taken_effect or in_progress:
        return _OUTCOME_UNKNOWN
    if error.status_code in {0, 429, 503}:  # 0: nothing was sent, for want of a connection.
        return _UNAVAILABLE
    return _REFUSED if error.status_code in {400, 422} else _FAILED


async def _end(websocket: WebSocket, answer: _Answer, response: Response) -> None:
    is_connecting = websocket.application_state is WebSocketState.CONNECTING
    if is_connecting and "websocket.http.response" in (websocket.scope.get("extensions") or {}):
        await websocket.send_denial_response(response)
    elif is_connecting or websocket.application_state is WebSocketState.CONNECTED:
        await websocket.close(answer.close_code, answer.code)


def _log(request: Request | WebSocket, error: PostStackError, answer: _Answer) -> None:
    # Neither the path nor the API's text: both may hold addresses.
    logger.log(
        logging.ERROR if answer.status == 502 else logging.WARNING,
        "%s: %s, status %d, code %s, request %s%s. Answered %d.%s",
        _endpoint_name(request),
        type(error).__name__,
        error.status_code,
        error.code,
        error.request_id,
        f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else "",
        answer.status,
        " Check the API key and what it is allowed to do." if error.status_code in {401, 403} else "",
    )


def _endpoint_name(request: Request | WebSocket) -> str:
    endpoint = cast("object", request.scope.get("endpoint"))
    name = getattr(endpoint, "__qualname__", None)
    return f"{getattr(endpoint, '__module__', '?')}.{name}" if name else "A route"
