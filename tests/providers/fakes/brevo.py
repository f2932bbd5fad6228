"""Brevo's smtp/email, as strict as the reference says (providers.md §6, §11)."""

from __future__ import annotations

import base64
import json
import re
import time
from datetime import datetime
from email.header import decode_header, make_header
from typing import Any, Final, NoReturn, cast
from uuid import UUID

from tests.providers.fakes.base import Delivered, FakeProvider, FileTaken, HttpAnswer, HttpRequestSeen, Refused

API_KEY: Final = "xkeysib-fake"
FIELDS: Final = {
    "attachment", "batchId", "bcc", "cc", "headers", "htmlContent", "messageVersions", "params", "preheader", "replyTo",
    "scheduledAt", "sender", "subject", "tags", "templateId", "textContent", "to",
}  # fmt: skip
IN_A_VERSION: Final = {
    "bcc",
    "cc",
    "headers",
    "htmlContent",
    "params",
    "replyTo",
    "subject",
    "templateId",
    "textContent",
    "to",
}
TYPES: Final = {
    "csv": "text/csv", "gif": "image/gif", "ics": "text/calendar", "jpg": "image/jpeg", "pdf": "application/pdf",
    "png": "image/png", "txt": "text/plain", "zip": "application/zip",
}  # fmt: skip
"""By ending: those that the tests send."""


class FakeBrevo(FakeProvider):
    """Takes what Brevo takes, and remembers keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: set[str] = set()

    def settings(self) -> dict[str, Any]:
        return {"api_key": API_KEY, "endpoint": f"{self.url}/v3/smtp/email"}

    def answer(self, request: HttpRequestSeen) -> HttpAnswer:
        if request.path != "/v3/smtp/email" or request.method != "POST":
            _refuse(404, "document_not_found", "Not found")
        if request.headers.get("api-key") != API_KEY:
            _refuse(401, "unauthorized", "Key not found")
        if request.headers.get("content-type") != "application/json":
            _refuse(415, "bad_request", "Content-Type should be application/json")
        body: dict[str, Any] = json.loads(request.body)
        _check(body)
        headers = body.get("headers", {})
        key = headers.get("idempotencyKey")
        if key is not None:
            if str(UUID(key)) != key:
                _refuse(400, "invalid_parameter", "idempotencyKey is not a UUID")
            if key in self.keys:
                _refuse(400, "duplicate_parameter", "A request with this idempotencyKey was made before")
        versions = body.get("messageVersions") or [body]
        ids = [f"20260101.{len(self.requests)}.{index}@smtp-relay.mailin.fr" for index in range(len(versions))]
        if key is not None:
            self.keys.add(key)
        # A version's own headers are all that it has.
        if all({**headers, **one.get("headers", headers)}.get("X-Sib-Sandbox") != "drop" for one in versions):
            self.delivered += [_delivered(body, one, own) for one, own in zip(versions, ids, strict=True)]
        said: dict[str, Any] = (
            {"messageIds": [f"<{own}>" for own in ids]} if "messageVersions" in body else {"messageId": f"<{ids[0]}>"}
        )
        if "scheduledAt" in body:
            said["batchId"] = body.get("batchId", "5c6cfa04-eed9-42c2-8b5c-6d470d978e9d")
        answer = json.dumps(said).encode()
        return HttpAnswer(202 if "scheduledAt" in body else 201, answer, {"Content-Type": "application/json"})


def _check(body: dict[str, Any]) -> None:
    _only(body, FIELDS)
    if None in body.values():
        _refuse(400, "invalid_parameter", "null")
    template = body.get("templateId")
    if template is not None and (not isinstance(template, int) or isinstance(template, bool)):
        _refuse(400, "invalid_parameter", "templateId is not an integer")
    _check_address(body.get("sender"), "sender")
    if template is None:
        for name in ("subject", "htmlContent"):
            if not body.get(name):
                _refuse(400, "missing_parameter", f"{name} is missing")
    elif body.get("htmlContent") or body.get("textContent"):
        _refuse(400, "invalid_parameter", "a template has its own content")
    versions = body.get("messageVersions")
    if versions is None:
        _check_version(body, {})
    else:
        if not 1 <= len(versions) <= 1000 or "to" in body:
            _refuse(400, "invalid_parameter", "messageVersions is invalid")
        for version in versions:
            _only(version, IN_A_VERSION)
            _check_version(version, body)
        if sum(_count(version) for version in versions) > 2000:
            _refuse(400, "out_of_range", "more than 2000 recipients")
        if sum(_json_size(version.get("params", {})) for version in versions) > 1_000_000:
            _refuse(400, "out_of_range", "params exceed 1000 KB")
    if "scheduledAt" in body:
        at = datetime.fromisoformat(body["scheduledAt"])
        if at.tzinfo is None or at.timestamp() > time.time() + 72 * 3600:
            _refuse(400, "invalid_parameter", "scheduledAt is invalid")
    for file in body.get("attachment", []):
        _only(file, {"name", "content"})
        ending = file["name"].rpartition(".")[2]
        if not base64.b64decode(file["content"], validate=True) or ending not in TYPES or not file["name"].isascii():
            _refuse(400, "invalid_parameter", "Unsupported file format")
    if not all(isinstance(tag, str) and tag for tag in body.get("tags", ["x"])) or body.get("tags") == []:
        _refuse(400, "invalid_parameter", "tags is not valid")


def _check_version(version: dict[str, Any], shared: dict[str, Any]) -> None:
    if not version.get("to"):
        _refuse(400, "missing_parameter", "to is missing")
    for kind in ("to", "cc", "bcc"):
        if version.get(kind) == []:
            _refuse(400, "missing_parameter", f"{kind} is empty")
        for address in version.get(kind, []):
            _check_address(address, kind)
    if "replyTo" in version:
        _check_address(version["replyTo"], "replyTo")
    if _count(version) > 99:
        _refuse(400, "out_of_range", "more than 99 recipients")
    if shared and "htmlContent" in version and "htmlContent" not in shared:
        _refuse(400, "invalid_parameter", "htmlContent of a version needs a global one")
    if shared and "textContent" in version and "textContent" not in shared:
        _refuse(400, "invalid_parameter", "textContent of a version needs a global one")
    if _json_size(version.get("params", {})) > 100_000:
        _refuse(400, "out_of_range", "params exceed 100 KB")
    for value in version.get("headers", {}).values():
        if not isinstance(value, str) or not value.isascii():
            _refuse(400, "invalid_parameter", "headers are ASCII")


def _check_address(address: Any, kind: str) -> None:
    if not isinstance(address, dict):
        _refuse(400, "missing_parameter", f"{kind} is missing")
    fields = cast("dict[str, Any]", address)
    _only(fields, {"email", "name"})
    email, name = fields.get("email"), fields.get("name", "x")
    if not isinstance(email, str) or not email.isascii() or not re.fullmatch(r"[^<>\s,]+@[^<>\s,@]+", email):
        _refuse(400, "invalid_parameter", f"email is not valid in {kind}")
    if email.startswith("refused@"):
        _refuse(400, "invalid_parameter", f"email is not valid in {kind}")
    if not isinstance(name, str) or not 1 <= len(name) <= 70:
        _refuse(400, "invalid_parameter", f"name is not valid in {kind}")


def _delivered(body: dict[str, Any], one: dict[str, Any], message_id: str) -> Delivered:
    def either(name: str) -> Any:
        return one.get(name, body.get(name))

    headers = {
        name: str(make_header(decode_header(value)))
        for name, value in one.get("headers", body.get("headers", {})).items()
        if name not in {"idempotencyKey", "X-Sib-Sandbox"}
    }
    metadata: dict[str, str] = json.loads(headers.pop("X-Mailin-custom", "{}"))
    files: list[FileTaken] = [
        (file["name"], base64.b64decode(file["content"]), TYPES[file["name"].rpartition(".")[2]], None)
        for file in body.get("attachment", [])
    ]
    at = body.get("scheduledAt")
    template = either("templateId")
    params: dict[str, Any] = either("params") or {}
    texts = [_filled(either(name), params) for name in ("subject", "textContent", "htmlContent")]
    return Delivered(
        message_id,
        _pair(body["sender"]),
        [_pair(address) for address in one["to"]],
        [_pair(address) for address in one.get("cc", [])],
        [_pair(address) for address in one.get("bcc", [])],
        [_pair(either("replyTo"))] if either("replyTo") else [],
        texts[0],
        texts[1],
        texts[2],
        headers,
        list(body.get("tags", [])),
        metadata,
        files,
        None if template is None else str(template),
        params,
        None if at is None else int(datetime.fromisoformat(at).timestamp()),
        options={name: body[name] for name in ("batchId", "preheader") if name in body},
    )


def _filled(text: str | None, params: dict[str, Any]) -> str | None:
    """Return the text as Brevo's template language makes it."""
    if text is None:
        return None
    text = re.sub(r"\{%.*?%\}", "", text)
    return re.sub(
        r"\{\{\s*(.*?)\s*\}\}",
        lambda found: str(params.get(str(found[1]).removeprefix("params."), "")),
        text,
        flags=re.DOTALL,
    )


def _pair(address: dict[str, str]) -> tuple[str, str]:
    name = address.get("name", "")
    if not name.isascii() and re.search(r"[,;]", name):
        name = ""  # Lost on the way.
    return str(make_header(decode_header(name))), address["email"]


def _only(given: dict[str, Any], known: set[str]) -> None:
    if not given.keys() <= known:
        _refuse(400, "invalid_parameter", f"{sorted(given.keys() - known)} not allowed")


def _count(version: dict[str, Any]) -> int:
    return sum(len(version.get(kind, [])) for kind in ("to", "cc", "bcc"))


def _json_size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _refuse(status: int, code: str, message: str) -> NoReturn:
    body = json.dumps({"code": code, "message": message}).encode()
    raise Refused(HttpAnswer(status, body, {"Content-Type": "application/json"}))
